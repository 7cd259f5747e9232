"""What mail programs send when their user answers an invitation, proposes a new time, or when a mail comes back.

The shapes are those that the programs are known for (docs/decisions, "What programs reply"); no program's text is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage, Message
from email.utils import format_datetime, make_msgid, parseaddr
from enum import StrEnum
from typing import Any

from icalendar import Calendar, Event


class Program(StrEnum):
    """Whose way of replying it is."""

    GMAIL = "gmail"
    OUTLOOK = "outlook"
    APPLE = "apple"
    THUNDERBIRD = "thunderbird"


class Answer(StrEnum):
    """What the user presses."""

    YES = "ACCEPTED"
    MAYBE = "TENTATIVE"
    NO = "DECLINED"


@dataclass(frozen=True)
class Outgoing:
    """A mail to be handed over: envelope and content."""

    mail_from: str
    recipient: str
    content: bytes


@dataclass(frozen=True)
class _Shape:
    """How a program's replies differ."""

    prodid: str
    answers_sender: bool = False
    """It replies to the From of the mail; the others to ORGANIZER."""
    keeps_organizer: bool = True
    layout: Callable[[EmailMessage, bytes, str], None] = lambda _mail, _calendar, _method: None


def _alternative(mail: EmailMessage, calendar: bytes, method: str) -> None:
    mail.set_content("The answer is in the calendar part.")
    mail.add_alternative(calendar, "text", "calendar", params={"charset": "UTF-8", "method": method})


def _alternative_and_attachment(mail: EmailMessage, calendar: bytes, method: str) -> None:
    _alternative(mail, calendar, method)
    mail.make_mixed()
    mail.add_attachment(calendar, "application", "ics", filename="invite.ics")


def _attachment_only(mail: EmailMessage, calendar: bytes, method: str) -> None:
    mail.set_content("An answer to your invitation.")
    mail.add_attachment(calendar, "text", "calendar", filename="reply.ics", params={"method": method})


SHAPES = {
    Program.GMAIL: _Shape("-//Google Inc//Google Calendar 70.9054//EN", layout=_alternative_and_attachment),
    Program.OUTLOOK: _Shape(
        "Microsoft Exchange Server 2010", answers_sender=True, keeps_organizer=False, layout=_alternative
    ),
    Program.APPLE: _Shape("-//Apple Inc.//macOS 15//EN", layout=_attachment_only),
    Program.THUNDERBIRD: _Shape("-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN", layout=_alternative),
}


def reply(
    invitation: Any,
    program: Program,
    answer: Answer,
    *,
    user: str,
    now: datetime | None = None,
    propose: timedelta | None = None,
) -> Outgoing:
    """The program's reply to an invitation that `user` received; with `propose`, a COUNTER so much later."""
    shape, at = SHAPES[program], (now or datetime.now(UTC)).replace(microsecond=0)
    invited = _event(invitation)
    method = "REPLY" if propose is None else "COUNTER"
    calendar = _calendar(invited, shape, answer, user, at, method, propose)
    organizer = str(invited["ORGANIZER"]).partition(":")[2]
    recipient = parseaddr(str(invitation["From"]))[1] if shape.answers_sender else organizer
    mail = EmailMessage()
    mail["From"], mail["To"] = user, recipient
    mail["Subject"] = f"{answer.name.title()}: {invited.get('SUMMARY', '')}"
    mail["Date"], mail["Message-ID"] = format_datetime(at), make_msgid(domain="mail.example.net")
    mail["In-Reply-To"] = str(invitation["Message-ID"])
    shape.layout(mail, calendar, method)
    return Outgoing(user, recipient, mail.as_bytes())


def bounce(
    invitation: Any, return_path: str, *, status: str = "5.1.1", reason: str = "550 5.1.1 User unknown"
) -> Outgoing:
    """The notification of a server that could not deliver a mail (RFC 3464)."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "MAILER-DAEMON@mail.example.net", return_path
    mail["Subject"], mail["Auto-Submitted"] = "Undelivered mail returned to sender", "auto-replied"
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain="mail.example.net")
    mail["Content-Type"] = "multipart/report; report-type=delivery-status"
    mail.set_payload([_text("Your mail could not be delivered."), _status(status, reason), _headers(invitation)])
    return Outgoing("", return_path, mail.as_bytes())


def _event(invitation: Any) -> Any:
    part = next(one for one in invitation.walk() if one.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(bytes(part.get_payload(decode=True) or b""))
    return next(iter(calendar.walk("VEVENT")))


def _calendar(
    invited: Any,
    shape: _Shape,
    answer: Answer,
    user: str,
    at: datetime,
    method: str,
    propose: timedelta | None,
) -> bytes:
    event = Event()
    for name in ("UID", "SUMMARY", "SEQUENCE"):
        event[name] = invited[name]
    event.add("dtstamp", at)
    for name in ("DTSTART", "DTEND"):
        event.add(name, invited.decoded(name) + (propose or timedelta()))
    if shape.keeps_organizer:
        event["ORGANIZER"] = invited["ORGANIZER"]
    event.add("attendee", f"mailto:{user}", parameters={"PARTSTAT": "TENTATIVE" if propose else str(answer)})
    calendar = Calendar()
    calendar.add("prodid", shape.prodid)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _text(text: str) -> Message:
    part = EmailMessage()
    part.set_content(text)
    return part


def _status(status: str, reason: str) -> Message:
    part = Message()
    part["Content-Type"] = "message/delivery-status"
    whole, recipient = Message(), Message()
    whole["Reporting-MTA"] = "dns; mail.example.net"
    recipient["Action"], recipient["Status"], recipient["Diagnostic-Code"] = "failed", status, f"smtp; {reason}"
    part.set_payload([whole, recipient])
    return part


def _headers(invitation: Any) -> Message:
    part = Message()
    part["Content-Type"] = "text/rfc822-headers"
    part.set_payload(f"Message-ID: {invitation['Message-ID']}\n")
    return part
