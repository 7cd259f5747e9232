"""Handing hints to the bus: at once if it takes them, later if not, and never while a provider waits for an answer."""

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


class Bus(Protocol):
    """Where hints go."""

    async def publish(self, hints: Sequence[CalendarNotificationReceived]) -> None:
        """Raises an outage when the bus does not take them."""


class Hints:
    """Hints that wait for the bus. The same hint again, while it waits, says nothing new.

    The first after a lull is handed over at once, what comes within ``rest`` seconds after that goes together:
    providers tell one change several times, and a busy calendar's channel many. Beyond ``most`` waiting hints new ones
    are dropped and counted; periodic pulls bring what they hinted at.
    """

    def __init__(self, bus: Bus, *, most: int, rest: float) -> None:
        self._bus = bus
        self._most = most
        self._rest = rest
        self._waiting: dict[_Key, CalendarNotificationReceived] = {}
        self._stirred = asyncio.Event()

    def take(self, hint: CalendarNotificationReceived) -> None:
        """Take a hint; returns at once."""
        key = (hint.channel_id, hint.kind)
        if key not in self._waiting and len(self._waiting) >= self._most:
            metrics.NOTIFICATIONS.labels("dropped").inc()
            return
        metrics.NOTIFICATIONS.labels("repeated" if key in self._waiting else "taken").inc()
        self._waiting[key] = hint
        self._stirred.set()

    @asynccontextmanager
    async def handed_over(self) -> AsyncIterator["Hints"]:
        """Hand over in the background until left; then what still waits gets one more try."""
        handing = asyncio.create_task(self._hand_over_for_ever())
        try:
            yield self
        finally:
            await cancel_and_wait(handing)
            await self._hand_over()

    async def _hand_over_for_ever(self) -> None:
        failures = 0
        while True:
            await self._stirred.wait()
            if await self._hand_over():
                failures = 0
                await asyncio.sleep(self._rest)
            else:
                failures += 1
                await asyncio.sleep(backoff(failures, initial=0.2, maximum=5))

    async def _hand_over(self) -> bool:
        self._stirred.clear()
        hints, self._waiting = self._waiting, {}
        try:
            await self._bus.publish(list(hints.values()))
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("hints wait for the bus", hints=len(hints), error=type(error).__name__)
            self._waiting = hints | self._waiting
            self._stirred.set()
            return False
        return True
