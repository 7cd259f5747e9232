"""Times on the wire, and the schedule of a meeting: local wall time in a zone, and the instants it means."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
MAX_DURATION = timedelta(days=366)


def _parse_local(value: Any) -> datetime:
    if isinstance(value, datetime):
        parsed = value
    elif isinstance(value, str) and _LOCAL.fullmatch(value):
        parsed = datetime.fromisoformat(value)
    else:
        raise ValueError("must be a local date-time like 2026-06-15T15:00:00, without offset or Z")
    if parsed.tzinfo is not None:
        raise ValueError("must be a local date-time without offset")
    if not _FIRST_YEAR <= parsed.year <= _LAST_YEAR:
        raise ValueError(f"the year must be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return parsed


def parse_instant(value: Any) -> datetime:
    """An ISO 8601 date-time with an offset or ``Z``, or an aware ``datetime``, as UTC.

    Raises:
        ValueError: it is neither.
    """
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(parsed, datetime) or parsed.tzinfo is None:
        raise ValueError("must be an instant with an offset or Z")
    try:
        return parsed.astimezone(UTC)
    except OverflowError as error:  # its offset carries it out of the years 1 to 9999
        raise ValueError("must be an instant of the years 1 to 9999") from error


def format_instant(value: datetime) -> str:
    """An aware date-time as UTC with milliseconds, ``2026-06-15T10:30:00.123Z``."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(value: Any) -> str:
    if not isinstance(value, str) or value not in _zone_names():
        raise ValueError("must be an IANA time zone like America/Santiago")
    return value


LocalDateTime = Annotated[
    datetime,
    BeforeValidator(_parse_local),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_LOCAL.pattern}$", "examples": ["2026-06-15T15:00:00"]}),
]
"""A naive wall-clock time; it means an instant only together with a time zone."""

Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-06-15T10:30:00.123Z"]}),
]
"""An aware UTC time, written with milliseconds and ``Z``."""

TimeZoneName = Annotated[
    str, BeforeValidator(_known_zone), WithJsonSchema({"type": "string", "examples": ["America/Santiago"]})
]
"""A name of the IANA time zone database."""


def utc_now() -> datetime:
    """The current instant, cut to milliseconds: what MongoDB and the wire keep."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def to_instant(local: datetime, zone: str) -> datetime:
    """The UTC instant of a wall-clock time in an IANA zone.

    A time in a gap takes the offset before the gap, an ambiguous one its first occurrence (RFC 5545 section 3.3.5);
    both are what ``fold=0`` means (PEP 495).
    """
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a meeting is: wall-clock ``start`` and ``end`` in the IANA zone ``zone``, as the caller gave them."""

    start: datetime
    end: datetime
    zone: str
    all_day: bool = False

    @property
    def starts_at(self) -> datetime:
        """The UTC instant it begins; an all-day meeting begins at 00:00 of its first day."""
        return to_instant(_midnight(self.start) if self.all_day else self.start, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The UTC instant it ends; an all-day meeting ends at the first midnight at or after its end."""
        if not self.all_day:
            return to_instant(self.end, self.zone)
        midnight = _midnight(self.end)
        return to_instant(midnight if midnight == self.end else midnight + timedelta(days=1), self.zone)

    @property
    def duration(self) -> timedelta:
        """The real time that passes, also across a change of daylight saving time."""
        return self.ends_at - self.starts_at

    def checked(self) -> Self:
        """This schedule, if it can be held.

        Raises:
            ValueError: the end is not after the start as instants, or the meeting is longer than 366 days.
        """
        if to_instant(self.end, self.zone) <= to_instant(self.start, self.zone):
            raise ValueError("must be after startDateTime")
        if self.duration > MAX_DURATION:
            raise ValueError(f"must be at most {MAX_DURATION.days} days after startDateTime")
        return self


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0)
