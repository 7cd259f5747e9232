"""Event times: dates, date-times and zones, as EventDateTime has them.

Stored form: ``{"date": "2026-06-15"}`` or ``{"dateTime": "2026-06-15T19:00:00Z", "timeZone": "America/Santiago"}``,
always UTC. Shown form: the same instant in the viewer's zone, with that zone's offset.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from simulators.google.calendar.errors import ApiError, invalid, required, time_range_empty
from simulators.google.state import Json

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UNKNOWN = frozenset({"America/Coyhaique"})
"""Names that are new at IANA (2025b), and refused by Google (seen 2026-11)."""
_ZONES = frozenset(available_timezones()) - _UNKNOWN


def zone(name: object, what: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ApiError 400 for anything else; ``what`` names it in the message."""
    if not isinstance(name, str) or name not in _ZONES:
        raise invalid(f"Invalid time zone definition for {what}.")
    return ZoneInfo(name)


def rfc3339(text: str, *, location: str | None = None) -> datetime:
    """An instant from RFC 3339 text with an offset, in UTC. Raises ApiError 400."""
    moment = _parse(text)
    if moment is None or moment.tzinfo is None:
        raise ApiError(400, "badRequest", "Bad Request", location=location)
    return moment.astimezone(UTC)


def stored(value: Json, what: str, calendar_zone: str) -> Json:
    """A start or end as given by a client, in stored form. Raises ApiError 400 when it is no valid EventDateTime."""
    has_date, has_time = value.get("date") is not None, value.get("dateTime") is not None
    if has_date and has_time:
        raise invalid(f"Invalid {what} time: date and dateTime exclude each other.")
    if has_date:
        if not isinstance(value["date"], str) or not _DATE.fullmatch(value["date"]):
            raise invalid(f"Invalid {what} time.")
        try:
            return {"date": date.fromisoformat(value["date"]).isoformat()}
        except ValueError:
            raise invalid(f"Invalid {what} time.") from None
    if not has_time:
        raise required(f"Missing {what} time.")
    moment = _parse(value["dateTime"])
    if moment is None:
        raise invalid(f"Invalid {what} time.")
    named = value.get("timeZone")
    place = zone(named, f"{what} time") if named is not None else None
    if moment.tzinfo is None:
        if place is None:
            raise required(f"Missing time zone definition for {what} time.")
        moment = moment.replace(tzinfo=place)
    return {"dateTime": text(moment.astimezone(UTC)), "timeZone": named or calendar_zone}


def check_range(start: Json, end: Json) -> None:
    """Raises ApiError 400 unless both ends are of one kind and the end lies after the start."""
    if ("date" in start) != ("date" in end):
        raise invalid("The start and end times must either both be dates or both be dateTimes.")
    if instant(end, "UTC") <= instant(start, "UTC"):
        raise time_range_empty()


def instant(value: Json, calendar_zone: str) -> datetime:
    """When a stored time is, in UTC; a date is its midnight in the calendar's zone."""
    if "date" in value:
        midnight = datetime.combine(date.fromisoformat(value["date"]), time(), ZoneInfo(calendar_zone))
        return midnight.astimezone(UTC)
    return datetime.fromisoformat(value["dateTime"])


def shown(value: Json, viewer_zone: str) -> Json:
    """A stored time as the API shows it to somebody in ``viewer_zone``."""
    if "date" in value:
        return value
    return value | {"dateTime": text(datetime.fromisoformat(value["dateTime"]).astimezone(ZoneInfo(viewer_zone)))}


def text(moment: datetime) -> str:
    """RFC 3339 with whole seconds."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def text_ms(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as ``created`` and ``updated`` have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shifted(value: Json, by: timedelta) -> Json:
    """A stored time moved by whole days (dates) or by any duration (date-times)."""
    if "date" in value:
        return {"date": (date.fromisoformat(value["date"]) + by).isoformat()}
    return value | {"dateTime": text(datetime.fromisoformat(value["dateTime"]) + by)}


def _parse(text: object) -> datetime | None:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).replace(microsecond=0)
    except ValueError:
        return None
