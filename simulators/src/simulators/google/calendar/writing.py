"""Insert, import, patch, update, delete and move: every way an event changes, through the API or by hand."""

import secrets
from dataclasses import dataclass

from simulators.google.calendar.conference import complete, take_request
from simulators.google.calendar.errors import ApiError, condition_not_met, deleted, duplicate, invalid, required
from simulators.google.calendar.fields import check_id, check_sequence, merged, tidy, writable
from simulators.google.calendar.guests import About, check_guest_may, decline_by_deleting, organizes, send_mails, spread
from simulators.google.calendar.resources import etag
from simulators.google.calendar.series import cancel_exceptions, drop_vanished, exceptions
from simulators.google.calendar.times import text_ms
from simulators.google.state import Account, Calendar, Event, Json
from simulators.google.world import World

_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"
_RESCHEDULING = ("start", "end", "recurrence", "status")
_OWNED_BY_SERVER = ("id", "iCalUID", "created", "creator", "organizer", "recurringEventId", "originalStartTime",
                    "hangoutLink", "privateCopy", "updated")  # fmt: skip


@dataclass(frozen=True)
class Writer:
    """Who writes where: the account, the calendar, and the request's parameters."""

    world: World
    account: Account
    calendar: Calendar
    params: Json

    @property
    def conference_version(self) -> int:
        return int(self.params.get("conferenceDataVersion", 0))


def insert(writer: Writer, body: Json) -> Event:
    """``events.insert``. Raises ApiError 400 for an invalid event, 409 for an id or iCalUID that is or was in use."""
    events = writer.world.state.events[writer.calendar.id]
    event_id, uid = body.get("id"), body.get("iCalUID")
    if event_id is not None and uid is not None:
        raise invalid("Only one of id and iCalUID may be supplied when an event is created.")
    if event_id is not None:
        check_id(event_id)
    if event_id in events or (uid is not None and any(event.resource["iCalUID"] == uid for event in events.values())):
        raise duplicate()
    event = _created(writer, body, event_id or _new_id(), uid)
    send_mails(writer.world, event, writer.params, "invitation", frozenset())
    return event


def import_event(writer: Writer, body: Json) -> Event:
    """``events.import``: a private copy, keyed by iCalUID (upsert); nobody is told. Raises ApiError 400."""
    uid = body.get("iCalUID")
    if not uid:
        raise required("Missing iCalUID.")
    for event in writer.world.state.events[writer.calendar.id].values():
        if event.resource["iCalUID"] == uid and event.series_id is None:
            return change(writer, event, body | {"status": body.get("status", "confirmed")}, whole=True)
    return _created(writer, body, "_" + _new_id(), uid, organizer=body.get("organizer"))


def change(writer: Writer, event: Event, body: Json, *, whole: bool, if_match: str | None = None) -> Event:
    """``events.patch`` (``whole`` false: merge) and ``events.update`` (``whole`` true: replace).

    Raises ApiError 412 for a stale etag, 410 for a tombstone that the body does not confirm again, 403 for a guest who
    changes the organizer's fields, 400 for an invalid result.
    """
    check_etag(event, if_match)
    own = organizes(event) or event.resource.get("privateCopy")
    if event.cancelled and not (own and body.get("status") == "confirmed"):
        raise deleted() if own else ApiError(403, "forbidden", "Forbidden")
    before = event.resource
    fields = writable(body)
    base = {key: before[key] for key in _OWNED_BY_SERVER if key in before}
    wanted = base | (fields if whole else merged(_clients_part(before), fields))
    wanted["sequence"] = check_sequence(fields.get("sequence"), before.get("sequence", 0))
    if whole:
        wanted.setdefault("status", "confirmed")
        wanted.setdefault("eventType", before.get("eventType", "default"))
    conference = take_request(body, wanted, before, writer.conference_version)
    wanted = tidy(wanted, writer.calendar, before)
    check_guest_may(event, wanted)
    if _rescheduled(before, wanted) and wanted["sequence"] == before.get("sequence", 0):
        wanted["sequence"] += 1
    event.resource = wanted
    if wanted["status"] == "cancelled":
        cancel_exceptions(writer.world, event)
    writer.world.commit(event, touch=not _only_reminders(before, wanted))
    if event.recurring or before.get("recurrence"):
        drop_vanished(writer.world, event, before)
    _tell_guests(writer, event, before)
    if conference:
        writer.world.spawn(complete(writer.world, event))
    return event


