"""Writing into Google calendars.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.values.enums import SyncFailureCode

from calendar_sync.providers.errors import CallFailedError, NotFoundError, unavailable_failure
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.html_text import html_of_text, text_of_html
from calendar_sync.providers.parsing import dict_at, dicts_in
from calendar_sync.providers.ports import CalendarAccess, EventRef, Marker, RemoteEvent
from calendar_sync.providers.time_zones import iana_zone_name

Json = dict[str, Any]


_TEXTS = {"title": "summary", "location": "location"}


_MAX_CALENDARS = 20
"""So many calendars of one user are searched for an event that is not where it was."""


_MAX_INSTANCES = 2_500
"""Google shows no more of a series at once."""


_MAX_DESCRIPTION = 8_192
"""Google cuts longer ones."""


MEETING, DEPLOYMENT = "meetingId", "deployment"
"""The keys of the marker in an event's private extended properties."""


class GoogleCalendarWriter:
    """Events in Google calendars. Patches, never updates: what else is in the event is its owner's."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    async def create(self, access: CalendarAccess, marker: Marker, content: EventContent) -> RemoteEvent:
        marks = {
            "id": marker.event_id,
            "extendedProperties": {
                "private": {
                    MEETING: marker.meeting_uuid,
                    DEPLOYMENT: marker.deployment,
                }
            },
        }
        everything = frozenset(EventContent.model_fields)
        return await self._write(content, everything, lambda body: self._call("insert", access, body=body | marks))

    async def find(self, access: CalendarAccess, marker: Marker) -> list[RemoteEvent]:
        try:
            answer = await self._call("get", access, eventId=marker.event_id)
        except NotFoundError:
            return []
        return [_remote(await self._meeting_instance(access, answer), ours=_has_marker(answer, marker))]

    async def read(self, access: CalendarAccess, event_id: str) -> RemoteEvent:
        return _remote(
            await self._meeting_instance(access, await self._call("get", access, eventId=event_id)), ours=True
        )

    async def _meeting_instance(self, access: CalendarAccess, event: Json) -> Json:
        """Of a series that its owner has made of the event, the first instance is still the meeting's.

        An instance is asked for by its instant; for days nothing is documented, so the instances are looked through.
        """
        start = dict_at(event, "start")
        instant, day = start.get("dateTime"), start.get("date")
        if event.get("status") == "cancelled" or not event.get("recurrence") or not (instant or day):
            return event
        sought = {"originalStart": instant, "maxResults": 1} if instant else {"maxResults": _MAX_INSTANCES}
        answer = await self._call("instances", access, eventId=event["id"], showDeleted=True, **sought)
        for instance in dicts_in(answer.get("items")):
            if instant or dict_at(instance, "originalStartTime").get("date") == day:
                return instance
        if answer.get("nextPageToken"):
            raise CallFailedError(unavailable_failure("a series that is too long"))
        return event | {"status": "cancelled"}

    async def locate(self, access: CalendarAccess, marker: Marker, event_id: str) -> RemoteEvent | None:
        """An event keeps its id when it is moved, which leaves a tombstone with the new organizer: the calendar."""
        marks = [f"{MEETING}={marker.meeting_uuid}", f"{DEPLOYMENT}={marker.deployment}"]
        listed = await self._call("list", access, privateExtendedProperty=marks, showDeleted=True)
        here = [event for event in dicts_in(listed.get("items")) if _is_or_has(event, event_id)]
        for event in here:
            if event.get("status") != "cancelled":
                return _remote(await self._meeting_instance(access, event), ours=True)
        for calendar_id in await self._others(access, here):
            event = await self._shown_in(CalendarAccess(access.token, calendar_id), event_id)
            if event and event.get("status") != "cancelled" and _has_marker(event, marker):
                return replace(_remote(event, ours=True), calendar_id=calendar_id)
        return None

    async def _shown_in(self, access: CalendarAccess, event_id: str) -> Json:
        """The event, if this calendar has it and may be read."""
        try:
            return await self._call("get", access, eventId=event_id)
        except NotFoundError:
            return {}
        except CallFailedError as error:
            if error.failure.retryable:
                raise
            return {}

    async def _others(self, access: CalendarAccess, tombstones: list[Json]) -> list[str]:
        """The calendars that a removed event may have been moved to, as far as this grant shows them."""
        organizers = [dict_at(event, "organizer").get("email") for event in tombstones]
        try:
            answer = await self._client.call(
                "calendarList.list", access.token, minAccessRole="writer", maxResults=_MAX_CALENDARS
            )
        except CallFailedError as error:
            if error.failure.retryable:
                raise
            answer = {}  # the user did not allow it
        listed = [calendar.get("id") for calendar in dicts_in(answer.get("items"))]
        others = [found for found in (*organizers, *listed) if isinstance(found, str) and found != access.calendar_id]
        return list(dict.fromkeys(others))[:_MAX_CALENDARS]

    async def change(
        self, access: CalendarAccess, ref: EventRef, content: EventContent, fields: frozenset[str]
    ) -> RemoteEvent:
        def patch(body: Json) -> Awaitable[Json]:
            return self._call("patch", access, etag=ref.etag, eventId=ref.event_id, body=body)

        return await self._write(content, fields, patch)

    async def _write(
        self, content: EventContent, fields: frozenset[str], write: Callable[[Json], Awaitable[Json]]
    ) -> RemoteEvent:
        """Google does not know every zone of IANA's: the same instants are written in UTC where it refuses one."""
        try:
            return _remote(await write(to_provider_event(content, fields)), ours=True)
        except CallFailedError as error:
            when = content.when
            zoned = "when" in fields and not when.all_day and when.zone not in (None, "UTC")
            if not zoned or error.failure.code is not SyncFailureCode.INVALID_REQUEST:
                raise
        in_utc = content.model_copy(update={"when": when.model_copy(update={"zone": "UTC"})})
        return _remote(await write(to_provider_event(in_utc, fields)), ours=True)

    async def remove(self, access: CalendarAccess, ref: EventRef) -> None:
        await self._call("delete", access, etag=ref.etag, eventId=ref.event_id)

    async def _call(self, method: str, access: CalendarAccess, *, etag: str | None = None, **parameters: Any) -> Json:
        return await self._client.call(
            f"events.{method}", access.token, etag=etag, calendarId=access.calendar_id, **parameters
        )


