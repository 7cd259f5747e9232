"""Lists and searches: pages of the meetings on one person's calendar, as that person may see them."""

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


class ListedMeeting(NamedTuple):
    """A meeting without long texts, with only the viewer among its participants, and their number."""

    meeting: Meeting
    attendees: int


class MeetingSearchReader(Protocol):
    """Reads the calendar of one person, the viewer."""

    async def page(
        self, viewer: Actor, conditions: Sequence[Condition], sort: Sequence[SortKey], *, skip: int, limit: int
    ) -> list[ListedMeeting]:
        """Meetings that fulfil every condition; without a sort, the latest start first."""

    async def count(self, viewer: Actor, conditions: Sequence[Condition]) -> int:
        """How many fulfil every condition, exactly."""


class MeetingSearch:
    """Answers lists and searches, each through a gate of its own: a list never waits for a search."""

    def __init__(
        self, lists: MeetingSearchReader, searches: MeetingSearchReader, *, list_gate: FairGate, search_gate: FairGate
    ) -> None:
        """``searches`` reads the same as ``lists``, by database operations with a limit of their own."""
        self._lists = lists
        self._searches = searches
        self._list_gate = list_gate
        self._search_gate = search_gate

    async def list_calendar(self, query: ListCalendar) -> Reply:
        """A page of the whole calendar. The count is exact, and runs beside the page (docs/decisions/0009)."""
        viewer = query.actor
        async with self._list_gate.turn(viewer.tenant_uuid, viewer.user_id):
            page, total = await asyncio.gather(
                self._lists.page(viewer, (), (), skip=query.page * query.size, limit=query.size),
                self._lists.count(viewer, ()),
            )
        return _reply(query, page, total)

    async def search(self, query: SearchMeetings) -> Reply:
        """A page of what fulfils the conditions, counted afterwards, unless the page tells how many there are."""
        viewer, skip = query.actor, query.page * query.size
        async with self._search_gate.turn(viewer.tenant_uuid, viewer.user_id):
            page = await self._searches.page(viewer, query.conditions, query.sort, skip=skip, limit=query.size)
            ends_here = len(page) < query.size and (page or not skip)
            total = skip + len(page) if ends_here else await self._searches.count(viewer, query.conditions)
        return _reply(query, page, total)


def _reply(query: ListCalendar, page: Sequence[ListedMeeting], total: int) -> Reply:
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
