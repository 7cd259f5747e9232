"""The calendar part of a mail: one iTIP message about one event for one guest.

Sources: iCalendar RFC 5545, iTIP RFC 5546 (section 3.2.2 REQUEST, 3.2.5 CANCEL).
"""

from zoneinfo import ZoneInfo

from contracts.enums import MailKind, RsvpStatus
from icalendar import Calendar, Event, vCalAddress

from invitations.adapters.mail.wording import Wording
from invitations.domain.guest import Guest
from invitations.domain.text import one_line

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


def calendar_of(guest: Guest, kind: MailKind, wording: Wording, *, organizer: str, recipient: str, uid: str) -> bytes:
    """The calendar object, as UTF-8 with CRLF.

    ``organizer`` is our own address, since receivers distrust an organizer who is not the sender (RFC 6047 section 3);
    the host is its name. The guest is the only attendee, so that guests do not learn of each other. DTSTAMP is when the
    mail was asked for, so that sending it again changes nothing.
    """
    meeting = guest.meeting
    event = Event()
    event.add("uid", uid)
    event.add("sequence", meeting.ical_sequence)
    event.add("dtstamp", guest.asked_at.replace(microsecond=0))
    event.add("created", meeting.created_at.replace(microsecond=0))
    event.add("last-modified", meeting.updated_at.replace(microsecond=0))
    _add_times(event, guest)
    event.add("summary", wording.title)
    for name, text in (("description", wording.calendar_notes), ("location", wording.where), ("url", wording.link)):
        if text:
            event.add(name, text)
    event.add("organizer", _party(organizer, wording.host))
    event.add("attendee", _attendee(guest, recipient))
    event.add("transp", "OPAQUE")
    if kind is not MailKind.CANCELLATION:
        event.add("status", "CONFIRMED")
    elif not guest.removed:  # to a guest who is removed, the meeting itself is not cancelled
        event.add("status", "CANCELLED")
    calendar = Calendar()
    calendar.add("prodid", "-//Meetings//Invitations//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method_of(kind))
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _add_times(event: Event, guest: Guest) -> None:
    """UTC for timed meetings, which needs no VTIMEZONE; dates with an exclusive end for all-day ones."""
    meeting = guest.meeting
    if not meeting.all_day:
        event.add("dtstart", meeting.starts_at)
        event.add("dtend", meeting.ends_at)
        return
    zone = ZoneInfo(meeting.timezone)
    event.add("dtstart", meeting.starts_at.astimezone(zone).date())
    event.add("dtend", meeting.ends_at.astimezone(zone).date())


def _attendee(guest: Guest, recipient: str) -> vCalAddress:
    attendee = _party(recipient, guest.person.name or recipient)
    attendee.params |= {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": _PARTSTAT[guest.person.rsvp_status],
        "RSVP": "TRUE",
    }
    return attendee


def _party(address: str, name: str | None) -> vCalAddress:
    party = vCalAddress(f"mailto:{address}")
    if named := one_line(name).translate(_NOT_IN_PARAMETERS):
        party.params["CN"] = named
    return party
