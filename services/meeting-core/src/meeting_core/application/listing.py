"""Listing meetings: pages of one person's calendar, as that person may see them."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

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
    """Answers for lists. The count is exact, and runs beside the page (docs/decisions/0009)."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    async def list_calendar(self, query: ListCalendar) -> Reply:
        return await self.search(SearchMeetings(actor=query.actor, page=query.page, size=query.size))

    async def search(self, query: SearchMeetings) -> Reply:
        content, total = await asyncio.gather(
            self._content(query), self._calendars.count(query.actor, query.conditions)
        )
        page = Page[MeetingSummary](
            content=content,
            page=query.page,
            size=query.size,
            total_elements=total,
            total_pages=-(-total // query.size),
        )
        return Reply(outcome=Outcome.OK, data=page)

    async def _content(self, query: SearchMeetings) -> list[MeetingSummary]:
        viewer, skip = query.actor, query.page * query.size
        listed = await self._calendars.page(viewer, query.conditions, query.sort, skip=skip, limit=query.size)
        return [Viewer(meeting, viewer).summary(attendees) for meeting, attendees in listed]
