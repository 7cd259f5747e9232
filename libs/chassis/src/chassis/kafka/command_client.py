"""Request and reply over Kafka: a command is written durably, its outcome awaited for a bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka.errors import KafkaError
from contracts.messages.replies import Reply
from contracts.model import Contract
from contracts.transport.envelope import Envelope, Message
from contracts.transport.registry import type_of
from contracts.transport.topics import GATEWAY_REPLIES

from chassis.kafka.broadcast_consumer import BroadcastConsumer
from chassis.kafka.publisher import Publisher, UnacknowledgedError
from chassis.kafka.records import ReceivedMessage, encode, envelope_for
from chassis.settings import ServiceSettings
from chassis.telemetry import metrics
from chassis.telemetry.tracing import SpanKind, span

log = structlog.get_logger()


class BrokerUnavailableError(Exception):
    """The command was not accepted: the broker is unavailable, or too many commands wait for replies."""


class CommandClient:
    """Sends commands and matches the replies to them."""

    def __init__(self, settings: ServiceSettings, publisher: Publisher, *, deadline: float, max_in_flight: int) -> None:
        self._settings = settings
        self._publisher = publisher
        self._deadline = deadline
        self._max_in_flight = max_in_flight
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._replies = BroadcastConsumer(settings, publisher, topic=GATEWAY_REPLIES, handle=self._match)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CommandClient"]:
        async with self._replies.running():
            yield self

    def problem(self) -> str | None:
        return self._replies.problem()

    async def request(self, command: Contract, *, key: str) -> Reply | None:
        """Publish a command and wait for its reply.

        None when the deadline passes first: the command was accepted and will be carried out, or it was sent without
        an acknowledgement and may be.

        Raises:
            BrokerUnavailableError: the command was certainly not accepted.
        """
        if len(self._waiting) >= self._max_in_flight or self._replies.problem() is not None:
            raise BrokerUnavailableError
        with span(f"request {type_of(command).name}", SpanKind.PRODUCER):
            return await self._request(command, key)

    async def _request(self, command: Contract, key: str) -> Reply | None:
        envelope = envelope_for(command, source=self._settings.service_name, subject=key, reply_to=GATEWAY_REPLIES.name)
        reply = self._waiting[envelope.id] = asyncio.Future[Reply]()
        metrics.REPLIES_PENDING.set(len(self._waiting))
        try:
            async with asyncio.timeout(self._deadline):
                await self._send(envelope, command, key)
                return await reply
        except TimeoutError:
            return None
        except KafkaError as error:
            raise BrokerUnavailableError from error
        finally:
            del self._waiting[envelope.id]
            metrics.REPLIES_PENDING.set(len(self._waiting))

    async def _send(self, envelope: Envelope, command: Contract, key: str) -> None:
        """Publish; a command without an acknowledgement counts as accepted, since its reply may still come."""
        try:
            await self._publisher.publish(encode(Message(envelope, command), key))
        except UnacknowledgedError:
            log.warning("command not acknowledged by the broker", type=envelope.type)

    def _match(self, received: ReceivedMessage[Reply]) -> None:
        waiting = self._waiting.get(received.envelope.causation_id or "")
        if waiting is None:
            metrics.REPLIES_UNMATCHED.inc()
        elif not waiting.done():
            waiting.set_result(received.body)
