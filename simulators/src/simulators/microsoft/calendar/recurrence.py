"""Series: from Graph's ``patternedRecurrence`` to original dates and occurrences.

Source: https://learn.microsoft.com/graph/api/resources/recurrencepattern and .../recurrencerange.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from dateutil import rrule

from simulators.microsoft.calendar import zones
from simulators.microsoft.graph.errors import invalid_request
from simulators.microsoft.state.records import Timing

JsonObject = dict[str, Any]

_DAYS = {"sunday": rrule.SU, "monday": rrule.MO, "tuesday": rrule.TU, "wednesday": rrule.WE, "thursday": rrule.TH,
         "friday": rrule.FR, "saturday": rrule.SA}  # fmt: skip
_POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_PATTERNS = frozenset({"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"})
_HORIZON = 366 * 10
"""Days after which an endless series is not looked at any more."""


@dataclass(frozen=True)
class Occurrence:
    """One happening of an event, as instants (UTC) and as wall times in the zone of the series.

    ``date`` is the original date of an occurrence of a series, None for a single event.
    """

    date: str | None
    start: datetime
    end: datetime
    wall_start: datetime
    wall_end: datetime
    changed: bool = False
    properties: JsonObject = field(default_factory=dict)


def checked(recurrence: JsonObject | None, start: datetime, zone_name: str) -> JsonObject | None:
    """The recurrence with every field Graph returns. Raises GraphError (400) when it describes no series."""
    if recurrence is None:
        return None
    pattern, span = recurrence.get("pattern"), recurrence.get("range")
    if not isinstance(pattern, dict) or not isinstance(span, dict):
        raise invalid_request("The recurrence pattern and range must be given.")
    if pattern.get("type") not in _PATTERNS or span.get("type") not in ("endDate", "noEnd", "numbered"):
        raise invalid_request("The recurrence pattern or range has an unknown type.")
    first = str(span.get("startDate") or start.date())
    whole = {
        "pattern": {
            "type": pattern["type"],
            "interval": pattern.get("interval", 1),
            "month": pattern.get("month", 0) or 0,
            "dayOfMonth": pattern.get("dayOfMonth", 0) or 0,
            "daysOfWeek": [str(day).lower() for day in pattern.get("daysOfWeek") or []],
            "firstDayOfWeek": str(pattern.get("firstDayOfWeek") or "sunday").lower(),
            "index": str(pattern.get("index") or "first").lower(),
        },
        "range": {
            "type": span["type"],
            "startDate": first,
            "endDate": str(span.get("endDate") or "0001-01-01"),
            "recurrenceTimeZone": zones.windows_name(zones.known(str(span.get("recurrenceTimeZone") or zone_name))),
            "numberOfOccurrences": span.get("numberOfOccurrences", 0) or 0,
        },
    }
    try:
        possible = next(_dates(whole, date.fromisoformat(first) + timedelta(days=_HORIZON)), None) is not None
    except (KeyError, TypeError, ValueError):
        possible = False
    if not possible:
        raise invalid_request("The recurrence pattern is invalid: it has no occurrence.")
    return whole


def occurrences(timing: Timing, since: datetime, until: datetime) -> Iterator[Occurrence]:
    """What of an event overlaps the half-open window of instants, in order of original dates."""
    for occurrence in _all(timing, until):
        if occurrence.start < until and (occurrence.end > since or occurrence.start == occurrence.end >= since):
            yield occurrence


def occurrence_on(timing: Timing, day: str) -> Occurrence | None:
    """The occurrence of a series with this original date, unless there is none or it was deleted."""
    try:
        until = datetime.combine(date.fromisoformat(day) + timedelta(days=2), time())
    except ValueError:
        return None
    return next((found for found in _all(timing, until.replace(tzinfo=zones.zone("UTC"))) if found.date == day), None)


def _all(timing: Timing, until: datetime) -> Iterator[Occurrence]:
    if timing.recurrence is None:
        yield _single(timing, None, timing.start, timing.end)
        return
    length = timing.end - timing.start
    # changed occurrences may lie before their date, hence a week more than asked for
    for day in _dates(timing.recurrence, until.date() + timedelta(days=7)):
        key = day.isoformat()
        if key in timing.cancelled:
            continue
        start = datetime.combine(day, timing.start.time())
        yield _single(timing, key, start, start + length)


def _single(timing: Timing, key: str | None, start: datetime, end: datetime) -> Occurrence:
    changed = timing.changed.get(key) if key else None
    if changed is not None:
        start, end = changed.start, changed.end
    return Occurrence(
        date=key,
        start=zones.instant(start, timing.start_zone),
        end=zones.instant(end, timing.end_zone),
        wall_start=start,
        wall_end=end,
        changed=changed is not None,
        properties=changed.properties if changed is not None else {},
    )


def _dates(recurrence: JsonObject, last: date) -> Iterator[date]:
    """Original dates up to ``last``. A month too short for the day of an absolute pattern takes its last day."""
    pattern, span = recurrence["pattern"], recurrence["range"]
    first = datetime.fromisoformat(span["startDate"])
    until = datetime.combine(min(last, first.date() + timedelta(days=_HORIZON)), time())
    if span["type"] == "endDate":
        until = min(until, datetime.fromisoformat(span["endDate"]))
    rule = _rule(pattern) | {"dtstart": first}
    rule |= {"count": int(span["numberOfOccurrences"])} if span["type"] == "numbered" else {"until": until}
    for moment in rrule.rrule(**rule):
        if moment > until:
            return
        yield moment.date()


def _rule(pattern: JsonObject) -> JsonObject:
    """The pattern as a rule of RFC 5545. Raises KeyError, TypeError or ValueError when it makes no sense."""
    kind, weekdays, interval = pattern["type"], [_DAYS[day] for day in pattern["daysOfWeek"]], int(pattern["interval"])
    if interval < 1:
        raise ValueError("interval")
    rule: JsonObject = {"interval": interval, "wkst": _DAYS[pattern["firstDayOfWeek"]]}
    if kind == "daily":
        return rule | {"freq": rrule.DAILY}
    if kind == "weekly":
        return rule | {"freq": rrule.WEEKLY, "byweekday": weekdays or None}
    rule |= {"freq": rrule.MONTHLY} if kind.endswith("Monthly") else {"freq": rrule.YEARLY, "bymonth": _month(pattern)}
    if kind.startswith("relative"):
        return rule | {"byweekday": weekdays, "bysetpos": _POSITIONS[pattern["index"]]}
    day = int(pattern["dayOfMonth"])
    if not 1 <= day <= 31:
        raise ValueError("dayOfMonth")
    return rule | {"bymonthday": list(range(min(day, 28), day + 1)), "bysetpos": -1}


def _month(pattern: JsonObject) -> int:
    month = int(pattern["month"])
    if not 1 <= month <= 12:
        raise ValueError("month")
    return month
