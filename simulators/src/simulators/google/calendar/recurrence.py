"""Series: the occurrences that recurrence lines make (RFC 5545, section 3.8.5) and the ids of instances."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

from simulators.google.calendar.errors import invalid
from simulators.google.calendar.times import instant, shifted, text
from simulators.google.state import Json

MAX_OCCURRENCES = 5_000
_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)[;:].+", re.ASCII)
_INSTANCE = re.compile(r"(?P<series>[a-v0-9_A-Z]+)_(?P<start>\d{8}(T\d{6}Z)?)")


def check_lines(lines: list[str], start: Json) -> None:
    """Raises ApiError 400 unless the lines are RRULE, EXRULE, RDATE or EXDATE lines that can be read."""
    if not all(_LINE.fullmatch(line) for line in lines):
        raise invalid("Invalid recurrence rule.")
    try:
        next(iter(_rules(lines, start)), None)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError):
        raise invalid("Invalid recurrence rule.") from None


def occurrences(master: Json, after: datetime, before: datetime, calendar_zone: str) -> Iterator[Json]:
    """Start times (stored form) of a series' occurrences that end after ``after`` and start before ``before``.

    Wall-clock times repeat in the zone of the series' start, so an occurrence keeps its local hour over a DST change;
    all-day occurrences begin and end at midnight in ``calendar_zone``.
    """
    length = duration(master)
    for moment in islice(iter(_rules(master["recurrence"], master["start"])), MAX_OCCURRENCES):
        start = _as_stored(moment, master["start"])
        if instant(start, calendar_zone) >= before:
            return
        if instant(shifted(start, length), calendar_zone) > after:
            yield start


def duration(resource: Json) -> timedelta:
    """From start to end: real time for date-times, whole days for dates."""
    return instant(resource["end"], "UTC") - instant(resource["start"], "UTC")


def instance_of(master: Json, start: Json) -> Json:
    """The resource of one occurrence that nobody changed."""
    inherited = {key: value for key, value in master.items() if key != "recurrence"}
    return inherited | {
        "id": instance_id(master["id"], start),
        "recurringEventId": master["id"],
        "originalStartTime": start,
        "start": start,
        "end": shifted(start, duration(master)),
    }


def instance_id(series_id: str, start: Json) -> str:
    """``<series>_20260615`` for dates, ``<series>_20260615T190000Z`` for date-times."""
    return f"{series_id}_{(start.get('date') or start['dateTime']).replace('-', '').replace(':', '')}"


def split_instance_id(event_id: str) -> tuple[str, str] | None:
    """Series id and start text of an instance's id; None when the id has another form."""
    match = _INSTANCE.fullmatch(event_id)
    return (match["series"], match["start"]) if match else None


def original_start(event_id: str, master: Json) -> Json:
    """The original start of an instance, read back from its id."""
    start = event_id.rsplit("_", 1)[1]
    if "T" not in start:
        return {"date": date(int(start[:4]), int(start[4:6]), int(start[6:8])).isoformat()}
    moment = datetime.strptime(start, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return {"dateTime": text(moment), "timeZone": master["start"].get("timeZone", "UTC")}


def _rules(lines: list[str], start: Json) -> rrule | rruleset:
    if "date" in start:
        first = datetime.combine(date.fromisoformat(start["date"]), time())
    else:
        first = datetime.fromisoformat(start["dateTime"]).astimezone(ZoneInfo(start["timeZone"]))
    return rrulestr("\n".join(lines), dtstart=first, forceset=True, tzids=ZoneInfo)


def _as_stored(moment: datetime, start: Json) -> Json:
    if "date" in start:
        return {"date": moment.date().isoformat()}
    return {"dateTime": text(moment.astimezone(UTC)), "timeZone": start["timeZone"]}
