"""Free/busy: ``getSchedule``.

Source: https://learn.microsoft.com/graph/api/calendar-getschedule; the error of one schedule inside a 200:
microsoftgraph/microsoft-graph-docs#11225; the limit of 100: microsoft-graph-docs-contrib#5895.
"""

from datetime import datetime, timedelta
from typing import Any

from simulators.microsoft.calendar import properties, recurrence, zones
from simulators.microsoft.calendar.exchange import Exchange
from simulators.microsoft.calendar.recurrence import Occurrence
from simulators.microsoft.graph.errors import GraphError, unreadable_body
from simulators.microsoft.state.records import Account, Event, State

JsonObject = dict[str, Any]

_DIGITS = {"free": 0, "tentative": 1, "busy": 2, "oof": 3, "workingElsewhere": 4, "unknown": 0}
_RANK = {0: 0, 4: 1, 1: 2, 2: 3, 3: 4}
_MOST_SCHEDULES = 100
_MAX_LENGTH = timedelta(days=62)
_WORKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def schedules(state: State, exchange: Exchange, account: Account, body: object, zone: str | None) -> list[JsonObject]:
    """Free/busy of each address, in the order asked. Raises GraphError (400, or 403 for personal accounts)."""
    if account.personal:
        raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    addresses, since, until, interval = _asked(body)
    result = []
    for address in addresses:
        other = state.accounts.get(address.lower())
        if other is None or other.tenant_id != account.tenant_id:
            message = f"Unable to resolve e-mail address {address} to an Active Directory object."
            result.append({"scheduleId": address, "error": {"message": message, "responseCode": "5009"}})
        else:
            own = other is account
            result.append(_schedule(exchange, other, address, since, until, interval, zone or "UTC", details=own))
    return result


def _asked(body: object) -> tuple[list[str], datetime, datetime, timedelta]:
    if not isinstance(body, dict):
        raise unreadable_body("The request body must be a JSON object.")
    given = {str(name).lower(): value for name, value in body.items()}
    addresses = given.get("schedules")
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise unreadable_body("schedules must be a collection of strings.")
    if len(addresses) > _MOST_SCHEDULES:
        raise GraphError(
            400,
            "ErrorMailboxDataArrayTooBig",
            "There are too many target users in the EmailAddress array. The allowed size = "
            f"{_MOST_SCHEDULES}; the actual size = {len(addresses)}.",
        )
    minutes = given.get("availabilityviewinterval", 30)
    if not isinstance(minutes, int) or not 5 <= minutes <= 1440:
        raise GraphError(
            400,
            "ErrorInvalidMergedFreeBusyInterval",
            "The merged free busy interval is invalid. It must be between 5 and 1440 minutes.",
        )
    since = zones.instant(properties.wall_in("UTC", given.get("starttime")), "UTC")
    until = zones.instant(properties.wall_in("UTC", given.get("endtime")), "UTC")
    if until <= since or until - since > _MAX_LENGTH or until - since < timedelta(minutes=minutes):
        raise GraphError(
            400,
            "ErrorInvalidTimeInterval",
            "The time duration specified for FreeBusyViewOptions.TimeWindow is invalid.",
        )
    return addresses, since, until, timedelta(minutes=minutes)


def _schedule(
    exchange: Exchange,
    account: Account,
    address: str,
    since: datetime,
    until: datetime,
    interval: timedelta,
    zone: str,
    *,
    details: bool,
) -> JsonObject:
    busy = [
        (event, occurrence, str((event.properties | occurrence.properties)["showAs"]))
        for event in exchange.events(account, account.default_calendar)
        for occurrence in recurrence.occurrences(event.timing, since, until)
    ]
    busy.sort(key=lambda entry: entry[1].start)
    slots = []
    begin = since
    while begin < until:
        end = min(begin + interval, until)
        digits = [_DIGITS[shown] for _, entry, shown in busy if entry.start < end and entry.end > begin]
        slots.append(str(max(digits, key=_RANK.__getitem__, default=0)))
        begin += interval
    return {
        "scheduleId": address,
        "availabilityView": "".join(slots),
        "scheduleItems": [_item(event, entry, shown, zone, details=details) for event, entry, shown in busy],
        "workingHours": {
            "daysOfWeek": _WORKDAYS,
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": zones.windows_name(account.time_zone)},
        },
    }


def _item(event: Event, occurrence: Occurrence, shown: str, zone: str, *, details: bool) -> JsonObject:
    item: JsonObject = {"status": shown}
    for name, moment in (("start", occurrence.start), ("end", occurrence.end)):
        item[name] = {"dateTime": zones.graph_time(zones.wall_time(moment, zone)), "timeZone": zone}
    known = event.properties | occurrence.properties
    if details:
        private = known["sensitivity"] != "normal"
        item |= {"isPrivate": private}
        if not private:
            item |= {"subject": known["subject"], "location": (known["location"] or {}).get("displayName", "")}
    return item
