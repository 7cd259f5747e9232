"""Writing into Outlook calendars.

Source: https://learn.microsoft.com/graph/api/resources/event

Times are written in UTC: Graph knows only some zones, and a wall time in an autumn fold is ambiguous there.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts.values.enums import SyncFailureCode
from contracts.values.times import parse_instant

from calendar_sync.providers.accounts import PRIMARY
from calendar_sync.providers.errors import CallFailedError, unavailable_failure
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.html_text import text_of_html, tidied
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.parsing import dicts_in
from calendar_sync.providers.ports import CalendarAccess, EventRef, Marker, RemoteEvent
from calendar_sync.providers.time_zones import iana_zone_name

Json = dict[str, Any]


_SET = "String {7d3c6f0a-5f0e-4d0b-9c53-0a4f1f6f2b61} Name"
"""The namespace of our extended properties, in lower case as Exchange returns it."""


MEETING, DEPLOYMENT = f"{_SET} meetingId", f"{_SET} deployment"


MARKER = f"singleValueExtendedProperties($filter=id eq '{MEETING}' or id eq '{DEPLOYMENT}')"
"""What to ``$expand`` to see the marker."""


_SERIES_SPAN = timedelta(days=400)
"""So far from where it was to be, the first occurrence of a series is looked for."""


class MicrosoftCalendarWriter:
    """Events in Outlook calendars."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def create(self, access: CalendarAccess, marker: Marker, content: EventContent) -> RemoteEvent:
        body = to_provider_event(content, frozenset(EventContent.model_fields)) | {
            # For as long as Graph remembers it, a repeat gets the event that the first one made.
            "transactionId": marker.event_id,
            "singleValueExtendedProperties": [
                {"id": MEETING, "value": marker.meeting_uuid},
                {"id": DEPLOYMENT, "value": marker.deployment},
            ],
        }
        return _remote(await self._call("POST", f"{calendar_path(access)}/events", access, json=body), ours=True)

    async def find(self, access: CalendarAccess, marker: Marker) -> list[RemoteEvent]:
        # The whole mailbox: its owner may have moved the event into another calendar.
        bears = f"ep/id eq '{MEETING}' and ep/value eq '{marker.meeting_uuid}'"
        parameters = {"$filter": f"singleValueExtendedProperties/Any(ep: {bears})", "$expand": MARKER}
        answer = await self._call("GET", "/events", access, params=parameters)
        events = [event for event in answer.get("value", []) if read_marker(event)[1] == marker.deployment]
        events.sort(key=lambda event: str(event.get("createdDateTime")))
        return [_remote(await self._meeting_instance(access, event), ours=True) for event in events]

    async def read(self, access: CalendarAccess, event_id: str) -> RemoteEvent:
        return _remote(
            await self._meeting_instance(access, await self._call("GET", f"/events/{event_id}", access)), ours=True
        )

    async def _meeting_instance(self, access: CalendarAccess, event: Json) -> Json:
        """Of a series that its owner has made of the event, the first occurrence is still the meeting's."""
        if event.get("type") != "seriesMaster":
            return event
        start = _read_when(event).starts_at
        parameters = {
            "startDateTime": (start - _SERIES_SPAN).isoformat(),
            "endDateTime": (start + _SERIES_SPAN).isoformat(),
            "$select": "id,originalStart",
            "$top": "1000",
        }
        answer = await self._call("GET", f"/events/{event['id']}/instances", access, params=parameters)
        for occurrence in dicts_in(answer.get("value")):
            if _is_first(event, start, occurrence.get("originalStart")):
                return await self._call("GET", f"/events/{occurrence['id']}", access)
        if "@odata.nextLink" in answer:
            raise CallFailedError(unavailable_failure("a series that is too long"))
        return event | {"isCancelled": True}

    async def locate(self, access: CalendarAccess, marker: Marker, event_id: str) -> RemoteEvent | None:
        # Ids stay when an event is moved, if that mailbox can give immutable ones; the marker stays in any case.
        found = await self.find(access, marker)
        return next((remote for remote in found if remote.ref.event_id == event_id), found[0] if found else None)

    async def change(
        self, access: CalendarAccess, ref: EventRef, content: EventContent, fields: frozenset[str]
    ) -> RemoteEvent:
        body = to_provider_event(content, fields)
        try:
            answer = await self._change(access, ref, body)
        except CallFailedError as error:
            if error.failure.code is not SyncFailureCode.INVALID_REQUEST or "isAllDay" not in body:
                raise
            # An occurrence of a series stays all day, or not, as the series is.
            answer = await self._change(access, ref, {name: body[name] for name in body if name != "isAllDay"})
        return _remote(answer, ours=True)

    async def _change(self, access: CalendarAccess, ref: EventRef, body: Json) -> Json:
        return await self._call("PATCH", f"/events/{ref.event_id}", access, etag=ref.etag, json=body)

    async def remove(self, access: CalendarAccess, ref: EventRef) -> None:
        await self._call("DELETE", f"/events/{ref.event_id}", access, etag=ref.etag)

    async def _call(self, method: str, path: str, access: CalendarAccess, **options: Any) -> Json:
        return await self._client.call(method, f"/me{path}", access.token, **options)


