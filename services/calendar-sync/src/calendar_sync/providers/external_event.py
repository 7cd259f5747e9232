"""Events as a provider lists them, and deletions of events."""

from dataclasses import dataclass, field
from datetime import datetime

from contracts.values.enums import RsvpStatus

from calendar_sync.providers.event_content import EventContent


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is invited to an external event; rooms and other resources are none."""

    email: str
    name: str | None = None
    answer: RsvpStatus = RsvpStatus.UNKNOWN
    is_owner: bool = False
    """Whether this is the owner of the calendar: Google says so, at Graph the addresses of the mailbox do."""
    is_organizer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEvent:
    """An event that is there."""

    event_id: str
    etag: str
    ical_uid: str | None
    """Of the event, or of its series; None where the provider gives none."""
    original_start: str = ""
    """Which instance of a series: a UTC instant like ``2026-06-15T10:30:00Z`` or a date; empty for a single event."""
    series_id: str = ""
    """The series that it is an instance of, where the provider may not tell that an instance was removed (Graph)."""
    content: EventContent
    meeting_link: str | None = None
    private: bool = False
    opaque: bool = True
    """Whether it takes its owner's time."""
    imported: bool = True
    """Whether it is of a kind that belongs on the platform: working locations and birthdays do not."""
    organizer_email: str | None = None
    organizer_name: str | None = None
    organized_by_owner: bool = False
    answer: RsvpStatus = RsvpStatus.UNKNOWN
    """The owner's own; UNKNOWN for the organizer."""
    answered: bool = False
    """Whether they have answered; who answers tentatively is UNKNOWN, and has."""
    attendees: tuple[Attendee, ...] = ()
    guests_hidden: bool = False
    """Whether the organizer does not let the attendees see each other."""
    marked_meeting: str | None = None
    """The meeting whose copy it is, if our deployment's marker is to be believed. Its owner can write one, too."""


@dataclass(frozen=True, slots=True)
class DeletedEvent:
    """An event that is not there any more, or that has left the window; only its id is known."""

    event_id: str


EventChange = ExternalEvent | DeletedEvent


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at: from ``begins``, UTC, to before ``ends``."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A page of what is new since a sync token, or of everything in the window.

    ``next_page`` asks for the next page. On the last page it is None, and the next sync begins at ``sync_token``. Both
    are the provider's, opaque.
    """

    found: list[EventChange] = field(default_factory=list)
    next_page: str | None = None
    sync_token: str | None = None
    series: list[str] = field(default_factory=list)
    """The ids of series that changed, so that an instance of one that is not shown in this round may be gone."""
    unparsable_ids: list[str] = field(default_factory=list)
    """The ids of events that are there but could not be read: what is known of them stays."""


class SyncTokenExpiredError(Exception):
    """The sync token has expired (410): look at everything again, then at what is missing."""
