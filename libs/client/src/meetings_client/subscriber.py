"""Follows the platform's meeting events, with the four duties of every subscriber done."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.envelope import Envelope, Message
from contracts.transport.registry import MESSAGE_TYPES
from contracts.transport.topics import MEETING_EVENTS

from meetings_client.inbox import Inbox

log = logging.getLogger(__name__)

MeetingMessage = Message[MeetingEvent]
"""An event with its envelope: ``envelope.tenant``, ``envelope.type``, ``body.meeting``."""

Transaction = TypeVar("Transaction")
Handler = Callable[[Transaction, MeetingMessage], Awaitable[None]]
Snapshot = Callable[[], AsyncIterator[MeetingMessage]]
"""Gives each meeting as it is, with the version that it has, such as from a topic or a file of states."""


class Subscriber(Generic[Transaction]):
    """Hands every event of ``meetings.events`` to a handler whose effects happen once.

    Group: it goes on where an earlier run of the group ended; a new group begins with the oldest event there is.
    Idempotence: the handler runs in a transaction of the inbox, and only when the event is news.
    Commit: offsets are committed after the effects, never before.
    Tolerance: a record that cannot be read is logged and passed over; fields and event types that this version does
    not know are ignored, and such an event is handed over as a plain ``MeetingEvent``.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        group: str,
        inbox: Inbox[Transaction],
        snapshot: Snapshot | None = None,
        instance: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """``snapshot`` is read before the events at every start, for meetings whose events are no longer kept. It may
        overlap with the events: the inbox passes over what it knows.

        ``instance`` names this replica for good: it then restarts without a rebalance (static membership).

        ``options`` are further ones of ``AIOKafkaConsumer``, such as those of TLS and SASL.
        """
        self._inbox = inbox
        self._snapshot = snapshot
        self._consumer_options = {
            "bootstrap_servers": bootstrap_servers,
            "group_id": group,
            "group_instance_id": instance,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            **(options or {}),
        }

    async def run(self, handle: Handler[Transaction]) -> None:
        """Follow the events until cancelled. What ``handle`` raises ends this; the event then comes again."""
        if self._snapshot is not None:
            async for message in self._snapshot():
                await self._apply(message, handle)
        async with self._consuming() as consumer:
            while True:
                batches = await consumer.getmany(timeout_ms=1_000)
                for record in (record for records in batches.values() for record in records):
                    await self._handle(record, handle)
                if batches:
                    await _commit(consumer)

    async def _handle(self, record: Any, handle: Handler[Transaction]) -> None:
        try:
            message = read_message(record.headers, record.value)
        except Exception as error:  # whatever is wrong with it, the next ones must be read
            place = (record.topic, record.partition, record.offset)
            log.warning("passed over an unreadable record at %s/%s/%s: %s", *place, type(error).__name__)
            return
        await self._apply(message, handle)

    async def _apply(self, message: MeetingMessage, handle: Handler[Transaction]) -> None:
        """Hand the message over, unless this version of its meeting, or a higher one, was handled before."""
        version = message.envelope.sequence or 0
        async with self._inbox.open(message.body.meeting.meeting_uuid, version) as transaction:
            if transaction is not None:
                await handle(transaction, message)

    @asynccontextmanager
    async def _consuming(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(MEETING_EVENTS.name, **self._consumer_options)
        async with consumer:
            yield consumer


def read_message(headers: Any, value: bytes | None) -> MeetingMessage:
    """A record of ``meetings.events``; an event of a type that is not known is read as a plain ``MeetingEvent``.

    Raises:
        ValueError: it is none.
    """
    envelope = Envelope.from_headers(headers)
    if envelope.sequence is None:
        raise ValueError("no header ce_sequence")
    known = MESSAGE_TYPES.get(envelope.type)
    body = known.body if known is not None and issubclass(known.body, MeetingEvent) else MeetingEvent
    return Message(envelope, body.model_validate_json(value or b""))


async def _commit(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.commit()
    except CommitFailedError:  # the group was rebalanced meanwhile; who has the partition now sees the events again
        log.info("commit failed after a rebalance; events are delivered again")
