"""Answers who has time, and nothing about the meetings that take it."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from chassis.fair_gate import FairGate
from contracts.api.availability import Busy
from contracts.api.queries import CheckAvailability
from contracts.messages.replies import Outcome, Reply


class BusyTimes(Protocol):
    """Knows when people of a tenant are busy."""

    async def busy(self, tenant: str, people: Collection[str], starts_at: datetime, ends_at: datetime) -> set[str]:
        """Who of these people has something in the half-open window between two instants."""


class CalendarCoverage(Protocol):
    """Knows how much of people's connected calendars is known."""

    async def unknown(self, tenant: str, people: Collection[str], starts_at: datetime, ends_at: datetime) -> set[str]:
        """Who of these people has, or had and lost, a connected calendar that is not known for all of the window."""


class Availability:
    """Answers for availability checks. Unknown is not free."""

    def __init__(self, times: BusyTimes, coverage: CalendarCoverage, gate: FairGate) -> None:
        self._times = times
        self._coverage = coverage
        self._gate = gate

    async def check(self, query: CheckAvailability) -> Reply:
        tenant, window = query.actor.tenant_uuid, (query.starts_at, query.ends_at)
        async with self._gate.turn(tenant, query.actor.user_id):
            busy = await self._times.busy(tenant, query.user_uuids, *window)
            unknown = await self._coverage.unknown(tenant, set(query.user_uuids) - busy, *window)
        return Reply(outcome=Outcome.OK, data=Busy(user_uuids=sorted(busy), unknown_user_uuids=sorted(unknown)))
