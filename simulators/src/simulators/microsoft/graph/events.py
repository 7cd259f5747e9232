"""Operations on events."""

from typing import Any

from simulators.microsoft.calendar import recurrence, rendering
from simulators.microsoft.calendar.views import window
from simulators.microsoft.graph import filters
from simulators.microsoft.graph.endpoint import Answer, Call, collection, entity, of_user
from simulators.microsoft.graph.errors import irresolvable_conflict, item_not_found, unreadable_body
from simulators.microsoft.state.records import Calendar, Event

JsonObject = dict[str, Any]


async def list_events(call: Call) -> Answer:
    """Single events and series masters; of the whole mailbox, or of one calendar."""
    test, view = filters.compiled(call.query.filter), call.view()
    events = call.world.exchange.events(call.account, _in(call))
    found = [(rendering.event_json(event, view), event) for event in events]
    passing = [item for item, event in found if test(item, event.extended)]
    return collection(call, passing, of_user(call, "events"))


async def create_event(call: Call) -> Answer:
    """201 with the event; with that of an earlier request when ``transactionId`` repeats."""
    calendar = _in(call) or call.account.default_calendar
    event = call.world.exchange.create(call.account, calendar, call.body)
    return entity(call, rendering.event_json(event, call.view(as_stored=True)), of_user(call, "events/$entity"), 201)


async def get_event(call: Call) -> Answer:
    """One event, series master or occurrence."""
    event, date = _found(call)
    return entity(call, _rendered(call, event, date), of_user(call, "events/$entity"))


async def update_event(call: Call) -> Answer:
    """The event as it is afterwards."""
    event, date = _found(call)
    _check_version(call, event)
    call.world.exchange.update(call.account, event, date, call.body)
    return entity(call, _rendered(call, event, date), of_user(call, "events/$entity"))


async def delete_event(call: Call) -> Answer:
    """204; afterwards the event is not found."""
    event, date = _found(call)
    _check_version(call, event)
    call.world.exchange.delete(call.account, event, date)
    return Answer(204)


async def cancel_event(call: Call) -> Answer:
    """202 for the organiser (https://learn.microsoft.com/graph/api/event-cancel)."""
    event, date = _found(call)
    call.world.exchange.cancel(call.account, event, date)
    return Answer(202)


async def accept(call: Call) -> Answer:
    """202; the answer is given from the guest's own mailbox."""
    return _respond(call, "accepted")


async def tentatively_accept(call: Call) -> Answer:
    """202, as :func:`accept`."""
    return _respond(call, "tentativelyAccepted")


async def decline(call: Call) -> Answer:
    """202; the event leaves the guest's calendar."""
    return _respond(call, "declined")


async def list_instances(call: Call) -> Answer:
    """The occurrences of a series in a window (https://learn.microsoft.com/graph/api/event-list-instances)."""
    event, date = _found(call)
    since, until = window(call.request)
    if date is not None or event.timing.recurrence is None:
        return collection(call, [], of_user(call, "events"))
    view = call.view()
    inside = recurrence.occurrences(event.timing, since, until)
    found = [rendering.event_json(event, view, entry) for entry in inside]
    return collection(call, found, of_user(call, "events"))


def _in(call: Call) -> Calendar | None:
    calendar_id = call.request.path_params.get("calendar_id")
    if calendar_id is not None:
        return call.world.exchange.calendar(call.account, calendar_id)
    return call.account.default_calendar if "/calendar/" in call.request.url.path else None


def _found(call: Call) -> tuple[Event, str | None]:
    event, date = call.world.exchange.find(call.account, call.request.path_params["event_id"])
    calendar = _in(call)
    if calendar is not None and calendar.calendar_id != event.calendar_id:
        raise item_not_found()
    return event, date


def _rendered(call: Call, event: Event, date: str | None) -> JsonObject:
    occurrence = recurrence.occurrence_on(event.timing, date) if date else None
    return rendering.event_json(event, call.view(), occurrence)


def _check_version(call: Call, event: Event) -> None:
    """``If-Match``, where the client sent it. Raises GraphError (412)."""
    wanted = call.request.headers.get("if-match")
    if wanted is not None and wanted not in ("*", rendering.etag(event)):
        raise irresolvable_conflict()


def _respond(call: Call, response: str) -> Answer:
    event, _ = _found(call)
    body = call.body if call.body is not None else {}
    send = body.get("sendResponse", True) if isinstance(body, dict) else None
    if not isinstance(send, bool):
        raise unreadable_body("sendResponse must be a Boolean.")
    call.world.exchange.respond(call.account, event, response, send=send)
    return Answer(202)
