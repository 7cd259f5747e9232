"""How a stored event looks to the one who asks."""

import base64
from typing import Any

from simulators.google.calendar.times import shown
from simulators.google.state import Calendar, Event, Json

_TIMES = ("start", "end", "originalStartTime")


def etag(revision: int) -> str:
    """An opaque etag, quotes included."""
    return f'"{3_400_000_000_000_000 + revision}"'


def tombstone(event_id: str, revision: int, calendar: Calendar, instance: Json | None = None) -> Json:
    """A deleted event in a list: little more than its id is guaranteed (Event.status)."""
    gone: Json = {"kind": "calendar#event", "etag": etag(revision), "id": event_id, "status": "cancelled"}
    if instance is not None:
        gone["recurringEventId"] = instance["recurringEventId"]
        gone["originalStartTime"] = shown(instance["originalStartTime"], calendar.time_zone)
    return gone


def in_list(resource: Json, revision: int, calendar: Calendar, viewer: "Viewer") -> Json:
    """An event as a list item: whole, or a tombstone."""
    if resource["status"] == "cancelled":
        instance = resource if "recurringEventId" in resource else None
        return tombstone(resource["id"], revision, calendar, instance)
    return whole(resource, revision, calendar, viewer)


class Viewer:
    """Who looks: in which zone, with how many attendees at most, and whether private details are shown."""

    def __init__(self, zone: str, max_attendees: int | None = None, *, private: bool = True) -> None:
        self.zone, self.max_attendees, self.private = zone, max_attendees, private


def whole(resource: Json, revision: int, calendar: Calendar, viewer: Viewer) -> Json:
    """An event with everything in it, as ``events.get`` answers it, deleted or not."""
    event: Json = {"kind": "calendar#event", "etag": etag(revision)} | resource
    if not viewer.private and resource.get("visibility") in ("private", "confidential"):
        shown_anyway = (
            "id",
            "status",
            "created",
            "updated",
            "start",
            "end",
            "visibility",
            "recurringEventId",
            "iCalUID",
            "originalStartTime",
            "recurrence",
            "organizer",
            "eventType",
            "transparency",
            "kind",
            "etag",
        )
        event = {key: value for key, value in event.items() if key in shown_anyway}
    for key in _TIMES:
        if key in event:
            event[key] = shown(event[key], viewer.zone)
    for key in ("creator", "organizer"):
        if key in event:
            event[key] = _marked(event[key], calendar)
    if "attendees" in event:
        event["attendees"] = [_marked(guest, calendar) for guest in _visible_guests(resource, calendar)]
        if viewer.max_attendees is not None and len(event["attendees"]) > viewer.max_attendees:
            event["attendees"] = [guest for guest in event["attendees"] if guest.get("self")]
            event["attendeesOmitted"] = True
    address = base64.urlsafe_b64encode(f"{resource['id']} {calendar.id}".encode()).decode().rstrip("=")
    event["htmlLink"] = f"https://www.google.com/calendar/event?eid={address}"
    return event


def _visible_guests(resource: Json, calendar: Calendar) -> list[Json]:
    """The guests that this copy shows: of a hidden list only its owner (Event.guestsCanSeeOtherGuests)."""
    guests: list[Json] = resource["attendees"]
    if resource.get("guestsCanSeeOtherGuests", True) or resource["organizer"].get("email") == calendar.id:
        return guests
    return [guest for guest in guests if guest["email"] == calendar.owner]


def _marked(person: dict[str, Any], calendar: Calendar) -> dict[str, Any]:
    """``self`` is there only when it is true: the copy lies on this person's own calendar."""
    return person | {"self": True} if calendar.primary and person.get("email") == calendar.owner else person


def show(event: Event, calendar: Calendar, viewer: Viewer) -> Json:
    """A stored event with everything in it."""
    return whole(event.resource, event.revision, calendar, viewer)
