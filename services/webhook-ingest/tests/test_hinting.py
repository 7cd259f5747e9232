"""Hints wait for the bus without holding up anybody, and the same hint waits once."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka.errors import KafkaConnectionError
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.values.enums import CalendarProvider, NotificationKind
from webhook_ingest.application.hinting import Hints

from tests.support.waiting import until


class Bus:
    """Takes hints, after refusing so many times."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.published: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, hints: Sequence[CalendarNotificationReceived]) -> None:
        await self.open.wait()
        if self.refuses:
            self.refuses -= 1
            raise KafkaConnectionError("away")
        self.published.append([f"{hint.channel_id}/{hint.kind}" for hint in hints])

    @property
    def all(self) -> list[str]:
        return [hint for batch in self.published for hint in batch]


def hint(channel: str, kind: NotificationKind = NotificationKind.CHANGED) -> CalendarNotificationReceived:
    return CalendarNotificationReceived(
        channel_id=channel, connection_id="c", provider=CalendarProvider.GOOGLE, kind=kind
    )


async def published(bus: Bus, *expected: str) -> None:
    async def there() -> bool:
        return set(expected) <= set(bus.all)

    await until(there, what=f"{expected} published")


async def test_a_flood_for_one_channel_is_a_handful_of_hints() -> None:
    bus = Bus()
    async with Hints(bus, most=100, rest=0).handed_over() as hints:
        bus.open.clear()
        for _ in range(2000):
            hints.take(hint("one"))
        hints.take(hint("one", NotificationKind.REMOVED))
        bus.open.set()
        await published(bus, "one/CHANGED", "one/REMOVED")
    assert bus.all.count("one/CHANGED") <= 2


async def test_hints_that_the_bus_refuses_wait_and_go_later() -> None:
    bus = Bus(refuses=2)
    async with Hints(bus, most=100, rest=0).handed_over() as hints:
        hints.take(hint("one"))
        await published(bus, "one/CHANGED")


async def test_more_than_may_wait_are_dropped() -> None:
    bus = Bus()
    async with Hints(bus, most=3, rest=0).handed_over() as hints:
        bus.open.clear()
        hints.take(hint("in hand"))
        await asyncio.sleep(0)  # the first hint is on its way to the bus
        for number in range(5):
            hints.take(hint(str(number)))
        bus.open.set()
        await published(bus, "0/CHANGED", "1/CHANGED")
    assert "4/CHANGED" not in bus.all


async def test_what_still_waits_at_the_end_is_handed_over() -> None:
    bus = Bus()
    async with Hints(bus, most=3, rest=0).handed_over() as hints:
        hints.take(hint("last"))  # and leave before anything could hand it over
    assert bus.all == ["last/CHANGED"]


async def test_the_first_hint_goes_at_once_and_what_comes_soon_after_goes_together() -> None:
    bus, rest, began = Bus(), 0.2, time.monotonic()
    async with Hints(bus, most=100, rest=rest).handed_over() as hints:
        hints.take(hint("first"))
        await published(bus, "first/CHANGED")
        for number in range(20):
            hints.take(hint(f"{number}"))
            hints.take(hint("first"))
            await asyncio.sleep(0)
        await published(bus, "19/CHANGED")
    batches = [batch for batch in bus.published if batch]
    assert batches[0] == ["first/CHANGED"]
    assert 2 <= len(batches) <= 2 + (time.monotonic() - began) / rest  # a busy machine may rest more than once
    assert all(len(batch) == len(set(batch)) for batch in batches)
