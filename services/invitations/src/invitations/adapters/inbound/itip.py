"""Reading the calendar part of a reply (iTIP, RFC 5546). It was written by a stranger's program."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from contracts.values.text import sanitize_text
from icalendar import Calendar, Component

from invitations.domain.inbound import Attendee, CalendarReply, ReplyMethod

_MAX_BYTES = 128 * 1024
_MAX_ATTENDEES = 20
_MAX_COMMENT = 1_000
_MAX_SEQUENCE = 2**31
_GLOBAL_OBJECT_ID = "040000008200E00074C5B7101A82E008"
_FOREIGN_UID = b"vCal-Uid\x01\0\0\0"


def read_reply(content: bytes) -> CalendarReply | None:
    """The reply in a calendar part; None when it is none, or cannot be read."""
    if len(content) > _MAX_BYTES:
        return None
    try:
        calendar = Calendar.from_ical(content)
        method = ReplyMethod(str(calendar.get("METHOD", "")).strip().upper())
        event = next(iter(calendar.walk("VEVENT")))
        return _reply(method, event)
    except Exception:
        return None


def _reply(method: ReplyMethod, event: Component) -> CalendarReply | None:
    uid = _uid(str(event.get("UID", "")).strip())
    if not uid or "RECURRENCE-ID" in event:
        return None
    starts_at, ends_at = _times(event) if method is ReplyMethod.COUNTER else (None, None)
    return CalendarReply(
        method=method,
        uid=uid,
        sequence=_sequence(event.get("SEQUENCE")),
        dtstamp=_instant(event.get("DTSTAMP")),
        attendees=tuple(_attendees(event)),
        starts_at=starts_at,
        ends_at=ends_at,
        comment=sanitize_text(str(_first(event.get("COMMENT")) or ""), max_length=_MAX_COMMENT),
    )


def _uid(text: str) -> str:
    """The UID as it was sent out, where Exchange wrapped it in a GlobalObjectId ([MS-OXOCAL] section 2.2.1.27)."""
    if not text.upper().startswith(_GLOBAL_OBJECT_ID):
        return text
    wrapped = bytes.fromhex(text).partition(_FOREIGN_UID)[2]
    return wrapped.rstrip(b"\0").decode("ascii") or text


def _attendees(event: Component) -> Iterable[Attendee]:
    found = event.get("ATTENDEE", [])
    for one in (found if isinstance(found, list) else [found])[:_MAX_ATTENDEES]:
        scheme, _, address = str(one).strip().partition(":")
        if scheme.lower() == "mailto":
            partstat = str(getattr(one, "params", {}).get("PARTSTAT", ""))
            yield Attendee(address=address.strip(), partstat=partstat.strip().upper())


def _sequence(value: Any) -> int | None:
    number = _first(value)
    return number if isinstance(number, int) and 0 <= number < _MAX_SEQUENCE else None


def _times(event: Component) -> tuple[datetime | None, datetime | None]:
    """The proposed time. Without an end, DURATION says it; else there is none to propose."""
    starts_at, ends_at = _instant(event.get("DTSTART")), _instant(event.get("DTEND"))
    duration = getattr(event.get("DURATION"), "dt", None)
    if ends_at is None and starts_at is not None and isinstance(duration, timedelta):
        ends_at = starts_at + duration
    is_whole = starts_at is not None and ends_at is not None and ends_at > starts_at
    return (starts_at, ends_at) if is_whole else (None, None)


def _instant(value: Any) -> datetime | None:
    """The instant in UTC; a time without a zone is read as UTC."""
    found = getattr(_first(value), "dt", None)
    if isinstance(found, datetime):
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return datetime.combine(found, time(), UTC) if isinstance(found, date) else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
