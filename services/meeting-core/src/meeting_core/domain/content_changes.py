"""Changes of a meeting's content: merged into it, checked, and named. Pure."""

from collections.abc import Collection
from datetime import datetime

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_events import MirroredEventChanged
from contracts.messages.meeting_commands import MeetingChanges
from contracts.values.limits import MAX_LINE, MAX_TEXT, MAX_TITLE
from contracts.values.meeting import MeetingContent
from contracts.values.text import sanitize_line, sanitize_text
from pydantic import BaseModel

_MOVING = frozenset({"start_date_time", "end_date_time", "timezone", "all_day", "location_type", "location_detail"})
_UNSEEN_BY_GUESTS = frozenset({"internal_notes"})


def merge_changes(content: MeetingContent, changes: MeetingChanges) -> MeetingContent:
    """The content after a partial update: null leaves a field as it is, an empty string clears it."""
    given = {name: value for name, value in changes if value is not None}
    return content.model_copy(update={name: None if value == "" else value for name, value in given.items()})


def merge_host_edit(content: MeetingContent, edit: MirroredEventChanged) -> MeetingContent:
    """The content after what the host changed in the mirrored event, cut to what a meeting can hold.

    The mirrored event shows the meeting's link where the meeting names no place: an unchanged link is no new place.
    """
    place = edit.location
    if place is not None and place == (content.location_detail or content.meeting_link or ""):
        place = content.location_detail
    return merge_changes(
        content,
        MeetingChanges(
            title=None if edit.title is None else sanitize_line(edit.title, max_length=MAX_TITLE),
            start_date_time=edit.start_date_time,
            end_date_time=edit.end_date_time,
            timezone=edit.timezone,
            all_day=edit.all_day,
            location_detail=None if place is None else sanitize_line(place, max_length=MAX_LINE),
            description=None if edit.description is None else sanitize_text(edit.description, max_length=MAX_TEXT),
        ),
    )


def check_schedule(content: MeetingContent) -> None:
    """Raises ApiError (400) when the meeting would not end after it starts, or last too long."""
    try:
        content.schedule.checked()
    except ValueError as problem:
        raise ApiError(ErrorCode.VALIDATION_FAILED, details=[f"endDateTime: {problem}"]) from problem


def is_over(content: MeetingContent, now: datetime) -> bool:
    """Whether the meeting has ended: what a calendar does to it then is tidying up."""
    return content.schedule.ends_at <= now


def changed_fields(before: BaseModel, after: BaseModel) -> list[str]:
    """The names of the fields in which two models of a class differ."""
    return [name for name in type(after).model_fields if getattr(after, name) != getattr(before, name)]


def is_rescheduling(changed: Collection[str]) -> bool:
    """Whether time, zone or place are among these fields, so that participants must answer again."""
    return not _MOVING.isdisjoint(changed)


def is_seen_by_guests(changed: Collection[str]) -> bool:
    """Whether guests can see any of these fields."""
    return bool(set(changed) - _UNSEEN_BY_GUESTS)
