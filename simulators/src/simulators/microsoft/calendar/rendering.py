"""From records to the JSON that Graph answers with."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from simulators.microsoft.calendar import bodies, zones
from simulators.microsoft.calendar.recurrence import Occurrence
from simulators.microsoft.state import ids
from simulators.microsoft.state.records import Account, Calendar, Event, Person

JsonObject = dict[str, Any]

CUSTOM_ZONE = "Customized Time Zone"
_COLORS = {"color": "auto", "hexColor": ""}


@dataclass(frozen=True)
class View:
    """How a client wants events: ids, zone of times, bodies, extended properties.

    Without ``time_zone`` times are in UTC; ``as_stored`` keeps the zone of each event, which is what creating an event
    answers with (https://learn.microsoft.com/graph/api/user-post-events, example 3).
    """

    immutable_ids: bool = False
    time_zone: str | None = None
    as_stored: bool = False
    text_bodies: bool = False
    expanded: frozenset[str] = field(default_factory=frozenset)

    def event_id(self, event: Event, date: str | None = None) -> str:
        """The id under which this client knows an event, or an occurrence of it."""
        whole = event.immutable_id if self.immutable_ids else event.item_id
        return whole if date is None else ids.occurrence_id(whole, date)


def etag(event: Event) -> str:
    """The weak entity tag of an event, occurrences included."""
    return f'W/"{ids.change_key(event.immutable_id, event.version)}"'


def event_json(event: Event, view: View, occurrence: Occurrence | None = None) -> JsonObject:
    """An event as GET answers it; with ``occurrence``, that occurrence of the series."""
    date = occurrence.date if occurrence else None
    known = event.properties | (occurrence.properties if occurrence else {})
    item_id, timing = view.event_id(event, date), event.timing
    body: JsonObject = {
        "@odata.etag": etag(event),
        "id": item_id,
        "createdDateTime": zones.graph_instant(event.created_at),
        "lastModifiedDateTime": zones.graph_instant(event.modified_at),
        "changeKey": ids.change_key(event.immutable_id, event.version),
        "categories": known["categories"],
        "transactionId": event.transaction_id,
        "originalStartTimeZone": event.zone_label or timing.start_zone,
        "originalEndTimeZone": event.zone_label or timing.end_zone,
        "iCalUId": _ical_uid(event.ical_uid, date),
        "reminderMinutesBeforeStart": known["reminderMinutesBeforeStart"],
        "isReminderOn": known["isReminderOn"],
        "hasAttachments": False,
        "subject": known["subject"],
        "bodyPreview": bodies.preview(known["body"]),
        "importance": known["importance"],
        "sensitivity": known["sensitivity"],
        "isAllDay": timing.all_day,
        "isCancelled": event.cancelled,
        "isOrganizer": event.is_organizer,
        "responseRequested": known["responseRequested"],
        "seriesMasterId": view.event_id(event) if date else None,
        "showAs": known["showAs"],
        "type": _type(event, occurrence),
        "webLink": f"https://outlook.office365.com/owa/?itemid={quote(item_id, safe='')}&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": known["isOnlineMeeting"],
        "onlineMeetingProvider": known["onlineMeetingProvider"],
        "allowNewTimeProposals": known["allowNewTimeProposals"],
        "isDraft": False,
        "hideAttendees": known["hideAttendees"],
        "responseStatus": {"response": event.response, "time": zones.graph_instant(event.answered_at)},
        "body": bodies.rendered(known["body"], text=view.text_bodies),
        **times_json(event, view, occurrence),
        "location": _location(known["location"]),
        "locations": [_location(place) for place in known["locations"]],
        "recurrence": None if date else timing.recurrence,
        "attendees": [
            {
                "type": guest.kind,
                "status": {"response": guest.response, "time": zones.graph_instant(guest.answered_at)},
                "emailAddress": _address(guest),
            }
            for guest in event.attendees
        ],
        "organizer": {"emailAddress": _address(event.organizer)},
        "onlineMeeting": _online_meeting(known),
    }
    if occurrence is not None and date is not None:
        original = datetime.combine(datetime.fromisoformat(date), timing.start.time())
        body["originalStart"] = zones.graph_instant(zones.instant(original, timing.start_zone))
    if found := {name: event.extended[name] for name in sorted(view.expanded) if name in event.extended}:
        body["singleValueExtendedProperties"] = [{"id": name, "value": value} for name, value in found.items()]
    return body


def delta_json(event: Event, view: View, occurrence: Occurrence | None) -> JsonObject:
    """An item of a delta page. An unchanged occurrence of a series carries hardly more than its times.

    Source: https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/34 (and 5602).
    """
    if occurrence is None or occurrence.date is None or occurrence.changed:
        return {"@odata.type": "#microsoft.graph.event", **event_json(event, view, occurrence)}
    return {
        "@odata.type": "#microsoft.graph.event",
        "@odata.etag": etag(event),
        "seriesMasterId": view.event_id(event),
        "type": "occurrence",
        **times_json(event, view, occurrence),
        "id": view.event_id(event, occurrence.date),
    }


def removed_json(item_id: str) -> JsonObject:
    """A deleted item of a delta page."""
    return {"@odata.type": "#microsoft.graph.event", "id": item_id, "@removed": {"reason": "deleted"}}


def settings_json(account: Account) -> JsonObject:
    """The mailbox settings of which only the time zone is imitated (resources mailboxSettings and customTimeZone)."""
    if account.custom_bias is None:
        return {"timeZone": account.time_zone, "workingHours": {"timeZone": {"name": account.time_zone}}}
    custom = {"@odata.type": "#microsoft.graph.customTimeZone", "name": CUSTOM_ZONE, "bias": account.custom_bias}
    return {"timeZone": CUSTOM_ZONE, "workingHours": {"timeZone": custom}}


def times_json(event: Event, view: View, occurrence: Occurrence | None = None) -> JsonObject:
    """``start`` and ``end`` in the zone the view asks for.

    An all-day event read in UTC keeps its dates; read in a zone that is not its own, its midnights shift.
    """
    timing = event.timing
    start, end = (occurrence.wall_start, occurrence.wall_end) if occurrence else (timing.start, timing.end)
    result: JsonObject = {}
    for name, wall, own in (("start", start, timing.start_zone), ("end", end, timing.end_zone)):
        wanted = own if view.as_stored and view.time_zone is None else view.time_zone or "UTC"
        floating = timing.all_day and wanted == "UTC"
        shown = wall if floating else zones.wall_time(zones.instant(wall, own), wanted)
        result[name] = {"dateTime": zones.graph_time(shown), "timeZone": wanted}
    return result


def calendar_json(account: Account, calendar: Calendar) -> JsonObject:
    """A calendar as GET answers it."""
    return {
        "id": calendar.calendar_id,
        "name": calendar.name,
        **_COLORS,
        "changeKey": ids.change_key(calendar.calendar_id, 1),
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "isDefaultCalendar": calendar.is_default,
        "isRemovable": not calendar.is_default,
        "isTallyingResponses": calendar.is_default,
        "allowedOnlineMeetingProviders": [] if account.personal else ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "unknown" if account.personal else "teamsForBusiness",
        "owner": _address(Person(name=account.name, address=account.email)),
    }


def user_json(account: Account) -> JsonObject:
    """The signed-in user with the default properties of ``/me``."""
    given, _, family = account.name.partition(" ")
    return {
        "businessPhones": [],
        "displayName": account.name,
        "givenName": given,
        "jobTitle": None,
        "mail": account.email if account.has_mail else None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family or None,
        "userPrincipalName": account.principal_name or account.email,
        "id": account.user_id,
    }


def addresses_json(account: Account) -> JsonObject:
    """What ``/me`` says on request: every address of the mailbox, the primary one in capitals (resource user)."""
    further = [] if account.principal_name in ("", account.email) else [f"smtp:{account.principal_name}"]
    return {"proxyAddresses": [f"SMTP:{account.email}", *further]}


def _type(event: Event, occurrence: Occurrence | None) -> str:
    if event.timing.recurrence is None:
        return "singleInstance"
    if occurrence is None or occurrence.date is None:
        return "seriesMaster"
    return "exception" if occurrence.changed else "occurrence"


def _ical_uid(uid: str | None, date: str | None) -> str | None:
    """Each occurrence has a UID of its own: Exchange writes its date into bytes 17 to 20 (MS-OXOCAL 2.2.1.27)."""
    if uid is None or date is None or len(uid) < 40:
        return uid
    year, month, day = (int(part) for part in date.split("-"))
    return f"{uid[:32]}{year:04X}{month:02X}{day:02X}{uid[40:]}"


def _address(person: Person) -> JsonObject:
    return {"name": person.name, "address": person.address}


def _location(place: JsonObject | None) -> JsonObject:
    if not place:
        nowhere = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"}
        return {**nowhere, "address": {}, "coordinates": {}}
    name = place.get("displayName", "")
    return {"locationType": "default", "uniqueId": name, "uniqueIdType": "private"} | place | {"displayName": name}


def _online_meeting(known: JsonObject) -> JsonObject | None:
    url = bodies.join_url(known["body"]) if known["isOnlineMeeting"] else None
    return {"joinUrl": url} if url else None
