"""Makes aiokafka take a write to a closed connection for what it is, on every event loop.

asyncio's transports ignore such a write and report the loss of the connection later. uvloop raises RuntimeError, which
aiokafka expects nowhere: its producer and its fetcher then end for good, and nothing starts them again.
"""

import functools
from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_WRITERS = ("send", "_send_sasl_token")
"""The methods of a connection that write to its transport."""


def expect_closed_connections() -> None:
    """Raise ``KafkaConnectionError`` from writes to closed connections, for all clients of this process."""
    for name in _WRITERS:
        write = getattr(AIOKafkaConnection, name)
        if not hasattr(write, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _checked(write))


def _checked(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def checked(connection: AIOKafkaConnection, *args: Any, **options: Any) -> Any:
        try:
            return write(connection, *args, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} is closed") from error

    return checked
