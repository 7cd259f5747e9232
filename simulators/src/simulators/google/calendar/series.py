"""Instances of recurring events, as events of their own: found, made into exceptions, and dropped by changed rules."""

from datetime import timedelta

from simulators.google.calendar.errors import not_found
from simulators.google.calendar.recurrence import (
    duration,
    instance_id,
    instance_of,
    occurrences,
    original_start,
    split_instance_id,
)
from simulators.google.calendar.times import instant
from simulators.google.state import Event, Json
from simulators.google.world import World

HORIZON = timedelta(days=730)


def find(world: World, calendar_id: str, event_id: str) -> Event:
    """The event with this id, deleted or not; an instance nobody changed yet comes as an uncommitted event.

    Raises ApiError 404.
    """
    events = world.state.events[calendar_id]
    if event_id in events:
        return events[event_id]
    parts = split_instance_id(event_id)
    master = events.get(parts[0]) if parts else None
    if master is None or not master.recurring or not _occurs(world, master, event_id):
        raise not_found()
    event = world.new_event(calendar_id, instance_of(master.resource, original_start(event_id, master.resource)))
    event.revision = master.revision
    return event


def exceptions(world: World, master: Event) -> list[Event]:
    """The instances of a series that were changed or deleted one by one."""
    events = world.state.events[master.calendar_id]
    return [event for event in events.values() if event.series_id == master.id]


def drop_vanished(world: World, master: Event, before: Json) -> None:
    """After a series changed its times or rule: remember which instances are no more, for those who synced them."""
    zone = world.state.calendars[master.calendar_id].time_zone
    old, new = _ids(world, before, zone), _ids(world, master.resource, zone)
    gone = old - new
    for event in exceptions(world, master):
        if event.id in gone:
            del world.state.events[master.calendar_id][event.id]
    master.vanished = {name: seen for name, seen in master.vanished.items() if name not in new}
    master.vanished |= dict.fromkeys(gone, world.state.revision)


def cancel_exceptions(world: World, master: Event) -> None:
    """A deleted series takes its changed instances with it."""
    for event in exceptions(world, master):
        if not event.cancelled:
            event.resource = event.resource | {"status": "cancelled"}
            world.commit(event)


def _ids(world: World, resource: Json, zone: str) -> set[str]:
    if not resource.get("recurrence"):
        return set()
    first = instant(resource["start"], zone)
    last = max(world.clock.now(), first) + HORIZON
    return {instance_id(resource["id"], start) for start in occurrences(resource, first, last, zone)}


def _occurs(world: World, master: Event, event_id: str) -> bool:
    zone, resource = world.state.calendars[master.calendar_id].time_zone, master.resource
    try:
        moment = instant(original_start(event_id, resource), zone)
    except (ValueError, KeyError):
        return False
    near = occurrences(resource, moment - duration(resource), moment + timedelta(seconds=1), zone)
    return any(instance_id(resource["id"], start) == event_id for start in near)
