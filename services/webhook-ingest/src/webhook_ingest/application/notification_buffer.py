"""Buffers notifications between the webhook and the broker, so that no provider waits for the broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from chassis.backoff import backoff
from chassis.outages import is_outage
from chassis.tasks import cancel_and_wait
from contracts.messages.calendar_notifications import CalendarNotificationReceived

from webhook_ingest import metrics

log = structlog.get_logger()

_Key = tuple[str, str]


class NotificationPublisher(Protocol):
    """Publishes notifications to the broker."""

    async def publish(self, notifications: Sequence[CalendarNotificationReceived]) -> None:
        """Raises an outage when the broker is unavailable."""


class NotificationBuffer:
    """Holds notifications until they are published; a repeat of one that is still held is dropped.

    The first after a lull is published at once, those of the next ``batch_window`` seconds together: providers send
    several notifications for one change. When ``max_size`` are held, new ones are dropped and counted; periodic syncs
    read the changes that they announced.
    """

    def __init__(self, publisher: NotificationPublisher, *, max_size: int, batch_window: float) -> None:
        self._publisher = publisher
        self._max_size = max_size
        self._batch_window = batch_window
        self._held: dict[_Key, CalendarNotificationReceived] = {}
        self._wakeup = asyncio.Event()

    def add(self, notification: CalendarNotificationReceived) -> None:
        """Hold a notification; returns at once."""
        key = (notification.channel_id, notification.kind)
        if key not in self._held and len(self._held) >= self._max_size:
            metrics.NOTIFICATIONS.labels("dropped").inc()
            return
        metrics.NOTIFICATIONS.labels("repeated" if key in self._held else "accepted").inc()
        self._held[key] = notification
        self._wakeup.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NotificationBuffer"]:
        """Publish in the background until left; then try once more to publish what is still held."""
        publishing = asyncio.create_task(self._publish_for_ever())
        try:
            yield self
        finally:
            await cancel_and_wait(publishing)
            await self._publish()

    async def _publish_for_ever(self) -> None:
        failures = 0
        while True:
            await self._wakeup.wait()
            if await self._publish():
                failures = 0
                await asyncio.sleep(self._batch_window)
            else:
                failures += 1
                await asyncio.sleep(backoff(failures, initial=0.2, maximum=5))

    async def _publish(self) -> bool:
        self._wakeup.clear()
        notifications, self._held = self._held, {}
        try:
            await self._publisher.publish(list(notifications.values()))
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("notification buffer: broker unavailable", held=len(notifications), error=type(error).__name__)
            self._held = notifications | self._held
            self._wakeup.set()
            return False
        return True