def _is_first(series: Json, start: datetime, original_start: str | None) -> bool:
    """Whether an occurrence was to begin when its series does.

    Graph gives the instant, which for a whole day is midnight where the series was made; where that is not known, the
    nearest day is meant.
    """
    if original_start is None:
        return False
    begins = parse_instant(original_start)
    if not series.get("isAllDay"):
        return begins == start
    zone = iana_zone_name(series.get("originalStartTimeZone"))
    local = begins.astimezone(ZoneInfo(zone)) if zone else begins + timedelta(hours=12)
    return local.date() == start.date()


def calendar_path(access: CalendarAccess) -> str:
    """Where in the signed-in user's mailbox the calendar is, from ``/me`` on; empty for the main one."""
    return "" if access.calendar_id == PRIMARY else f"/calendars/{access.calendar_id}"


def to_provider_event(content: EventContent, fields: frozenset[str]) -> Json:
    """These fields as Graph takes them."""
    body: Json = {}
    if "title" in fields:
        body["subject"] = content.title
    if "location" in fields:
        body["location"] = {"displayName": content.location}
    if "description" in fields:
        body["body"] = {"contentType": "text", "content": content.description}
    if "when" in fields:
        when = content.when
        body["isAllDay"] = when.all_day
        for name, moment in (("start", when.starts_at), ("end", when.ends_at)):
            body[name] = {"dateTime": moment.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
    return body


def _remote(event: Json, *, ours: bool) -> RemoteEvent:
    """Raises CallFailedError when the answer is not what the provider documents."""
    try:
        return RemoteEvent(
            ref=EventRef(event["id"], event["@odata.etag"]),
            content=read_content(event),
            ours=ours,
            canceled=bool(event.get("isCancelled")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CallFailedError(unavailable_failure("unreadable answer")) from None


def read_content(event: Json) -> EventContent:
    """What an event of Graph's says, in UTC and as text."""
    return EventContent(
        title=event.get("subject") or "",
        when=_read_when(event),
        location=(event.get("location") or {}).get("displayName") or "",
        description=_text(event.get("body") or {}),
    )


def _text(body: Json) -> str:
    """We ask for text, but are not always given it; Exchange makes it of HTML, with links twice."""
    content = body.get("content") or ""
    return tidied(content) if body.get("contentType") == "text" else text_of_html(content)


def _read_when(event: Json) -> EventTime:
    all_day = bool(event.get("isAllDay"))
    read = _date if all_day else _instant
    starts_at, ends_at = read(event["start"]), read(event["end"]) if event.get("end") else None
    return EventTime.days(starts_at, ends_at) if all_day else EventTime.span(starts_at, ends_at)


def _date(value: Json) -> datetime:
    """The day of a dateTimeTimeZone, which is midnight in whatever zone it is shown, as midnight in UTC."""
    return datetime.fromisoformat(value["dateTime"]).replace(tzinfo=UTC)


def _instant(value: Json) -> datetime:
    """A dateTimeTimeZone: seven fractional digits and no offset; in UTC, as we ask, or where Graph says that it is."""
    moment = datetime.fromisoformat(value["dateTime"])
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=ZoneInfo(iana_zone_name(value.get("timeZone")) or "UTC"))


def read_marker(event: Json) -> tuple[str | None, str | None]:
    """The meeting and the deployment that an event read with ``MARKER`` says it is of."""
    found: dict[str, str] = {}
    for stored in event.get("singleValueExtendedProperties") or []:
        found[str(stored.get("id", "")).casefold()] = str(stored.get("value"))
    return found.get(MEETING.casefold()), found.get(DEPLOYMENT.casefold())
