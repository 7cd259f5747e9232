"""Telling who has time. Nothing about the meetings that take it is told."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from contracts.api.availability import Busy
from contracts.api.queries import CheckAvailability
from contracts.messages.replies import Outcome, Reply


class BusyTimes(Protocol):
    """Knows when people of a tenant are busy."""

    async def busy(self, tenant: str, people: Collection[str], starts_at: datetime, ends_at: datetime) -> set[str]:
        """Who of these people has something in the half-open window between two instants."""


class Availability:
    """Answers for availability checks."""

    def __init__(self, times: BusyTimes) -> None:
        self._times = times

    async def check(self, query: CheckAvailability) -> Reply:
        busy = await self._times.busy(query.actor.tenant_uuid, query.user_uuids, query.starts_at, query.ends_at)
        return Reply(outcome=Outcome.OK, data=Busy(user_uuids=sorted(busy)))
