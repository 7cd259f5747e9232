"""The calendar part of a mail: one iTIP message about one event for one guest.

Sources: iCalendar RFC 5545, iTIP RFC 5546 (section 3.2.1 PUBLISH, 3.2.2 REQUEST, 3.2.5 CANCEL).
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts.values.enums import MailKind, RsvpStatus
from contracts.values.meeting import MeetingState
from contracts.values.text import sanitize_line
from icalendar import Calendar, Event, vCalAddress
from icalendar.parser import Contentline

from invitations.adapters.mail.content import MailContent
from invitations.domain.guest import Guest
from invitations.domain.host_notice import MeetingNotice

PUBLISH = "PUBLISH"

_NOT_IN_PARAMETERS = str.maketrans({'"': "'", "\\": None})
"""A parameter's value cannot hold a double quote (RFC 5545 section 3.2), and some read a backslash as an escape."""

_PARTSTAT = {
    RsvpStatus.UNKNOWN: "NEEDS-ACTION",
    RsvpStatus.ACCEPTED: "ACCEPTED",
    RsvpStatus.DECLINED: "DECLINED",
}


def method_of(kind: MailKind) -> str:
    """The iTIP method of a mail."""
    return "CANCEL" if kind is MailKind.CANCELLATION else "REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """What is the same for all guests of a meeting."""

    method: str
    uid: str
    sequence: int
    dtstamp: datetime
    created: datetime
    last_modified: datetime
    dtstart: date
    dtend: date
    summary: str
    description: str
    location: str
    url: str
    organizer: str
    host: str
    status: str


def calendar_of(
    guest: Guest, kind: MailKind, content: MailContent, *, organizer: str, recipient: str, uid: str
) -> bytes:
    """The calendar object, as UTF-8 with CRLF.

    ``organizer`` is an address of ours, since receivers distrust an organizer of another domain than the sender's
    (RFC 6047 section 3); the host is its name. The guest is the only attendee, so that guests do not learn of each
    other. DTSTAMP is when the mail was asked for, so that sending it again changes nothing.
    """
    event = _event(
        guest.meeting,
        content,
        method=method_of(kind),
        uid=uid,
        asked_at=guest.requested_at,
        organizer=organizer,
        status=_status(guest, kind),
    )
    before, after = _without_attendee(event)
    attendee = _attendee(guest, recipient)
    return before + bytes(Contentline.from_parts("ATTENDEE", attendee.params, attendee).to_ical()) + b"\r\n" + after


def published_calendar_of(notice: MeetingNotice, content: MailContent, *, organizer: str, uid: str) -> bytes:
    """The host's own meeting, as UTF-8 with CRLF: published, since nobody is asked (RFC 5546 section 3.2.1).

    Programs take a request to its own organizer for a mistake. A published event has no attendees, so the host's
    program mails no guest about it. When the meeting is canceled it is published once more, with that status.
    """
    event = _event(
        notice.meeting,
        content,
        method=PUBLISH,
        uid=uid,
        asked_at=notice.at,
        organizer=organizer,
        status="CANCELLED" if notice.is_canceled else "CONFIRMED",
    )
    return b"".join(_without_attendee(event))


def _event(
    meeting: MeetingState,
    content: MailContent,
    *,
    method: str,
    uid: str,
    asked_at: datetime,
    organizer: str,
    status: str,
) -> _Event:
    dtstart, dtend = _times(meeting)
    return _Event(
        method=method,
        uid=uid,
        sequence=meeting.ical_sequence,
        dtstamp=asked_at.replace(microsecond=0),
        created=meeting.created_at.replace(microsecond=0),
        last_modified=meeting.updated_at.replace(microsecond=0),
        dtstart=dtstart,
        dtend=dtend,
        summary=content.title,
        description=content.calendar_notes,
        location=content.where,
        url=content.link,
        organizer=organizer,
        host=content.host,
        status=status,
    )


@lru_cache(maxsize=256)  # the guests of a meeting are mailed one after the other
def _without_attendee(shared: _Event) -> tuple[bytes, bytes]:
    """The calendar object, up to where the attendee belongs, and from there."""
    event = Event()
    for name in ("uid", "sequence", "dtstamp", "created", "last_modified", "dtstart", "dtend", "summary"):
        event.add(name.replace("_", "-"), getattr(shared, name))
    for name in ("description", "location", "url", "status"):
        if value := getattr(shared, name):
            event.add(name, value)
    event.add("organizer", _cal_address(shared.organizer, shared.host))
    event.add("transp", "OPAQUE")
    calendar = Calendar()
    calendar.add("prodid", "-//Meetings//Invitations//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", shared.method)
    calendar.add_component(event)
    before, end, after = calendar.to_ical().rpartition(b"END:VEVENT\r\n")
    return before, end + after


def _status(guest: Guest, kind: MailKind) -> str:
    """To a guest who is removed, the meeting itself is not cancelled (RFC 5546 section 3.2.5)."""
    if kind is not MailKind.CANCELLATION:
        return "CONFIRMED"
    return "" if guest.removed else "CANCELLED"


def _times(meeting: MeetingState) -> tuple[date, date]:
    """UTC for timed meetings, which needs no VTIMEZONE; dates with an exclusive end for all-day ones."""
    if not meeting.all_day:
        return meeting.starts_at, meeting.ends_at
    zone = ZoneInfo(meeting.timezone)
    return meeting.starts_at.astimezone(zone).date(), meeting.ends_at.astimezone(zone).date()


def _attendee(guest: Guest, recipient: str) -> vCalAddress:
    attendee = _cal_address(recipient, guest.person.name or recipient)
    attendee.params |= {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": _PARTSTAT[guest.person.rsvp_status],
        "RSVP": "TRUE",
    }
    return attendee


def _cal_address(address: str, name: str | None) -> vCalAddress:
    mailbox = vCalAddress(f"mailto:{address}")
    if named := sanitize_line(name).translate(_NOT_IN_PARAMETERS):
        mailbox.params["CN"] = named
    return mailbox