def to_provider_event(content: EventContent, fields: frozenset[str]) -> Json:
    """These fields as Google takes them; the other form of a time is null, so that a patch can change between both."""
    body: Json = {name: getattr(content, field) for field, name in _TEXTS.items() if field in fields}
    if "description" in fields:
        body["description"] = _description(content.description)
    if "when" in fields:
        when = content.when
        for name, moment in (("start", when.starts_at), ("end", when.ends_at)):
            if when.all_day:
                body[name] = {"date": moment.date().isoformat(), "dateTime": None, "timeZone": None}
            else:
                body[name] = {"dateTime": moment.isoformat(), "timeZone": when.zone or "UTC", "date": None}
    return body


def _is_or_has(event: Json, event_id: str) -> bool:
    """Whether it is this event, or the series that this was an instance of: ids of instances begin with its id."""
    shown = str(event.get("id"))
    return event_id == shown or event_id.startswith(f"{shown}_")


def _description(text: str) -> str:
    """Google shows a description as HTML; what is too long as HTML is written as it is."""
    escaped = html_of_text(text)
    return escaped if len(escaped) <= _MAX_DESCRIPTION else text


def _remote(event: Json, *, ours: bool) -> RemoteEvent:
    """Raises CallFailedError when the answer is not what the provider documents."""
    try:
        return RemoteEvent(
            ref=EventRef(event["id"], event["etag"]),
            content=read_content(event),
            ours=ours,
            canceled=event.get("status") == "cancelled",
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CallFailedError(unavailable_failure("unreadable answer")) from None


def read_content(event: Json) -> EventContent:
    """What an event of Google's says; of a tombstone only the id is certain. Raises ValueError, TypeError and such."""
    return EventContent(
        title=event.get("summary") or "",
        when=_NEVER if event.get("status") == "cancelled" else _read_when(event),
        location=event.get("location") or "",
        description=text_of_html(event.get("description") or ""),
    )


def _read_when(event: Json) -> EventTime:
    start, end = event.get("start") or {}, event.get("end") or {}
    if start.get("date"):
        return EventTime.days(_midnight(start["date"]), _midnight(end["date"]) if end.get("date") else None)
    if start.get("dateTime"):
        return EventTime.span(_instant(start), _instant(end) if end.get("dateTime") else None, start.get("timeZone"))
    raise ValueError("an event has no time")


def _instant(time: Json) -> datetime:
    """Has an offset "unless a time zone is explicitly specified" (EventDateTime). Raises ValueError for neither."""
    moment = datetime.fromisoformat(time["dateTime"])
    zone = iana_zone_name(time.get("timeZone"))
    return moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None and zone else moment


def _midnight(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)


def _has_marker(event: Json, marker: Marker) -> bool:
    private = (event.get("extendedProperties") or {}).get("private") or {}
    return (private.get(MEETING), private.get(DEPLOYMENT)) == (marker.meeting_uuid, marker.deployment)


_NEVER = EventTime(starts_at=datetime(1970, 1, 1, tzinfo=UTC), ends_at=datetime(1970, 1, 1, tzinfo=UTC))
