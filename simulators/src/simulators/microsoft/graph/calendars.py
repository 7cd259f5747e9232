"""Operations on the user, calendars, calendar views, delta, free/busy, time zones."""

from typing import Any

from simulators.microsoft.calendar import delta, rendering, zones
from simulators.microsoft.calendar.schedule import schedules
from simulators.microsoft.calendar.views import view, window
from simulators.microsoft.graph import filters, odata
from simulators.microsoft.graph.endpoint import Answer, Call, collection, entity, of_user
from simulators.microsoft.graph.errors import GraphError, item_not_found
from simulators.microsoft.state import ids
from simulators.microsoft.state.records import Calendar

JsonObject = dict[str, Any]

_UNTRACKABLE = ("$orderby", "$filter", "$select", "$expand", "$search")
_DELTA = "calendarView.delta"


async def me(call: Call) -> Answer:
    """The user; some properties only when they are selected."""
    on_request = rendering.addresses_json(call.account) if call.query.select else {}
    return entity(call, rendering.user_json(call.account) | on_request, "users/$entity")


async def mailbox_settings(call: Call) -> Answer:
    """The settings of the mailbox."""
    context = odata.metadata(call.request, of_user(call, "mailboxSettings"))
    return Answer(200, {"@odata.context": context, **rendering.settings_json(call.account)})


async def change_mailbox_settings(call: Call) -> Answer:
    """Another time zone (https://learn.microsoft.com/graph/api/user-update-mailboxsettings)."""
    if isinstance(call.body, dict) and call.body.get("timeZone") is not None:
        call.account.time_zone, call.account.custom_bias = zones.known(str(call.body["timeZone"])), None
        call.world.state.changes += 1
    return await mailbox_settings(call)


async def list_calendars(call: Call) -> Answer:
    """Every calendar of the mailbox."""
    found = [rendering.calendar_json(call.account, calendar) for calendar in call.account.calendars]
    return collection(call, found, of_user(call, "calendars"))


async def get_calendar(call: Call) -> Answer:
    """One calendar; without an id the default one."""
    return entity(call, rendering.calendar_json(call.account, _calendar(call)), of_user(call, "calendars/$entity"))


