"""What each API method does: the table that the routes are checked against."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulators.google.calendar import calendars, freebusy
from simulators.google.calendar.access import calendar_for
from simulators.google.calendar.errors import ApiError, invalid, not_found
from simulators.google.calendar.listing import list_events, list_instances, viewer
from simulators.google.calendar.resources import show
from simulators.google.calendar.series import find
from simulators.google.calendar.writing import Writer, change, delete, import_event, insert, move
from simulators.google.push.channels import stop, watch
from simulators.google.state import Account, Calendar, Event, Json, Role
from simulators.google.world import World


@dataclass(frozen=True)
class Call:
    """One authorised, validated request."""

    world: World
    account: Account
    client_id: str
    scopes: frozenset[str]
    params: Json
    body: Json
    if_match: str | None

    def calendar(self, least: Role = "reader") -> Calendar:
        """The calendar in the path, within what the scopes reach. Raises ApiError 404 or 403."""
        calendar = calendar_for(self.world, self.account, self.params["calendarId"], least)
        owned = calendar.owner == self.account.email
        if self.scopes <= {"calendar.app.created"} and calendar.app != self.client_id:
            raise not_found()
        if (
            self.scopes <= {"calendar.app.created", "calendar.events.owned", "calendar.events.owned.readonly"}
            and not owned
        ):
            raise not_found()
        return calendar

    def writer(self) -> Writer:
        """Write access to the calendar in the path. Raises ApiError 404 or 403."""
        return Writer(self.world, self.account, self.calendar("writer"), self.params)

    def event(self, calendar: Calendar) -> Event:
        """The event in the path. Raises ApiError 404."""
        return find(self.world, calendar.id, self.params["eventId"])

    def answer(self, event: Event, calendar: Calendar) -> Json:
        """The event as this caller sees it."""
        return show(event, calendar, viewer(self.account, calendar, self.params))


Handler = Callable[[Call], Awaitable[Json | None]]


async def _events_list(call: Call) -> Json:
    return list_events(call.world, call.account, call.calendar(), call.params)


async def _events_instances(call: Call) -> Json:
    calendar = call.calendar()
    return list_instances(call.world, call.account, calendar, call.event(calendar), call.params)


async def _events_get(call: Call) -> Json:
    calendar = call.calendar()
    return call.answer(call.event(calendar), calendar)


async def _events_insert(call: Call) -> Json:
    writer = call.writer()
    return call.answer(insert(writer, call.body), writer.calendar)


async def _events_import(call: Call) -> Json:
    writer = call.writer()
    return call.answer(import_event(writer, call.body), writer.calendar)


async def _events_patch(call: Call) -> Json:
    writer = call.writer()
    changed = change(writer, call.event(writer.calendar), call.body, whole=False, if_match=call.if_match)
    return call.answer(changed, writer.calendar)


async def _events_update(call: Call) -> Json:
    writer = call.writer()
    changed = change(writer, call.event(writer.calendar), call.body, whole=True, if_match=call.if_match)
    return call.answer(changed, writer.calendar)


async def _events_delete(call: Call) -> None:
    writer = call.writer()
    delete(writer, call.event(writer.calendar), call.if_match)


async def _events_move(call: Call) -> Json:
    writer = call.writer()
    target = calendar_for(call.world, call.account, call.params["destination"], "writer")
    return call.answer(move(writer, call.event(writer.calendar), target), target)


async def _events_watch(call: Call) -> Json:
    return await watch(call.world, call.account, call.client_id, call.calendar(), call.params, call.body)


async def _channels_stop(call: Call) -> None:
    stop(call.world, call.account, call.client_id, call.body)


async def _freebusy_query(call: Call) -> Json:
    return freebusy.query(call.world, call.account, call.body)


async def _calendar_list_list(call: Call) -> Json:
    if "syncToken" in call.params or "pageToken" in call.params:
        raise invalid("Invalid sync token value.", location="syncToken")
    return calendars.list_entries(call.world, call.account, call.params)


async def _calendar_list_get(call: Call) -> Json:
    return calendars.get_entry(call.world, call.account, call.params["calendarId"])


async def _calendars_get(call: Call) -> Json:
    return calendars.metadata(call.calendar())


async def _calendars_insert(call: Call) -> Json:
    return calendars.insert(call.world, call.account, call.body, call.client_id)


async def _calendars_delete(call: Call) -> None:
    calendars.delete(call.world, call.account, call.params["calendarId"])


async def _settings_list(call: Call) -> Json:
    return calendars.list_settings(call.account)


async def _settings_get(call: Call) -> Json:
    return calendars.get_setting(call.account, call.params["setting"])


HANDLERS: dict[str, Handler] = {
    "events.list": _events_list,
    "events.instances": _events_instances,
    "events.get": _events_get,
    "events.insert": _events_insert,
    "events.import": _events_import,
    "events.patch": _events_patch,
    "events.update": _events_update,
    "events.delete": _events_delete,
    "events.move": _events_move,
    "events.watch": _events_watch,
    "channels.stop": _channels_stop,
    "freebusy.query": _freebusy_query,
    "calendarList.list": _calendar_list_list,
    "calendarList.get": _calendar_list_get,
    "calendars.get": _calendars_get,
    "calendars.insert": _calendars_insert,
    "calendars.delete": _calendars_delete,
    "settings.list": _settings_list,
    "settings.get": _settings_get,
}


async def not_imitated(call: Call) -> None:
    """A method of the real API that this simulator does not have. Raises ApiError 501, which Google never sends."""
    raise ApiError(501, "notImplemented", f"The simulator does not imitate this method; asked by {call.account.email}.")
