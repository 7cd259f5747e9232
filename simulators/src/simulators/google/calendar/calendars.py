"""calendarList, calendars, settings and colors: what surrounds the events."""

import secrets

from simulators.google.calendar.access import RANK, calendar_for, role, visible
from simulators.google.calendar.errors import ApiError, not_found, required
from simulators.google.calendar.resources import etag
from simulators.google.calendar.times import zone
from simulators.google.state import Account, Calendar, Json
from simulators.google.world import World

_REMINDER = {"method": "popup", "minutes": 10}
_MEET = {"allowedConferenceSolutionTypes": ["hangoutsMeet"]}


def entry(calendar: Calendar, account: Account) -> Json:
    """A calendar as it stands on an account's list."""
    mine = calendar.owner == account.email
    shown: Json = {
        "kind": "calendar#calendarListEntry",
        "etag": etag(0),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "colorId": "14" if calendar.primary else "7",
        "backgroundColor": "#9fe1e7" if calendar.primary else "#42d692",
        "foregroundColor": "#000000",
        "selected": True,
        "accessRole": role(calendar, account.email),
        "defaultReminders": [_REMINDER] if mine and calendar.primary else [],
        "conferenceProperties": _MEET,
    }
    if calendar.description:
        shown["description"] = calendar.description
    if calendar.primary and mine:
        shown["primary"] = True
    if not calendar.primary:
        shown["dataOwner"] = calendar.owner
    return shown


def list_entries(world: World, account: Account, params: Json) -> Json:
    """calendarList.list, on one page: an account here has few calendars."""
    least = RANK[params.get("minAccessRole", "freeBusyReader")]
    items = [item for item in visible(world, account) if RANK[role(item, account.email) or "freeBusyReader"] >= least]
    answer = {"kind": "calendar#calendarList", "etag": etag(len(items)), "nextSyncToken": secrets.token_urlsafe(12)}
    return answer | {"items": [entry(item, account) for item in items]}


def get_entry(world: World, account: Account, calendar_id: str) -> Json:
    """calendarList.get. Raises ApiError 404."""
    return entry(calendar_for(world, account, calendar_id, "freeBusyReader"), account)


def metadata(calendar: Calendar) -> Json:
    """A calendar itself, as ``calendars.get`` has it."""
    shown: Json = {
        "kind": "calendar#calendar",
        "etag": etag(0),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "conferenceProperties": _MEET,
    }
    if calendar.description:
        shown["description"] = calendar.description
    if not calendar.primary:
        shown["dataOwner"] = calendar.owner
    return shown


def insert(world: World, account: Account, body: Json, client_id: str) -> Json:
    """calendars.insert: a secondary calendar. Raises ApiError 400."""
    if not body.get("summary"):
        raise required("Missing summary.")
    name = zone(body.get("timeZone") or account.time_zone, "calendar").key
    calendar_id = f"c_{secrets.token_hex(32)}@group.calendar.google.com"
    made = Calendar(id=calendar_id, owner=account.email, summary=body["summary"], time_zone=name, app=client_id)
    made.description = body.get("description")
    world.add_calendar(made)
    return metadata(made)


def delete(world: World, account: Account, calendar_id: str) -> None:
    """calendars.delete. Raises ApiError 403 for a primary calendar, 404."""
    calendar = calendar_for(world, account, calendar_id, "owner")
    if calendar.primary:
        message = "Primary calendars cannot be deleted."
        raise ApiError(403, "cannotDeletePrimaryCalendar", message, domain="calendar")
    del world.state.calendars[calendar.id], world.state.events[calendar.id]
    world.state.channels = {key: item for key, item in world.state.channels.items() if item.calendar_id != calendar.id}
    world.changes += 1


def _settings(account: Account) -> dict[str, str]:
    return {"timezone": account.time_zone, "locale": "en", "weekStart": "1", "format24HourTime": "true"}


def list_settings(account: Account) -> Json:
    """settings.list, the few that a scheduling client may read."""
    items = [get_setting(account, name) for name in _settings(account)]
    return {"kind": "calendar#settings", "etag": etag(0), "items": items, "nextSyncToken": secrets.token_urlsafe(12)}


def get_setting(account: Account, name: str) -> Json:
    """settings.get. Raises ApiError 404 for a setting this simulator does not have."""
    value = _settings(account).get(name)
    if value is None:
        raise not_found()
    return {"kind": "calendar#setting", "etag": etag(0), "id": name, "value": value}
