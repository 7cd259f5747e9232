"""Mails as their readers see them: decoded parts, and a calendar program that keeps what its invitations say."""

import email.policy
import html
from dataclasses import dataclass, field
from datetime import date, datetime
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, cast

from icalendar import Calendar, Event


@dataclass(frozen=True)
class ReadMail:
    """One mail, decoded by the standard library and icalendar."""

    message: EmailMessage

    @classmethod
    def of(cls, content: bytes) -> "ReadMail":
        return cls(cast("EmailMessage", message_from_bytes(content, policy=email.policy.default)))

    def header(self, name: str) -> str:
        """The only value of a header that there must be once."""
        values = self.message.get_all(name, [])
        assert len(values) == 1, (name, values)
        return str(values[0])

    def part(self, content_type: str) -> EmailMessage:
        """The only part of this type."""
        [found] = [part for part in self.message.walk() if part.get_content_type() == content_type]
        return found

    def text(self, content_type: str) -> str:
        return str(self.part(content_type).get_content())

    def everything(self) -> str:
        """All that it says: headers, and the parts, decoded and with their lines and entities put together."""
        headers = [f"{name}: {value}" for name, value in self.message.items()]
        parts = [
            bytes(part.get_payload(decode=True)).decode() for part in self.message.walk() if not part.is_multipart()
        ]
        types = [f"{part.get_content_type()} {part.get_filename()}" for part in self.message.walk()]
        return html.unescape("\n".join([*headers, *types, *parts]).replace("\r\n ", ""))

    @property
    def calendar(self) -> bytes:
        return bytes(self.part("text/calendar").get_payload(decode=True))

    @property
    def event(self) -> Event:
        return event_of(self.calendar)


def event_of(calendar: bytes) -> Event:
    """The one event of a calendar object."""
    [event] = Calendar.from_ical(calendar).walk("VEVENT")
    return cast("Event", event)


@dataclass
class Entry:
    """What a calendar program shows of one event, and how recent that is."""

    revision: tuple[int, datetime]
    shown: dict[str, Any] | None
    """None: taken off the calendar."""


@dataclass
class CalendarProgram:
    """Applies iTIP messages as RFC 5546 section 2.1.5 says: the higher SEQUENCE wins, then the newer DTSTAMP."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def receive(self, calendar: bytes) -> None:
        parsed = Calendar.from_ical(calendar)
        event = event_of(calendar)
        uid, revision = str(event["UID"]), (int(event["SEQUENCE"]), event["DTSTAMP"].dt)
        known = self.entries.get(uid)
        if known is None or revision > known.revision:
            shown = None if parsed["METHOD"] == "CANCEL" else _shown(event)
            self.entries[uid] = Entry(revision, shown)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Every event on the calendar."""
        return [entry.shown for entry in self.entries.values() if entry.shown is not None]


def _shown(event: Event) -> dict[str, Any]:
    start: date = event["DTSTART"].dt
    return {
        "title": str(event["SUMMARY"]),
        "start": start,
        "end": event["DTEND"].dt,
        "where": str(event.get("LOCATION", "")),
        "answer": str(event["ATTENDEE"].params["PARTSTAT"]),
    }
