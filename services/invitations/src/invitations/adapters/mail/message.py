"""Putting a mail together: headers and parts (MIME RFC 2045 to 2047, iMIP RFC 6047).

The layout is the one that Gmail, Outlook and Apple Mail all take for an invitation: mixed{alternative{plain, html,
calendar}, attachment}. It is always the same, so the bytes are written directly: the standard library's message
classes take four times as long. Untrusted text comes in sanitized to one line, or goes into an encoded body.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from email.charset import BASE64, Charset
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache

_CRLF = "\r\n"
_BASE64 = Charset("utf-8")
_BASE64.header_encoding = BASE64  # otherwise both encodings are tried on every letter
# "=_" occurs neither in quoted-printable nor in base64 text (RFC 2045 section 6.7), so no body can end its part.
_MIXED, _ALTERNATIVE = "=_mixed", "=_alternative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A name, in one line, and an ASCII address."""

    name: str
    address: str

    def __str__(self) -> str:
        return _mailbox(self)


@lru_cache(maxsize=1024)  # the guests of a meeting are mailed one after the other, by the same host
def _mailbox(mailbox: Mailbox) -> str:
    if _is_literal(mailbox.name):
        return formataddr((mailbox.name, mailbox.address))
    return f"{_encoded(mailbox.name)} <{mailbox.address}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a mail is made of."""

    sender: Mailbox
    reply_to: Mailbox | None
    recipient: Mailbox
    subject: str
    message_id: str
    follows: tuple[str, ...]
    """Message-IDs of earlier mails to the same guest, the first and the last."""
    date: datetime
    plain: str
    html: str
    calendar: bytes = b""
    """Empty: the mail has none."""
    method: str = ""


def assemble(parts: Parts) -> bytes:
    """The mail as ASCII bytes with CRLF line ends."""
    readable = (
        _part({"Content-Type": 'text/plain; charset="utf-8"', **_READABLE}, _quoted_printable(parts.plain)),
        _part({"Content-Type": 'text/html; charset="utf-8"', **_READABLE}, _quoted_printable(parts.html)),
    )
    content_type = f'multipart/alternative; boundary="{_ALTERNATIVE}"'
    if not parts.calendar:
        return _part(_headers(parts, content_type), _multipart(_ALTERNATIVE, *readable)).encode("ascii")
    calendar = base64.encodebytes(parts.calendar).replace(b"\n", b"\r\n").decode()
    invitation = _part({"Content-Type": _CALENDAR.format(method=parts.method), **_OPAQUE}, calendar)
    alternative = _part({"Content-Type": content_type}, _multipart(_ALTERNATIVE, *readable, invitation))
    mixed = _multipart(_MIXED, alternative, _part(_ATTACHMENT, calendar))
    return _part(_headers(parts, f'multipart/mixed; boundary="{_MIXED}"'), mixed).encode("ascii")


_READABLE = {"Content-Transfer-Encoding": "quoted-printable"}
_OPAQUE = {"Content-Transfer-Encoding": "base64"}  # calendar programs are strict about line ends, and relays are not
_CALENDAR = 'text/calendar; charset="utf-8"; method={method}; component=VEVENT'
_ATTACHMENT = {
    "Content-Type": 'application/ics; name="invite.ics"',
    "Content-Disposition": 'attachment; filename="invite.ics"',
    **_OPAQUE,
}


def _headers(parts: Parts, content_type: str) -> dict[str, str]:
    follows = list(dict.fromkeys(parts.follows))
    return {
        "From": str(parts.sender),
        **({} if parts.reply_to is None else {"Reply-To": str(parts.reply_to)}),
        "To": str(parts.recipient),
        "Subject": parts.subject if _is_literal(parts.subject) else _encoded(parts.subject),
        "Date": format_datetime(parts.date),
        "Message-ID": parts.message_id,
        **({"In-Reply-To": follows[-1], "References": f"{_CRLF} ".join(follows)} if follows else {}),
        "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation notice comes back
        "MIME-Version": "1.0",
        "Content-Type": content_type,
    }


def _part(headers: dict[str, str], body: str) -> str:
    return f"{_CRLF.join(f'{name}: {value}' for name, value in headers.items())}{_CRLF}{_CRLF}{body}"


def _multipart(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}{_CRLF}{part}{_CRLF}" for part in parts) + f"--{boundary}--{_CRLF}"


def _quoted_printable(text: str) -> str:
    return binascii.b2a_qp("\r\n".join(text.splitlines()).encode()).decode()


def _is_literal(text: str) -> bool:
    """Whether a header may hold the text as it is: readers would decode what looks like an encoded word."""
    return text.isascii() and "=?" not in text


def _encoded(text: str) -> str:
    """The text as encoded words (RFC 2047) on lines that are short enough."""
    return Header(text, _BASE64, header_name="Reply-To").encode(linesep=_CRLF)
