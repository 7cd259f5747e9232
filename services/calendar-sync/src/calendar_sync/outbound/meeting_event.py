"""The calendar event that a meeting becomes in its host's calendar."""

from datetime import UTC, datetime

from contracts.values.enums import MeetingStatus
from contracts.values.limits import MAX_LINE
from contracts.values.meeting import MeetingState
from contracts.values.text import sanitize_line

from calendar_sync.outbound.description import description_of
from calendar_sync.providers.event_content import EventContent, EventTime

UNTITLED = "Meeting"


def event_for(meeting: MeetingState, password: str | None = None) -> EventContent | None:
    """What the host's calendar ought to show; None for a meeting that is no more."""
    if meeting.status is not MeetingStatus.ACTIVE:
        return None
    return EventContent(
        title=sanitize_line(meeting.title) or UNTITLED,
        when=_when(meeting),
        location=sanitize_line(meeting.location_detail or meeting.meeting_link, max_length=MAX_LINE),
        description=description_of(meeting, password),
    )


def _when(meeting: MeetingState) -> EventTime:
    if not meeting.all_day:
        return EventTime(starts_at=meeting.starts_at, ends_at=meeting.ends_at, zone=meeting.timezone)
    # The instants are midnights in the meeting's zone; its wall clock says which days these are.
    schedule = meeting.schedule
    first, end = schedule.start.date(), schedule.end.date()
    last = end if schedule.end.time() == datetime.min.time() else end.fromordinal(end.toordinal() + 1)
    return EventTime(
        starts_at=datetime(first.year, first.month, first.day, tzinfo=UTC),
        ends_at=datetime(last.year, last.month, last.day, tzinfo=UTC),
        all_day=True,
        zone=meeting.timezone,
    )
