"""Answers who changed a meeting, and what."""

from dataclasses import dataclass
from typing import Protocol

from contracts.api.errors import ApiError, ErrorCode
from contracts.api.history import MeetingHistoryPage
from contracts.api.queries import GetMeetingHistory
from contracts.history import HistoryEntry
from contracts.messages.replies import Outcome, Reply

from meeting_core.domain.access import require_staff, require_visible
from meeting_core.domain.history_views import entry_view
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer


@dataclass(frozen=True, slots=True)
class RecordedMeeting:
    """A meeting, with the latest entries of its history as far as they are in its own document."""

    meeting: Meeting
    pending: list[HistoryEntry]


class HistoryReader(Protocol):
    """Reads the histories of meetings."""

    async def find(self, tenant: str, meeting_uuid: str) -> RecordedMeeting | None: ...

    async def read(self, recorded: RecordedMeeting, first: int, last: int) -> list[HistoryEntry]:
        """The entries of these versions, both included, in order."""


class HistoryQueries:
    """Shows the history to staff who may read the meeting."""

    def __init__(self, history: HistoryReader) -> None:
        self._history = history

    async def get_meeting_history(self, query: GetMeetingHistory) -> Reply:
        """One page. Each version has one entry, so the meeting's version is their number."""
        recorded = await self._history.find(query.actor.tenant_uuid, query.meeting_uuid)
        if recorded is None:
            raise ApiError(ErrorCode.MEETING_NOT_FOUND)
        require_visible(recorded.meeting, query.actor)
        require_staff(query.actor)
        total, first = recorded.meeting.version, query.page * query.size + 1
        entries = await self._history.read(recorded, first, min(first + query.size - 1, total))
        viewer = Viewer(recorded.meeting, query.actor)
        page = MeetingHistoryPage(
            content=[entry_view(entry, viewer) for entry in entries],
            page=query.page,
            size=query.size,
            total_elements=total,
            total_pages=-(-total // query.size),
        )
        return Reply(outcome=Outcome.OK, version=total, data=page)
