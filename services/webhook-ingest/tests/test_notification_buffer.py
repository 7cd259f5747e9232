"""Notifications wait for the broker without delaying requests, and a repeat of a held one is dropped."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka.errors import KafkaConnectionError
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.values.enums import CalendarProvider, NotificationKind
from webhook_ingest.application.notification_buffer import NotificationBuffer

from tests.support.waiting import until


class Bus:
    """Takes notifications, after refusing so many times."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.published: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, notifications: Sequence[CalendarNotificationReceived]) -> None:
        await self.open.wait()
        if self.refuses:
            self.refuses -= 1
            raise KafkaConnectionError("away")
        self.published.append([f"{notification.channel_id}/{notification.kind}" for notification in notifications])

    @property
    def all(self) -> list[str]:
        return [notification for batch in self.published for notification in batch]


def notification(channel: str, kind: NotificationKind = NotificationKind.CHANGED) -> CalendarNotificationReceived:
    return CalendarNotificationReceived(
        channel_id=channel, connection_id="c", provider=CalendarProvider.GOOGLE, kind=kind
    )


async def published(bus: Bus, *expected: str) -> None:
    async def there() -> bool:
        return set(expected) <= set(bus.all)

    await until(there, what=f"{expected} published")


async def test_a_flood_for_one_channel_is_a_handful_of_notifications() -> None:
    bus = Bus()
    async with NotificationBuffer(bus, max_size=100, batch_window=0).running() as buffer:
        bus.open.clear()
        for _ in range(2000):
            buffer.add(notification("one"))
        buffer.add(notification("one", NotificationKind.REMOVED))
        bus.open.set()
        await published(bus, "one/CHANGED", "one/REMOVED")
    assert bus.all.count("one/CHANGED") <= 2


async def test_notifications_wait_while_the_broker_is_unavailable() -> None:
    bus = Bus(refuses=2)
    async with NotificationBuffer(bus, max_size=100, batch_window=0).running() as buffer:
        buffer.add(notification("one"))
        await published(bus, "one/CHANGED")


async def test_more_than_may_wait_are_dropped() -> None:
    bus = Bus()
    async with NotificationBuffer(bus, max_size=3, batch_window=0).running() as buffer:
        bus.open.clear()
        buffer.add(notification("in hand"))
        await asyncio.sleep(0)  # the first notification is on its way to the bus
        for number in range(5):
            buffer.add(notification(str(number)))
        bus.open.set()
        await published(bus, "0/CHANGED", "1/CHANGED")
    assert "4/CHANGED" not in bus.all


async def test_what_still_waits_at_the_end_is_handed_over() -> None:
    bus = Bus()
    async with NotificationBuffer(bus, max_size=3, batch_window=0).running() as buffer:
        buffer.add(notification("last"))  # and leave before anything could hand it over
    assert bus.all == ["last/CHANGED"]


async def test_the_first_notification_goes_at_once_and_later_ones_together() -> None:
    bus, rest, began = Bus(), 0.2, time.monotonic()
    async with NotificationBuffer(bus, max_size=100, batch_window=rest).running() as buffer:
        buffer.add(notification("first"))
        await published(bus, "first/CHANGED")
        for number in range(20):
            buffer.add(notification(f"{number}"))
            buffer.add(notification("first"))
            await asyncio.sleep(0)
        await published(bus, "19/CHANGED")
    batches = [batch for batch in bus.published if batch]
    assert batches[0] == ["first/CHANGED"]
    assert 2 <= len(batches) <= 2 + (time.monotonic() - began) / rest  # a busy machine may rest more than once
    assert all(len(batch) == len(set(batch)) for batch in batches)
