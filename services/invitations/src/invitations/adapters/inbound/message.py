"""Reading a mail that came in (MIME, RFC 2045 to 2047), whatever a stranger has made of it.

Work is bounded before it begins: by the size of the mail, the number of its boundaries, and the number of its parts.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses
from itertools import islice

from invitations.adapters.inbound.dsn import read_report
from invitations.adapters.inbound.itip import read_reply
from invitations.domain.inbound import InboundMessage

_BOUNDARY = re.compile(rb"boundary", re.IGNORECASE)
_MAX_BOUNDARIES = 40
_MAX_PARTS = 60
_MAX_HEADER_FIELDS = 20
_CALENDARS = ("text/calendar", "application/ics")


class UnreadableMessageError(ValueError):
    """The mail is not one that can be read within bounds."""


def read_message(content: bytes) -> InboundMessage:
    """What a mail says.

    Raises:
        UnreadableMessageError: it is nested, or broken, beyond what mail programs write.
    """
    if sum(1 for _ in islice(_BOUNDARY.finditer(content), _MAX_BOUNDARIES + 1)) > _MAX_BOUNDARIES:
        raise UnreadableMessageError
    try:
        message = message_from_bytes(content, policy=policy.compat32)
        parts = list(islice(message.walk(), _MAX_PARTS))
        return _read(message, parts)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableMessageError from error


def _read(message: Message, parts: list[Message]) -> InboundMessage:
    reports = (read_report(part) for part in parts if part.get_content_type() == "message/delivery-status")
    is_report = message.get_content_type() == "multipart/report"
    calendars = list(_calendars(parts))
    return InboundMessage(
        sender=_sender(message),
        is_automatic=is_report or bool(calendars) or str(message.get("Auto-Submitted", "no")).strip().lower() != "no",
        reply=next(filter(None, map(read_reply, calendars)), None),
        report=next(filter(None, reports), None),
        authentication_results=tuple(map(str, message.get_all("Authentication-Results", [])[:_MAX_HEADER_FIELDS])),
    )


def _calendars(parts: list[Message]) -> Iterator[bytes]:
    """The calendar parts, by their type or by the name of an attachment; those inside returned mails aside."""
    returned = {id(inner) for part in parts if part.get_content_maintype() == "message" for inner in part.walk()}
    for part in parts:
        is_calendar = part.get_content_type() in _CALENDARS or str(part.get_filename() or "").lower().endswith(".ics")
        if is_calendar and id(part) not in returned and isinstance(content := part.get_payload(decode=True), bytes):
            yield content


def _sender(message: Message) -> str:
    fields = message.get_all("From", [])
    addresses = [address for _, address in getaddresses(list(map(str, fields)))] if len(fields) == 1 else []
    return addresses[0] if len(addresses) == 1 else ""
