"""An external event as one owner's calendar contains it, sanitized. Pure.

Its texts were written by strangers: they are cleaned and cut here, before they are stored.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Self

from contracts.messages.calendar_events import CalendarOwner, EventAttendee, EventDetails, ExternalEventUpserted
from contracts.model import StoredModel
from contracts.values.enums import LocationType, MeetingSource, RsvpStatus
from contracts.values.limits import MAX_LINE, MAX_PARTICIPANTS, MAX_TEXT, MAX_TITLE
from contracts.values.meeting import MeetingContent
from contracts.values.personal import MailAddress, PersonName
from contracts.values.text import email_address, sanitize_line, sanitize_text, web_link
from pydantic import Field

BUSY = "Busy"
"""The title that others see of a private event."""
_MAX_NAME_LENGTH = 100
"""So that an event about 500 people who came and 500 who went stays below Kafka's 1 MB."""


class CalendarSource(StoredModel, frozen=True):
    """An external event as one owner's calendar contains it."""

    owner: CalendarOwner
    sequence: int
    source: MeetingSource
    content: MeetingContent
    private: bool
    """Its content says only that its owner is busy."""
    busy: bool
    calendar_answer: RsvpStatus
    """The owner's answer in the calendar."""
    answer: RsvpStatus
    """The owner's answer: the calendar's, or one that they gave here later."""
    organizes: bool
    organizer_email: MailAddress | None = None
    organizer_name: PersonName | None = None
    guests: list[EventAttendee] = Field(default_factory=list)
    guests_hidden: bool = False

    @classmethod
    def of(cls, event: ExternalEventUpserted) -> Self:
        """Sanitizes the event: no field holds more than a platform user could have written."""
        calendar_source = cls(
            owner=_owner(event.owner),
            sequence=event.sequence,
            source=MeetingSource(event.provider),
            content=_content(event.event),
            private=event.private,
            busy=event.busy,
            calendar_answer=event.answer,
            answer=event.answer,
            organizes=event.organized_by_owner,
            organizer_email=_address(event.organizer_email),
            organizer_name=_line(event.organizer_name, _MAX_NAME_LENGTH),
            guests=list(_guests(event.guests)),
            guests_hidden=event.guests_hidden,
        )
        return calendar_source.redacted() if event.private else calendar_source

    def redacted(self) -> Self:
        """Keeps only the time; the title is ``BUSY``."""
        content = MeetingContent(
            title=BUSY,
            start_date_time=self.content.start_date_time,
            end_date_time=self.content.end_date_time,
            timezone=self.content.timezone,
            all_day=self.content.all_day,
            location_type=LocationType.IN_PERSON,
        )
        hidden = {"private": True, "content": content, "guests": [], "organizer_email": None, "organizer_name": None}
        return self.model_copy(update=hidden)

    def merge_rsvp_from(self, before: Self) -> Self:
        """Keeps an answer given here, unless the calendar's own answer has changed since, to an answer."""
        has_changed = self.calendar_answer is not before.calendar_answer
        is_newer = has_changed and self.calendar_answer is not RsvpStatus.UNKNOWN
        return self.model_copy(update={"answer": self.calendar_answer if is_newer else before.answer})


def _owner(owner: CalendarOwner) -> CalendarOwner:
    email = _address(owner.email) or ""
    return owner.model_copy(update={"name": _line(owner.name, _MAX_NAME_LENGTH), "email": email})


def _content(event: EventDetails) -> MeetingContent:
    location, link = _line(event.location, MAX_LINE), _web_link(event.meeting_link)
    place = location or (None if link else _line(event.meeting_link, MAX_LINE))
    online = link is not None or _web_link(place) is not None
    content = MeetingContent(
        title=_line(event.title, MAX_TITLE),
        start_date_time=event.start_date_time,
        end_date_time=event.end_date_time,
        timezone=event.timezone,
        all_day=event.all_day,
        location_type=LocationType.ONLINE if online else LocationType.IN_PERSON,
        location_detail=place,
        description=sanitize_text(event.description, max_length=MAX_TEXT) or None,
        meeting_link=link,
    )
    backwards = content.schedule.duration < timedelta(0)
    return content.model_copy(update={"end_date_time": event.start_date_time}) if backwards else content


def _guests(guests: Sequence[EventAttendee]) -> Iterator[EventAttendee]:
    """Those who have an address, as many as a meeting can have."""
    for guest in guests[:MAX_PARTICIPANTS]:
        if email := _address(guest.email):
            yield EventAttendee(email=email, name=_line(guest.name, _MAX_NAME_LENGTH), rsvp_status=guest.rsvp_status)


def _line(text: str | None, max_length: int) -> str | None:
    return sanitize_line(text, max_length=max_length) or None


def _address(text: str | None) -> str | None:
    try:
        return email_address(text or "")
    except ValueError:
        return None


def _web_link(text: str | None) -> str | None:
    try:
        return web_link((text or "").strip())
    except ValueError:
        return None
