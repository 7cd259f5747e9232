"""Listing meetings: pages of one person's calendar, as that person may see them."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from chassis.fair_gate import FairGate
from contracts.api.filters import Condition, SortKey
from contracts.api.meetings import MeetingSummary, Page
from contracts.api.queries import ListCalendar, SearchMeetings
from contracts.messages.command import Actor
from contracts.messages.replies import Outcome, Reply

from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer


class Listed(NamedTuple):
    """A meeting as lists read it: without long texts, the viewer alone of its participants, and how many they are."""

    meeting: Meeting
    attendees: int


class Calendars(Protocol):
    """Reads the calendar of one person, the viewer."""

    async def page(
        self, viewer: Actor, conditions: Sequence[Condition], sort: Sequence[SortKey], *, skip: int, limit: int
    ) -> list[Listed]:
        """Meetings that fulfil every condition; without a sort, the latest start first."""

    async def count(self, viewer: Actor, conditions: Sequence[Condition]) -> int:
        """How many fulfil every condition, exactly."""


class Listing:
    """Answers for lists and searches, each through its own gate: a list never waits for a search."""

    def __init__(self, calendars: Calendars, searched: Calendars, *, lists: FairGate, searches: FairGate) -> None:
        """``searched`` reads the same as ``calendars``, in a way that nothing else has to wait for."""
        self._calendars = calendars
        self._searched = searched
        self._lists = lists
        self._searches = searches

    async def list_calendar(self, query: ListCalendar) -> Reply:
        """A page of the whole calendar. The count is exact, and runs beside the page (docs/decisions/0009)."""
        viewer = query.actor
        async with self._lists.turn(viewer.tenant_uuid, viewer.user_id):
            page, total = await asyncio.gather(
                self._calendars.page(viewer, (), (), skip=query.page * query.size, limit=query.size),
                self._calendars.count(viewer, ()),
            )
        return _reply(query, page, total)

    async def search(self, query: SearchMeetings) -> Reply:
        """A page of what fulfils the conditions, counted afterwards, unless the page tells how many there are."""
        viewer, skip = query.actor, query.page * query.size
        async with self._searches.turn(viewer.tenant_uuid, viewer.user_id):
            page = await self._searched.page(viewer, query.conditions, query.sort, skip=skip, limit=query.size)
            ends_here = len(page) < query.size and (page or not skip)
            total = skip + len(page) if ends_here else await self._searched.count(viewer, query.conditions)
        return _reply(query, page, total)


def _reply(query: ListCalendar, page: Sequence[Listed], total: int) -> Reply:
    content = [Viewer(meeting, query.actor).summary(attendees) for meeting, attendees in page]
    return Reply(
        outcome=Outcome.OK,
        data=Page[MeetingSummary](
            content=content,
            page=query.page,
            size=query.size,
            total_elements=total,
            total_pages=-(-total // query.size),
        ),
    )
