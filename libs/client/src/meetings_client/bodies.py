"""What callers send: the content of the contracts, and the people to invite."""

from typing import Any

from contracts.api.filters import Condition, SortKey
from contracts.messages.meeting_commands import MeetingChanges
from contracts.model import Contract
from contracts.values.enums import Language, RsvpStatus
from contracts.values.meeting import MeetingContent
from contracts.values.times import LocalDateTime, TimeZoneName


class ExternalAttendee(Contract):
    """A guest from outside the platform. ``country_code`` and ``phone`` belong together."""

    email: str
    name: str | None = None
    language: Language | None = None
    country_code: str | None = None
    phone: str | None = None


class Attendees(Contract):
    """Whom to invite, by kind. In an update, a list replaces the participants of its kind; None keeps them."""

    contact_ids: list[str] | None = None
    staff_ids: list[str] | None = None
    external_attendees: list[ExternalAttendee] | None = None


class NewMeeting(Attendees, MeetingContent):
    """A meeting to create. Times are wall-clock times in ``timezone``."""


class MeetingUpdate(Attendees, MeetingChanges):
    """What to change of a meeting: None keeps, an empty string clears."""


class Answer(Contract):
    """The answer to an invitation: ``ACCEPTED`` or ``DECLINED``."""

    status: RsvpStatus


class AvailabilityWindow(Contract):
    """Whom to check, and the half-open window in wall-clock times of ``timezone`` (None: UTC)."""

    user_uuids: list[str]
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName | None = None


def to_json(body: Contract) -> dict[str, Any]:
    """A body as it is sent: what is None is left out."""
    return body.model_dump(mode="json", exclude_none=True)


def filter_entry(condition: Condition) -> dict[str, Any]:
    """A condition as the search endpoint reads it: each operand under the name that its operator gives it."""
    names = condition.operator.operands
    given = condition.model_dump(mode="json")["operands"]
    operands = [given] if names == ("values",) else given
    return {
        "field": condition.field,
        "operator": condition.operator.value,
        **dict(zip(names, operands, strict=True)),
    }


def sort_entry(key: SortKey) -> str:
    """A sort key as the search endpoint reads it."""
    return f"{key.field},{'desc' if key.descending else 'asc'}"
