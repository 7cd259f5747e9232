"""What a mail that came in says, as far as it matters here. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.values.enums import DeliveryFailureCode


class ReplyMethod(StrEnum):
    """The iTIP methods that guests send (RFC 5546 section 3.2)."""

    REPLY = "REPLY"
    COUNTER = "COUNTER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendee:
    """One ATTENDEE line of a reply."""

    address: str
    partstat: str
    """In upper case; empty: not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarReply:
    """The calendar part of a reply."""

    method: ReplyMethod
    uid: str
    sequence: int | None
    dtstamp: datetime | None
    """UTC."""
    attendees: tuple[Attendee, ...]
    starts_at: datetime | None = None
    """UTC, of a COUNTER."""
    ends_at: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """A failure that a delivery status notification reports (RFC 3464). Delays and successes are no failures."""

    code: DeliveryFailureCode
    reason: str
    """One line, without addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A mail that came in."""

    sender: str
    """The address in From, empty when there is none or more than one."""
    is_automatic: bool
    """A program made it: by itself (RFC 3834), a bounce, or anything with a calendar part."""
    reply: CalendarReply | None = None
    report: DeliveryReport | None = None
    authentication_results: tuple[str, ...] = field(default=())
    """The header fields of this name, the newest first (RFC 8601)."""
