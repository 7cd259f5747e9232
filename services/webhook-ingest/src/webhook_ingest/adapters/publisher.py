"""Publishes notifications to Kafka."""

from collections.abc import Sequence

from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.transport.envelope import Message
from contracts.transport.topics import WEBHOOK_INGEST


class KafkaNotificationPublisher:
    """Publishes notifications, keyed by channel."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, notifications: Sequence[CalendarNotificationReceived]) -> None:
        """Raises a KafkaError when one was not acknowledged; the caller may publish it again."""
        await self._publisher.publish_together(map(_record, notifications))


def _record(notification: CalendarNotificationReceived) -> OutgoingRecord:
    envelope = envelope_for(notification, source=WEBHOOK_INGEST, subject=notification.connection_id)
    return encode(Message(envelope, notification), key=notification.channel_id)
