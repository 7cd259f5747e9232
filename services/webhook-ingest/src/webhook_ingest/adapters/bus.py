"""Hints as records on the bus."""

from collections.abc import Sequence

from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.transport.envelope import Message
from contracts.transport.topics import WEBHOOK_INGEST


class HintPublisher:
    """Publishes hints, keyed by channel."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, hints: Sequence[CalendarNotificationReceived]) -> None:
        """Raises a KafkaError when one was not acknowledged; hints may repeat."""
        await self._publisher.publish_together(map(_record, hints))


def _record(hint: CalendarNotificationReceived) -> OutgoingRecord:
    envelope = envelope_for(hint, source=WEBHOOK_INGEST, subject=hint.connection_id)
    return encode(Message(envelope, hint), key=hint.channel_id)
