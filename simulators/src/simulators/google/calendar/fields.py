"""What a client may write into an event, and how it is tidied on the way in."""

import re
from email.utils import parseaddr
from typing import Any

from simulators.google.calendar.errors import ApiError, invalid, required
from simulators.google.calendar.recurrence import check_lines
from simulators.google.calendar.times import check_range, stored
from simulators.google.state import Calendar, Json

READ_ONLY = frozenset(
    {"kind", "etag", "htmlLink", "created", "updated", "creator", "organizer", "hangoutLink", "locked", "id", "iCalUID",
     "recurringEventId", "originalStartTime", "attendeesOmitted", "privateCopy", "endTimeUnspecified"}
)  # fmt: skip
_ID = re.compile(r"[a-v0-9]{5,1024}")
_MAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")
# Google puts its own conference text between such rulers and takes it out of what clients send.
_CONFERENCE_TEXT = re.compile(r"\s*-::~:~::~[:~-]*-.*?-::~:~::~[:~-]*-\s*", re.DOTALL)
_CHOICES = {
    "status": {"confirmed", "tentative", "cancelled"},
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
}
_ANSWERS = {"needsAction", "declined", "tentative", "accepted"}
CREATABLE_TYPES = {"default", "birthday", "focusTime", "outOfOffice", "workingLocation"}
MAX_OVERRIDES = 5


def check_id(event_id: str) -> None:
    """Raises ApiError 400 unless an own id is 5 to 1024 characters of base32hex in lower case (Event.id)."""
    if not _ID.fullmatch(event_id):
        raise invalid("Invalid resource id value.", location="id")


def writable(body: Json) -> Json:
    """The fields of a body that a client may set; read-only ones are ignored as Google ignores them."""
    return {key: value for key, value in body.items() if key not in READ_ONLY}


def tidy(resource: Json, calendar: Calendar, previous: Json | None = None) -> Json:
    """An event as it will be stored. Raises ApiError 400 when the whole does not make a valid event.

    ``previous`` is what was stored before: unchanged times are in stored form already and the type must not change.
    """
    event = {key: value for key, value in resource.items() if value is not None}
    _tidy_times(event, calendar)
    _check_choices(event)
    _check_type(event, previous)
    _check_reminders(event)
    if "description" in event:
        event["description"] = _CONFERENCE_TEXT.sub("", event["description"])
    if "attendees" in event:
        event["attendees"] = [_guest(guest, event) for guest in event["attendees"]]
    # An empty text or list is stored as none.
    return {key: value for key, value in event.items() if value not in ("", [], None)}


def check_sequence(given: Any, current: int) -> int:
    """The sequence number to go on with. Raises ApiError 400 for one below the current one."""
    if given is None:
        return current
    if given < current:
        raise invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the "
            "resource. Re-fetch the resource and use its sequence number on the following request."
        )
    return int(given)


def merged(old: Any, change: Any) -> Any:
    """Patch semantics: objects merge, arrays and scalars replace, null deletes (guides/performance, patch)."""
    if not isinstance(old, dict) or not isinstance(change, dict):
        return change
    result = dict(old)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key, {}) if isinstance(value, dict) else None, value)
    return {key: value for key, value in result.items() if value is not None}


def _tidy_times(event: Json, calendar: Calendar) -> None:
    for end in ("start", "end"):
        if end not in event:
            raise required(f"Missing {end} time.")
        event[end] = stored(event[end], end, calendar.time_zone)
    check_range(event["start"], event["end"])
    if event.get("recurrence"):
        _check_series(event)


def _check_choices(event: Json) -> None:
    for field, allowed in _CHOICES.items():
        if field in event and event[field] not in allowed:
            raise invalid(f"Invalid value for: {event[field]} is not a valid value", location=field)


def _check_series(event: Json) -> None:
    if "dateTime" in event["start"] and event["start"].get("timeZone") is None:
        raise required("Missing time zone definition for start time.")
    check_lines(event["recurrence"], event["start"])


def _check_type(event: Json, previous: Json | None) -> None:
    kind = event.setdefault("eventType", "default")
    if previous is not None and kind != previous.get("eventType", "default"):
        raise ApiError(400, "eventTypeRestriction", "Event type cannot be changed.", domain="calendar")
    if previous is None and kind not in CREATABLE_TYPES:
        message = "An event with the specified event type cannot be created."
        raise ApiError(400, "eventTypeRestriction", message, domain="calendar")
    if kind in ("focusTime", "outOfOffice") and "date" in event["start"]:
        message = "A focus time or an out of office event must be a timed event."
        raise ApiError(400, "eventTypeRestriction", message, domain="calendar")


def _check_reminders(event: Json) -> None:
    reminders = event.setdefault("reminders", {"useDefault": True})
    overrides = reminders.get("overrides", [])
    if overrides and reminders.get("useDefault"):
        reason = "cannotUseDefaultRemindersAndSpecifyOverride"
        message = "Cannot specify both default reminders and overrides at the same time."
        raise ApiError(400, reason, message, domain="calendar")
    if len(overrides) > MAX_OVERRIDES or any(not 0 <= item.get("minutes", -1) <= 40_320 for item in overrides):
        raise invalid("Invalid reminder overrides.", location="reminders")


def _guest(guest: Json, event: Json) -> Json:
    email = str(guest.get("email") or "").strip()
    if not _MAIL.fullmatch(email) or parseaddr(email)[1] != email:
        raise invalid("Invalid attendee email.")
    kept = {key: value for key, value in guest.items() if value is not None and key not in ("self", "organizer", "id")}
    kept["email"] = email.lower()
    kept.setdefault("responseStatus", "needsAction")
    if kept["responseStatus"] not in _ANSWERS:
        raise invalid(f"Invalid value for: {kept['responseStatus']} is not a valid value", location="responseStatus")
    if kept["email"] == event.get("organizer", {}).get("email"):
        kept["organizer"] = True
    return kept
