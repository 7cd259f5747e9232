"""Which events a list is about: candidates, expansion of series, filters."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulators.google.calendar.errors import ApiError, invalid, time_range_empty
from simulators.google.calendar.recurrence import instance_of, occurrences, original_start
from simulators.google.calendar.series import HORIZON, exceptions
from simulators.google.calendar.times import instant, rfc3339
from simulators.google.state import Calendar, Event, Json
from simulators.google.world import World

LONG_AGO = timedelta(days=28)


@dataclass(frozen=True)
class Found:
    """One item of a list before it is shown; ``born`` keeps the default order stable."""

    resource: Json
    revision: int
    born: int


@dataclass
class Query:
    """What is asked. ``since`` is the revision of a sync token, None in a full list; instants are UTC."""

    world: World
    calendar: Calendar
    params: Json
    since: int | None
    time_min: datetime | None
    time_max: datetime | None

    @property
    def single(self) -> bool:
        return bool(self.params.get("singleEvents"))

    @property
    def with_deleted(self) -> bool:
        """Deleted events come with a sync token, with updatedMin, and on request."""
        return self.since is not None or "updatedMin" in self.params or bool(self.params.get("showDeleted"))

    def run(self) -> list[Found]:
        """Every item that fits, in the order asked for."""
        found = [item for item in self._candidates() if self._fits(item)]
        return sorted(found, key=self.key)

    def key(self, item: Found) -> list[str]:
        """What the list is sorted by; pages go on from it, however many items came or went meanwhile."""
        order = self.params.get("orderBy")
        if order in ("startTime", "originalStartTime"):
            time = (
                item.resource["start"] if order == "startTime" else item.resource.get(order) or item.resource["start"]
            )
            return [instant(time, self.calendar.time_zone).isoformat(), item.resource["id"]]
        return [item.resource["updated"] if order == "updated" else f"{item.born:012d}", item.resource["id"]]

    def _candidates(self) -> Iterator[Found]:
        for event in list(self.world.state.events[self.calendar.id].values()):
            if not event.recurring or not self.single:
                if self._changed(event.revision):
                    yield Found(event.resource, event.revision, event.born)
            elif self._changed(event.revision):
                yield from self._instances(event)
            if event.vanished and self.with_deleted:
                yield from self._vanished(event)

    def _changed(self, revision: int) -> bool:
        return self.since is None or revision > self.since

    def _instances(self, master: Event) -> Iterator[Found]:
        """A series as its instances, apart from those that are events of their own."""
        apart = {event.id for event in exceptions(self.world, master)}
        now, zone = self.world.clock.now(), self.calendar.time_zone
        first = self.time_min or datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
        last = self.time_max or max(now, instant(master.resource["start"], zone)) + HORIZON
        for start in occurrences(master.resource, first, last, zone):
            instance = instance_of(master.resource, start)
            if instance["id"] not in apart:
                yield Found(instance, master.revision, master.born)

    def _vanished(self, master: Event) -> Iterator[Found]:
        for name, revision in master.vanished.items():
            if self.since is not None and revision <= self.since:
                continue
            start = original_start(name, master.resource)
            gone = {"id": name, "status": "cancelled", "recurringEventId": master.id, "originalStartTime": start}
            times = {"start": start, "end": start, "updated": master.resource["updated"]}
            yield Found(master.resource | gone | times, revision, master.born)

    def _fits(self, item: Found) -> bool:
        resource = item.resource
        if resource["status"] == "cancelled" and not self._shows_cancelled(resource):
            return False
        if self.since is None and not self._inside(resource):
            return False
        return _asked_for(resource, self.params)

    def _shows_cancelled(self, resource: Json) -> bool:
        """Deleted instances of a living series are listed even without showDeleted, unless series are expanded."""
        if self.with_deleted:
            return True
        series = self.world.state.events[self.calendar.id].get(resource.get("recurringEventId", ""))
        return series is not None and not series.cancelled and not self.single

    def _inside(self, resource: Json) -> bool:
        """timeMin bounds the end, timeMax the start, both exclusive."""
        if resource.get("recurrence") and not self.single:
            first, last = self.time_min or datetime.min.replace(tzinfo=UTC), self.time_max
            far = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
            first = max(first, datetime.min.replace(tzinfo=UTC) + timedelta(days=2))
            return next(occurrences(resource, first, last or far, self.calendar.time_zone), None) is not None
        start, end = (instant(resource[side], self.calendar.time_zone) for side in ("start", "end"))
        return (self.time_min is None or end > self.time_min) and (self.time_max is None or start < self.time_max)


def time_bounds(params: Json) -> tuple[datetime | None, datetime | None]:
    """timeMin and timeMax as instants. Raises ApiError 400 when nothing fits between them."""
    low = rfc3339(params["timeMin"]) if params.get("timeMin") else None
    high = rfc3339(params["timeMax"]) if params.get("timeMax") else None
    if low is not None and high is not None and high <= low:
        raise time_range_empty()
    return low, high


def check(world: World, params: Json) -> None:
    """Raises ApiError for parameters that do not go together (400) or reach back too far (410)."""
    if params.get("orderBy") == "startTime" and not params.get("singleEvents"):
        message = "The requested ordering is not available for the particular query."
        raise ApiError(400, "invalid", message, location="orderBy")
    if "updatedMin" in params and rfc3339(params["updatedMin"]) < world.clock.now() - LONG_AGO:
        message = "The requested minimum modification time lies too far in the past."
        raise ApiError(410, "updatedMinTooLongAgo", message, domain="calendar", location="updatedMin")
    for name in ("privateExtendedProperty", "sharedExtendedProperty"):
        if any("=" not in pair for pair in params.get(name, [])):
            raise invalid("Invalid extended property constraint.", location=name)


def _asked_for(resource: Json, params: Json) -> bool:
    if "eventTypes" in params and resource.get("eventType", "default") not in params["eventTypes"]:
        return False
    if "iCalUID" in params and resource["iCalUID"] != params["iCalUID"]:
        return False
    if "updatedMin" in params and rfc3339(resource["updated"]) < rfc3339(params["updatedMin"]):
        return False
    for kind in ("private", "shared"):
        held = resource.get("extendedProperties", {}).get(kind, {})
        for pair in params.get(f"{kind}ExtendedProperty", []):
            name, _, value = pair.partition("=")
            if held.get(name) != value:
                return False
    return "q" not in params or all(word in _searched(resource) for word in params["q"].casefold().split())


def _searched(resource: Json) -> str:
    people = [*resource.get("attendees", []), resource.get("organizer", {})]
    words = [resource.get(field, "") for field in ("summary", "description", "location")]
    words += [person.get(field, "") for person in people for field in ("displayName", "email")]
    return " ".join(words).casefold()
