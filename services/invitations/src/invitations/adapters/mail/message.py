"""Putting a mail together: headers and parts (MIME RFC 2045, iMIP RFC 6047).

The layout is the one that Gmail, Outlook and Apple Mail all take for an invitation: mixed{alternative{plain, html,
calendar}, attachment}. The compat32 policy is used because the newer one takes five times as long; the values that
strangers may have written come in as ``one_line`` text, and the library refuses a header that would end early.
"""

from dataclasses import dataclass
from datetime import datetime
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr

_POLICY = compat32.clone(linesep="\r\n")
_READABLE = Charset("utf-8")
_READABLE.body_encoding = QP
_OPAQUE = Charset("utf-8")
_OPAQUE.body_encoding = BASE64  # calendar programs are strict about line ends, and relays are not


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A name and an ASCII address."""

    name: str
    address: str

    def __str__(self) -> str:
        return formataddr((self.name, self.address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a mail is made of."""

    sender: Party
    reply_to: Party | None
    recipient: Party
    subject: str
    message_id: str
    follows: tuple[str, ...]
    """Message-IDs of earlier mails to the same guest, the first and the last."""
    date: datetime
    plain: str
    html: str
    calendar: bytes
    method: str


def assemble(parts: Parts) -> bytes:
    """The mail as bytes with CRLF line ends.

    Raises:
        email.errors.HeaderParseError: a header's value would have ended the header.
    """
    alternative = MIMEMultipart("alternative")
    alternative.attach(MIMEText(parts.plain, "plain", _READABLE))  # type: ignore[arg-type] # a Charset is taken too
    alternative.attach(MIMEText(parts.html, "html", _READABLE))  # type: ignore[arg-type]
    calendar = MIMEText(parts.calendar.decode(), "calendar", _OPAQUE)  # type: ignore[arg-type]
    calendar.set_param("method", parts.method)
    calendar.set_param("component", "VEVENT")
    alternative.attach(calendar)
    attachment = MIMEApplication(parts.calendar, "ics", name="invite.ics")
    attachment.add_header("Content-Disposition", "attachment", filename="invite.ics")
    mail = MIMEMultipart("mixed")
    mail["From"] = str(parts.sender)
    if parts.reply_to is not None:
        mail["Reply-To"] = str(parts.reply_to)
    mail["To"] = str(parts.recipient)
    charset = None if parts.subject.isascii() else "utf-8"
    mail["Subject"] = Header(parts.subject, charset, header_name="Subject").encode()
    mail["Date"] = format_datetime(parts.date)
    mail["Message-ID"] = parts.message_id
    if parts.follows:
        mail["In-Reply-To"] = parts.follows[-1]
        mail["References"] = " ".join(dict.fromkeys(parts.follows))
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice comes back
    mail.attach(alternative)
    mail.attach(attachment)
    return mail.as_bytes(policy=_POLICY)
