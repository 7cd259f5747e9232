"""Reads the JSON of an event that a client sends: what it may hold, what it must, and what Exchange refuses."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.microsoft.calendar import recurrence, zones
from simulators.microsoft.graph.errors import GraphError, invalid_request, unreadable_body
from simulators.microsoft.state.records import NEVER, Attendee, Timing

JsonObject = dict[str, Any]

MAX_ATTENDEES = 500
_MAX_LENGTH = timedelta(days=5 * 366)

_CHOICES = {
    "importance": ("low", "normal", "high"),
    "sensitivity": ("normal", "personal", "private", "confidential"),
    "showAs": ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown"),
    "onlineMeetingProvider": ("unknown", "skypeForBusiness", "skypeForConsumer", "teamsForBusiness"),
}
_SWITCHES = ("isReminderOn", "isOnlineMeeting", "responseRequested", "allowNewTimeProposals", "hideAttendees")
_OTHERS = ("subject", "body", "location", "locations", "categories", "reminderMinutesBeforeStart")
_TIMING = ("start", "end", "isAllDay", "recurrence")
_WRITABLE = frozenset((*_CHOICES, *_SWITCHES, *_OTHERS, *_TIMING, "attendees", "transactionId"))
_CLEARED_BY_NULL = frozenset({"subject", "body", "location", "recurrence"})
"""All other properties are left as they are by a null, which SDKs send for what they do not know."""
_EXTENDED = "singleValueExtendedProperties"
_READ_ONLY = frozenset(
    {
        "id", "createdDateTime", "lastModifiedDateTime", "changeKey", "originalStartTimeZone", "originalEndTimeZone",
        "iCalUId", "hasAttachments", "bodyPreview", "isCancelled", "isOrganizer", "seriesMasterId", "type", "webLink",
        "onlineMeetingUrl", "onlineMeeting", "isDraft", "responseStatus", "organizer", "originalStart", "attachments",
        "calendar", "extensions", "instances", "multiValueExtendedProperties", "uid", "occurrenceId",
        "cancelledOccurrences", "exceptionOccurrences",
    }
)  # fmt: skip
_PROPERTY_ID = re.compile(
    r"(?P<type>String|Integer|Long|Short|Boolean|Double|Float|SystemTime|CLSID|Binary)(?P<array>Array)?"
    r" (?P<set>\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}) (?P<kind>Name|Id) (?P<name>.+)"
)

DEFAULTS: JsonObject = {
    "subject": None,
    "body": {"contentType": "html", "content": ""},
    "importance": "normal",
    "sensitivity": "normal",
    "showAs": "busy",
    "categories": [],
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "responseRequested": True,
    "allowNewTimeProposals": True,
    "hideAttendees": False,
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
    "location": None,
    "locations": [],
}
"""What Exchange takes for a property that the creator did not give."""


def read(body: object) -> JsonObject:
    """The writable part of a body; read-only properties are ignored. Raises GraphError (400) for an unknown one."""
    if not isinstance(body, dict):
        raise unreadable_body("The request body must be a JSON object.")
    wanted: JsonObject = {}
    for name, value in body.items():
        if name in _WRITABLE or name == _EXTENDED:
            if value is not None or name in _CLEARED_BY_NULL:
                wanted[name] = value
        elif "@" not in name and name not in _READ_ONLY:
            raise unreadable_body(
                f"The property '{name}' does not exist on type 'microsoft.graph.event'. Make sure to only use "
                "property names that are defined by the type."
            )
    return wanted


def plain(wanted: JsonObject) -> JsonObject:
    """The properties that are neither times nor guests, checked. Raises GraphError (400)."""
    found: JsonObject = {}
    for name, choices in _CHOICES.items():
        if name in wanted:
            spelled = {choice.lower(): choice for choice in choices}.get(str(wanted[name]).lower())
            found[name] = _fitting(name, spelled, spelled is not None)
    for name in _SWITCHES:
        if name in wanted:
            found[name] = _fitting(name, wanted[name], isinstance(wanted[name], bool))
    if "subject" in wanted:
        found["subject"] = _fitting("subject", wanted["subject"], isinstance(wanted["subject"], str | None))
    if "reminderMinutesBeforeStart" in wanted:
        minutes = wanted["reminderMinutesBeforeStart"]
        fits = isinstance(minutes, int) and not isinstance(minutes, bool)
        found["reminderMinutesBeforeStart"] = _fitting("reminderMinutesBeforeStart", minutes, fits)
    if "categories" in wanted:
        found["categories"] = [str(name) for name in _list("categories", wanted["categories"])]
    if "body" in wanted:
        found["body"] = _item_body(wanted["body"])
    return found | _places(wanted)


def timing(wanted: JsonObject, current: Timing | None) -> Timing:
    """When the event will happen: what the body says, else what is so now. Raises GraphError (400)."""
    if current is None and not ("start" in wanted and "end" in wanted):
        raise GraphError(400, "ErrorPropertyValidationFailure", "At least one property failed validation.")
    start, start_zone = _wall(wanted["start"]) if "start" in wanted else _kept(current, "start")
    end, end_zone = _wall(wanted["end"]) if "end" in wanted else _kept(current, "end")
    all_day = wanted.get("isAllDay", current.all_day if current else False)
    _fitting("isAllDay", all_day, isinstance(all_day, bool))
    if all_day:
        _check_all_day(start, start_zone, end, end_zone)
    length = zones.instant(end, end_zone) - zones.instant(start, start_zone)
    if length < timedelta():
        raise GraphError(400, "ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate")
    if length > _MAX_LENGTH:
        raise GraphError(400, "ErrorCalendarDurationIsTooLong", "Duration is too long.")
    pattern = current.recurrence if current else None
    if "recurrence" in wanted:
        asked = wanted["recurrence"]
        _fitting("recurrence", asked, asked is None or isinstance(asked, dict))
        pattern = recurrence.checked(asked, start, start_zone)
    made = Timing(start=start, end=end, start_zone=start_zone, end_zone=end_zone, all_day=all_day, recurrence=pattern)
    if current is not None and made.recurrence is not None and made.recurrence == current.recurrence:
        made.changed, made.cancelled = current.changed, current.cancelled
    return made


def attendees(wanted: JsonObject, current: list[Attendee]) -> list[Attendee]:
    """The guests as the body lists them, answers known so far kept. Raises GraphError (400)."""
    listed = _list("attendees", wanted["attendees"])
    if len(listed) > MAX_ATTENDEES:
        raise invalid_request(f"The maximum number of attendees is {MAX_ATTENDEES}.")
    known = {guest.address.lower(): guest for guest in current}
    result: dict[str, Attendee] = {}
    for entry in listed:
        address = entry.get("emailAddress") if isinstance(entry, dict) else None
        if not isinstance(address, dict) or not isinstance(address.get("address"), str):
            raise invalid_request("An attendee needs an emailAddress with an address.")
        mail, before = address["address"], known.get(address["address"].lower())
        result[mail.lower()] = Attendee(
            name=str(address.get("name") or mail),
            address=mail,
            kind=str(entry.get("type") or "required").lower(),
            response=before.response if before else "none",
            answered_at=before.answered_at if before else NEVER,
        )
    return list(result.values())


def extended(wanted: JsonObject) -> dict[str, str]:
    """Single-value extended properties by normalised id. Raises GraphError (400)."""
    result: dict[str, str] = {}
    for entry in _list(_EXTENDED, wanted.get(_EXTENDED) or []):
        if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
            raise unreadable_body("An extended property needs an id and a value, both strings.")
        result[property_id(str(entry.get("id")))] = entry["value"]
    return result


def property_id(text: str) -> str:
    """An extended property id as Exchange returns it: the set's GUID in lower case.

    Source: https://learn.microsoft.com/graph/api/resources/extended-properties-overview, "id formats".
    Raises GraphError (400) for anything else.
    """
    match = _PROPERTY_ID.fullmatch(text)
    if match is None:
        raise GraphError(400, "ErrorInvalidProperty", f"The extended property id '{text}' is invalid.")
    return text.replace(match["set"], match["set"].lower())


def wall_in(zone_name: str, value: object) -> datetime:
    """A ``dateTimeTimeZone`` as wall time of another zone. Raises GraphError (400)."""
    wall, own = _wall(value)
    return zones.wall_time(zones.instant(wall, own), zone_name)


def _wall(value: object) -> tuple[datetime, str]:
    if not isinstance(value, dict) or not isinstance(value.get("dateTime"), str):
        raise unreadable_body("A dateTimeTimeZone needs a dateTime and a timeZone.")
    name = zones.known(str(value.get("timeZone") or ""))
    try:
        moment = datetime.fromisoformat(value["dateTime"])
    except ValueError:
        raise unreadable_body(f"The DateTime value '{value['dateTime']}' is invalid.") from None
    if moment.tzinfo is not None:
        moment = zones.wall_time(moment.astimezone(UTC), name)
    return moment, zones.windows_name(name)


def _kept(current: Timing | None, which: str) -> tuple[datetime, str]:
    if current is None:
        raise GraphError(400, "ErrorPropertyValidationFailure", "At least one property failed validation.")
    return (current.start, current.start_zone) if which == "start" else (current.end, current.end_zone)


def _check_all_day(start: datetime, start_zone: str, end: datetime, end_zone: str) -> None:
    for which, wall in (("Start", start), ("End", end)):
        if not zones.midnight(wall):
            raise invalid_request(f"The Event.{which} property for an all-day event needs to be set to midnight.")
    if start_zone != end_zone:
        raise invalid_request("The start and end of an all-day event need to be in the same time zone.")
    if end - start < timedelta(days=1):
        raise invalid_request("The Duration of an event marked as All day must be at least 24 hours.")


def _item_body(value: object) -> JsonObject:
    if value is None:
        return {"contentType": "html", "content": ""}
    kind = str(value.get("contentType") or "text").lower() if isinstance(value, dict) else ""
    if not isinstance(value, dict) or kind not in ("text", "html") or not isinstance(value.get("content", ""), str):
        raise unreadable_body("The body must be an itemBody.")
    return {"contentType": kind, "content": value.get("content", "")}


def _places(wanted: JsonObject) -> JsonObject:
    """``location`` and ``locations`` always correspond; the one given makes the other (event resource page)."""
    found: JsonObject = {}
    if "location" in wanted:
        place = wanted["location"]
        found["location"] = None if place is None else _location(place)
        found["locations"] = [found["location"]] if found["location"] else []
    if "locations" in wanted:
        found["locations"] = [_location(place) for place in _list("locations", wanted["locations"])]
        names = "; ".join(str(place.get("displayName", "")) for place in found["locations"])
        found.setdefault("location", {"displayName": names} if names else None)
    return found


def _location(value: object) -> JsonObject:
    if not isinstance(value, dict) or not isinstance(value.get("displayName", ""), str):
        raise unreadable_body("A location must be an object with a displayName.")
    kept = ("displayName", "locationEmailAddress", "locationUri", "address", "coordinates")
    return {name: value[name] for name in kept if value.get(name) is not None}


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise unreadable_body(f"The property '{name}' must be a collection.")
    return value


def _fitting(name: str, value: object, fits: bool) -> object:
    if not fits:
        raise unreadable_body(f"The value of the property '{name}' does not fit its type.")
    return value
