"""Guests: their copies of an event, their answers, and the mails Google would send them."""

from typing import Literal

from simulators.google.calendar.errors import ApiError, forbidden_for_non_organizer
from simulators.google.calendar.series import find
from simulators.google.state import Account, Event, Json, Mail
from simulators.google.world import World

About = Literal["invitation", "update", "cancellation"]
# Over this many guests Google no longer spreads answers (EventAttendee.responseStatus).
MAX_FOLLOWED = 200
OWN = frozenset({"reminders", "colorId", "transparency", "visibility", "eventLabelId"})
"""Fields that every copy of an event has for itself, besides ``extendedProperties.private``."""
_ORGANIZERS = frozenset(
    {"summary", "description", "location", "start", "end", "recurrence", "conferenceData", "status"}
)


def organizes(event: Event) -> bool:
    """Whether this calendar holds the organizer's copy."""
    return bool(event.resource["organizer"]["email"] == event.calendar_id)


def check_guest_may(event: Event, wanted: Json) -> None:
    """Raises ApiError 403 when a guest's copy would change what belongs to the organizer."""
    if organizes(event) or event.resource.get("guestsCanModify") or event.resource.get("privateCopy"):
        return
    if any(event.resource.get(field) != wanted.get(field) for field in _ORGANIZERS):
        raise forbidden_for_non_organizer()
    if _others(event) != _others(event, wanted):
        raise forbidden_for_non_organizer()


def spread(world: World, event: Event, removed: frozenset[str] = frozenset()) -> None:
    """Bring the copies of an event on the guests' calendars, and the organizer's, up to date.

    ``removed`` are guests (e-mails) who were on the list before.
    """
    if event.resource.get("privateCopy"):
        return
    if not organizes(event):
        _answer(world, event)
        return
    guests = {guest["email"] for guest in event.resource.get("attendees", [])}
    for email in guests | removed:
        if email in world.state.accounts and email != event.calendar_id:
            _copy(world, event, email, invited=email in guests)


def send_mails(
    world: World,
    event: Event,
    params: Json,
    about: About,
    known: frozenset[str],
) -> None:
    """Note the mails that ``sendUpdates`` asks for (default: none). ``known`` guests were invited before."""
    wanted = params.get("sendUpdates") or ("all" if params.get("sendNotifications") else "none")
    for guest in event.resource.get("attendees", []):
        email = guest["email"]
        outside = email not in world.state.accounts
        if (
            email == event.resource["organizer"]["email"]
            or wanted == "none"
            or (wanted == "externalOnly" and not outside)
        ):
            continue
        kind = "invitation" if about == "update" and email not in known else about
        mail = Mail(at=world.clock.now(), to=email, about=kind, calendar_id=event.calendar_id, event_id=event.id)
        world.state.mails.append(mail)


def decline_by_deleting(world: World, account: Account, event: Event) -> None:
    """A guest who deletes their copy declines."""
    set_answer(event, account.email, "declined")
    _answer(world, event)


def set_answer(event: Event, email: str, answer: str) -> None:
    """Record one guest's answer on this copy."""
    for guest in event.resource.get("attendees", []):
        if guest["email"] == email:
            guest["responseStatus"] = answer


def _others(event: Event, resource: Json | None = None) -> list[Json]:
    guests = (resource or event.resource).get("attendees", [])
    return [guest for guest in guests if guest["email"] != event.calendar_id]


def _copy(world: World, event: Event, email: str, *, invited: bool) -> None:
    copies = world.state.events[email]
    old = copies.get(event.id)
    if old is None and (not invited or event.cancelled):
        return
    shared = {key: value for key, value in event.resource.items() if key not in OWN}
    if not invited:
        shared["status"] = "cancelled"
    mine = {key: value for key, value in (old.resource if old else {}).items() if key in OWN}
    resource = shared | {"reminders": {"useDefault": True}} | mine
    private = old.resource.get("extendedProperties", {}).get("private") if old else None
    properties = {"shared": event.resource.get("extendedProperties", {}).get("shared"), "private": private}
    resource["extendedProperties"] = {key: value for key, value in properties.items() if value}
    if not resource["extendedProperties"]:
        del resource["extendedProperties"]
    if old is None:
        world.commit(world.new_event(email, resource))
    else:
        old.resource = resource
        world.commit(old)


def _answer(world: World, copy: Event) -> None:
    """Carry a guest's own answer to the organizer's copy, and from there to the other guests."""
    organizer = copy.resource["organizer"]["email"]
    mine = next((guest for guest in copy.resource.get("attendees", []) if guest["email"] == copy.calendar_id), None)
    if organizer not in world.state.events or mine is None or len(copy.resource["attendees"]) > MAX_FOLLOWED:
        return
    try:
        original = find(world, organizer, copy.id)
    except ApiError:
        return
    if original.cancelled:
        return
    guests = original.resource.get("attendees", [])
    changed = [mine if guest["email"] == mine["email"] else guest for guest in guests]
    if changed == guests:
        return
    original.resource = original.resource | {"attendees": changed}
    world.commit(original)
    for email in {guest["email"] for guest in changed} - {copy.calendar_id, organizer}:
        if email in world.state.accounts:
            _copy(world, original, email, invited=True)