async def create_calendar(call: Call) -> Answer:
    """A further calendar."""
    name = call.body.get("name") if isinstance(call.body, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise GraphError(400, "ErrorInvalidRequest", "A calendar needs a name.")
    if any(calendar.name.lower() == name.strip().lower() for calendar in call.account.calendars):
        raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
    calendar = Calendar(name=name.strip())
    call.account.calendars.append(calendar)
    call.world.state.changes += 1
    return entity(call, rendering.calendar_json(call.account, calendar), of_user(call, "calendars/$entity"), 201)


async def update_calendar(call: Call) -> Answer:
    """Another name."""
    calendar = _calendar(call)
    name = call.body.get("name") if isinstance(call.body, dict) else None
    if isinstance(name, str) and name.strip():
        calendar.name = name.strip()
        call.world.state.changes += 1
    return entity(call, rendering.calendar_json(call.account, calendar), of_user(call, "calendars/$entity"))


async def delete_calendar(call: Call) -> Answer:
    """204; its events go with it. The default calendar stays."""
    calendar = _calendar(call)
    if calendar.is_default:
        raise GraphError(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
    for event in call.world.exchange.events(call.account, calendar):
        call.world.exchange.delete(call.account, event, None)
    call.account.calendars.remove(calendar)
    return Answer(204)


async def calendar_view(call: Call) -> Answer:
    """Single events and occurrences in a window, whole."""
    since, until = window(call.request)
    test, shown = filters.compiled(call.query.filter), call.view()
    found = [
        (rendering.event_json(event, shown, occurrence), event)
        for event, occurrence in view(call.world.exchange, call.account, _calendar(call), since, until)
    ]
    passing = [item for item, event in found if test(item, event.extended)]
    return collection(call, passing, of_user(call, "calendarView"))


async def calendar_view_delta(call: Call) -> Answer:
    """One page of a delta round."""
    options, calendar = call.request.query_params, _calendar(call)
    if refused := [name for name in _UNTRACKABLE if name in options]:
        names = ", ".join(refused)
        what = "The following parameters are not supported with change tracking over the 'CalendarView' resource"
        raise odata.invalid_query(f"{what}: '{names}'.")
    token = options.get("$deltatoken") or options.get("$skiptoken")
    asked = delta.Round.of_token(token) if token else _first_round(call, calendar)
    path = call.request.url.path
    window_again = [("startDateTime", asked.start.isoformat()), ("endDateTime", asked.end.isoformat())]
    delta.check(asked, call.account, calendar, odata.link(call.request, path, window_again))
    if "$skiptoken" not in options:
        asked = asked.model_copy(update={"until": call.account.change})
    body = _delta_page(call, asked, path)
    return Answer(200, body, ("odata.track-changes",))


async def get_schedule(call: Call) -> Answer:
    """Free/busy of several people."""
    found = schedules(call.world.state, call.world.exchange, call.account, call.body, call.prefer.time_zone)
    context = odata.metadata(call.request, "Collection(microsoft.graph.scheduleInformation)")
    return Answer(200, {"@odata.context": context, "value": found})


async def supported_time_zones(call: Call) -> Answer:
    """The zones of the mailbox server: Windows names, or IANA's when asked for."""
    standard = call.request.path_params["standard"].lower().replace(" ", "")
    known = {
        "": zones.WINDOWS_NAMES,
        "()": zones.WINDOWS_NAMES,
        "(timezonestandard=microsoft.graph.timezonestandard'windows')": zones.WINDOWS_NAMES,
        "(timezonestandard=microsoft.graph.timezonestandard'iana')": zones.IANA_NAMES,
        "(timezonestandard='windows')": zones.WINDOWS_NAMES,  # so does Microsoft's SDK for Python
        "(timezonestandard='iana')": zones.IANA_NAMES,
    }
    if standard not in known:
        raise item_not_found()
    context = odata.metadata(call.request, "Collection(microsoft.graph.timeZoneInformation)")
    value = [{"alias": name, "displayName": name} for name in known[standard]]
    return Answer(200, {"@odata.context": context, "value": value})


def _calendar(call: Call) -> Calendar:
    calendar_id = call.request.path_params.get("calendar_id")
    if calendar_id is None:
        return call.account.default_calendar
    return call.world.exchange.calendar(call.account, calendar_id)


def _first_round(call: Call, calendar: Calendar) -> delta.Round:
    since, until = window(call.request)
    return delta.Round(
        user=call.account.user_id,
        calendar=calendar.calendar_id,
        start=since,
        end=until,
        generation=call.account.sync_generation,
    )


def _delta_page(call: Call, asked: delta.Round, path: str) -> JsonObject:
    """Items, and the link to go on with: to the next page, or to the next round."""
    size = call.prefer.page_size or asked.page_size
    left = delta.items(call.account, asked, call.view())
    if call.world.faults.draw("empty_page", account=call.account.email, operation=_DELTA):
        size = 0
    part = left[:size]
    values = [item for _, item in part]
    if call.world.faults.draw("untold_removal", account=call.account.email, operation=_DELTA):
        values = [item for item in values if "@removed" not in item or ids.split_occurrence_id(item["id"]) is None]
    if call.world.faults.draw("removed_as_changed", account=call.account.email, operation=_DELTA):
        values = [item | {"@removed": {"reason": "changed"}} if "@removed" in item else item for item in values]
    if call.world.faults.draw("repeated_items", account=call.account.email, operation=_DELTA):
        values += values
    context = odata.metadata(call.request, "Collection(event)")
    if len(left) > size or size == 0:
        following = asked.model_copy(update={"after": part[-1][0] if part else asked.after, "page_size": size or 50})
        name, option = "@odata.nextLink", "$skiptoken"
    else:
        following = asked.model_copy(update={"since": asked.until, "after": (-1, -1)})
        name, option = "@odata.deltaLink", "$deltatoken"
    return {
        "@odata.context": context,
        name: odata.link(call.request, path, [(option, following.token())]),
        "value": values,
    }