def delete(writer: Writer, event: Event, if_match: str | None = None) -> None:
    """``events.delete``: leaves a tombstone. Raises ApiError 410 when it is one already, 412 for a stale etag."""
    if event.cancelled:
        raise deleted()
    check_etag(event, if_match)
    before = event.resource
    event.resource = before | {"status": "cancelled", "sequence": before.get("sequence", 0) + organizes(event)}
    cancel_exceptions(writer.world, event)
    if organizes(event):
        writer.world.commit(event)
        send_mails(writer.world, event, writer.params, "cancellation", frozenset())
        spread(writer.world, event)
    else:
        decline_by_deleting(writer.world, writer.account, event)
        event.resource = event.resource | {"status": "cancelled"}
        writer.world.commit(event)


def move(writer: Writer, event: Event, target: Calendar) -> Event:
    """``events.move``: the same id and iCalUID on another calendar, a tombstone on this one.

    Raises ApiError 400 for an instance, a special event or the same calendar, 403 for a guest's copy.
    """
    if event.cancelled:
        raise deleted()
    if target.id == writer.calendar.id or event.series_id is not None or event.resource["eventType"] != "default":
        message = "Operation can only be performed on a single or recurring default event, to another calendar."
        raise ApiError(400, "cannotChangeOrganizerOfInstance", message, domain="calendar")
    if not organizes(event):
        raise ApiError(403, "forbiddenForNonOrganizer", "Only the organizer may move an event.", domain="calendar")
    present = writer.world.state.events[target.id].get(event.id)
    if present is not None and not present.cancelled:
        raise duplicate()
    organizer = _person(writer.world, target.id, target)
    changed_instances = exceptions(writer.world, event)
    moved = _refiled(writer.world, event, target, organizer)
    for instance in changed_instances:
        _refiled(writer.world, instance, target, organizer)
    spread(writer.world, moved)
    return moved


def _refiled(world: World, event: Event, target: Calendar, organizer: Json) -> Event:
    """The same event on another calendar; a tombstone stays."""
    moved = world.new_event(target.id, event.resource | {"organizer": organizer})
    event.resource = event.resource | {"status": "cancelled", "organizer": organizer}
    world.commit(event)
    world.commit(moved)
    return moved


def check_etag(event: Event, if_match: str | None) -> None:
    """Raises ApiError 412 when ``If-Match`` names neither the current etag nor ``*``."""
    tags = [tag.strip() for tag in (if_match or "*").split(",")]
    if "*" not in tags and etag(event.revision) not in tags:
        raise condition_not_met()


def _created(writer: Writer, body: Json, event_id: str, uid: str | None, organizer: Json | None = None) -> Event:
    world, calendar = writer.world, writer.calendar
    imported = organizer is not None and organizer.get("email", "").lower() != calendar.id
    resource = writable(body) | {
        "id": event_id,
        "iCalUID": uid or f"{event_id}@google.com",
        "created": text_ms(world.clock.now()),
        "creator": {"email": writer.account.email},
        "organizer": organizer if imported else _person(world, calendar.id, calendar),
        "sequence": check_sequence(body.get("sequence"), 0),
        "status": body.get("status") or "confirmed",
    }
    if event_id.startswith("_"):
        resource["privateCopy"] = True
    conference = take_request(body, resource, None, writer.conference_version)
    resource = tidy(resource, calendar)
    event = world.new_event(calendar.id, resource)
    world.commit(event)
    spread(world, event)
    if conference:
        world.spawn(complete(world, event))
    return event


def _tell_guests(writer: Writer, event: Event, before: Json) -> None:
    known = frozenset(guest["email"] for guest in before.get("attendees", []))
    removed = known - {guest["email"] for guest in event.resource.get("attendees", [])}
    if organizes(event):
        about: About = "cancellation" if event.cancelled else "update"
        send_mails(writer.world, event, writer.params, about, known)
    spread(writer.world, event, removed)


def _clients_part(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key not in _OWNED_BY_SERVER}


def _rescheduled(before: Json, after: Json) -> bool:
    return any(before.get(field) != after.get(field) for field in _RESCHEDULING)


def _only_reminders(before: Json, after: Json) -> bool:
    return before != after and before | {"reminders": None} == after | {"reminders": None}


def _person(world: World, email: str, calendar: Calendar) -> Json:
    if calendar.primary:
        return {"email": email}
    return {"email": email, "displayName": calendar.summary}


def _new_id() -> str:
    return "".join(secrets.choice(_BASE32HEX) for _ in range(26))
