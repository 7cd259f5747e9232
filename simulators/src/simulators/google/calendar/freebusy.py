"""freeBusy.query: when calendars are busy, and nothing more about them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from simulators.google.calendar.access import role
from simulators.google.calendar.errors import invalid, required, time_range_empty
from simulators.google.calendar.query import Query
from simulators.google.calendar.times import instant, rfc3339, text, zone
from simulators.google.state import Account, Calendar, Json
from simulators.google.world import World

MAX_CALENDARS = 50
_FREE_TYPES = ("workingLocation", "birthday")


def query(world: World, account: Account, body: Json) -> Json:
    """Busy times per calendar. A calendar that cannot be read has ``errors`` of its own, inside the 200.

    Raises ApiError 400 for a missing or empty time range and for limits above Google's.
    """
    for name in ("timeMin", "timeMax"):
        if not body.get(name):
            raise required(f"Missing {name} parameter.")
    low, high = rfc3339(body["timeMin"], location="timeMin"), rfc3339(body["timeMax"], location="timeMax")
    if high <= low:
        raise time_range_empty()
    most = body.get("calendarExpansionMax", MAX_CALENDARS)
    if not 0 < most <= MAX_CALENDARS:
        raise invalid("Invalid value for calendarExpansionMax.", location="calendarExpansionMax")
    shown_in = zone(body.get("timeZone") or "UTC", "timeZone")
    asked = [str(item.get("id", "")) for item in body.get("items", [])]
    calendars = {}
    for calendar_id in asked:
        if len(asked) > most:
            calendars[calendar_id] = _failed("tooManyCalendarsRequested")
        elif world.faults.draw("freebusy_error", account=account.email, operation=calendar_id):
            calendars[calendar_id] = _failed("internalError")
        else:
            calendars[calendar_id] = _calendar(world, account, calendar_id, low, high, shown_in)
    return {"kind": "calendar#freeBusy", "timeMin": text(low), "timeMax": text(high), "calendars": calendars}


def _failed(reason: str) -> Json:
    return {"errors": [{"domain": "global", "reason": reason}], "busy": []}


def _calendar(
    world: World, account: Account, calendar_id: str, low: datetime, high: datetime, shown_in: ZoneInfo
) -> Json:
    calendar = world.state.calendars.get(account.email if calendar_id == "primary" else calendar_id)
    if calendar is None or role(calendar, account.email) is None:
        return _failed("notFound")
    periods = [
        (max(instant(event["start"], calendar.time_zone), low), min(instant(event["end"], calendar.time_zone), high))
        for event in (found.resource for found in Query(world, calendar, {"singleEvents": True}, None, low, high).run())
        if _blocks(event, calendar)
    ]
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return {
        "busy": [
            {"start": text(start.astimezone(shown_in)), "end": text(end.astimezone(shown_in))} for start, end in merged
        ]
    }


def _blocks(event: Json, calendar: Calendar) -> bool:
    if event.get("transparency") == "transparent" or event["eventType"] in _FREE_TYPES:
        return False
    return not any(
        guest["email"] == calendar.owner and guest["responseStatus"] == "declined"
        for guest in event.get("attendees", [])
    )
