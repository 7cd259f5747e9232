"""Keeps grants of a user from being revoked while the user connects a calendar."""

import asyncio
import time
from datetime import timedelta

from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository

_POLL = 0.05


async def hold_revocations(
    connections: ConnectionRepository, connection: Connection, hold: timedelta, *, give_up_after: timedelta
) -> bool:
    """Wait until no grant of the user is being revoked, then defer revocations by ``hold``; False if it takes too long.

    A revocation can end a new grant of the same account, too, and the code that is to become one.
    """
    deadline = time.monotonic() + give_up_after.total_seconds()
    while not await connections.defer_revocation(connection.connection_id, utc_now() + hold):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)
    return True
