"""Every operation of Graph that is imitated."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from starlette.routing import Route

from simulators.microsoft.graph import calendars, events, subscriptions
from simulators.microsoft.graph.endpoint import Answer, Call, Endpoint, Handler
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.world import World


class Operation(NamedTuple):
    """A name (what faults and counters go by), a verb, a path, the permission it needs, and who does it."""

    name: str
    verb: str
    path: str
    permission: str
    handler: Handler


_OF_A_MAILBOX = (
    Operation("me.get", "GET", "", "user", calendars.me),
    Operation("mailboxSettings.get", "GET", "/mailboxSettings", "settings", calendars.mailbox_settings),
    Operation(
        "mailboxSettings.update", "PATCH", "/mailboxSettings", "change_settings", calendars.change_mailbox_settings
    ),
    Operation("calendars.list", "GET", "/calendars", "read_basic", calendars.list_calendars),
    Operation("calendars.create", "POST", "/calendars", "write", calendars.create_calendar),
    Operation("calendar.getSchedule", "POST", "/calendar/getSchedule", "read_basic", calendars.get_schedule),
    Operation(
        "outlook.supportedTimeZones",
        "GET",
        "/outlook/supportedTimeZones{standard:path}",
        "user",
        calendars.supported_time_zones,
    ),
)
_OF_A_CALENDAR = (
    Operation("calendars.get", "GET", "", "read_basic", calendars.get_calendar),
    Operation("calendars.update", "PATCH", "", "write", calendars.update_calendar),
    Operation("calendars.delete", "DELETE", "", "write", calendars.delete_calendar),
)
_OF_A_VIEW = (
    Operation("calendarView.list", "GET", "/calendarView", "read", calendars.calendar_view),
    *(
        Operation("calendarView.delta", "GET", f"/calendarView/{function}", "read", calendars.calendar_view_delta)
        for function in ("delta", "delta()", "microsoft.graph.delta()")  # Microsoft's SDKs send the second
    ),
)
_OF_EVENTS = (
    Operation("events.list", "GET", "/events", "read", events.list_events),
    Operation("events.create", "POST", "/events", "write", events.create_event),
    Operation("events.get", "GET", "/events/{event_id}", "read", events.get_event),
    Operation("events.update", "PATCH", "/events/{event_id}", "write", events.update_event),
    Operation("events.delete", "DELETE", "/events/{event_id}", "write", events.delete_event),
    Operation("events.instances", "GET", "/events/{event_id}/instances", "read", events.list_instances),
    Operation("events.cancel", "POST", "/events/{event_id}/cancel", "write", events.cancel_event),
    Operation("events.accept", "POST", "/events/{event_id}/accept", "write", events.accept),
    Operation(
        "events.tentativelyAccept", "POST", "/events/{event_id}/tentativelyAccept", "write", events.tentatively_accept
    ),
    Operation("events.decline", "POST", "/events/{event_id}/decline", "write", events.decline),
)
_OF_SUBSCRIPTIONS = (
    Operation("subscriptions.create", "POST", "", "read", subscriptions.create_subscription),
    Operation("subscriptions.list", "GET", "", "read", subscriptions.list_subscriptions),
    Operation("subscriptions.get", "GET", "/{subscription_id}", "read", subscriptions.get_subscription),
    Operation("subscriptions.renew", "PATCH", "/{subscription_id}", "read", subscriptions.renew_subscription),
    Operation("subscriptions.delete", "DELETE", "/{subscription_id}", "read", subscriptions.delete_subscription),
    Operation(
        "subscriptions.reauthorize",
        "POST",
        "/{subscription_id}/reauthorize",
        "read",
        subscriptions.reauthorize_subscription,
    ),
)
_CALENDARS = ("/calendar", "/calendars/{calendar_id}")
_VERBS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


class _Route(Route):
    """Paths are the same in any case, but for ids in them (Graph, "Use the API")."""

    def __init__(self, path: str, endpoint: Endpoint, methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


def routes(world: World) -> list[Route]:
    """The routes under ``/v1.0``; ``/users/{id}`` stands for the signed-in user, too."""
    known = [(prefix + entry.path, [entry.verb], entry) for prefix, entry in _all()]
    known.append(("/{rest:path}", _VERBS, Operation("unknown", "", "", "user", _unknown)))
    return [
        _Route(f"/v1.0{path}", Endpoint(world, entry.name, entry.permission, entry.handler), methods=verbs)
        for path, verbs, entry in known
    ]


def _all() -> Iterator[tuple[str, Operation]]:
    for owner in ("/me", "/users/{user}"):
        yield from ((owner, operation) for operation in _OF_A_MAILBOX)
        # without a calendar, views are of the default one and events of the whole mailbox
        yield from ((owner, operation) for operation in (*_OF_A_VIEW, *_OF_EVENTS))
        for calendar in _CALENDARS:
            yield from ((owner + calendar, operation) for operation in (*_OF_A_CALENDAR, *_OF_A_VIEW, *_OF_EVENTS))
    yield from (("/subscriptions", operation) for operation in _OF_SUBSCRIPTIONS)


async def _unknown(call: Call) -> Answer:
    segment = call.request.path_params["rest"].rpartition("/")[2]
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
