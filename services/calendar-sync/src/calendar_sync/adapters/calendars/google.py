"""Google Calendar, with Google's own client library: the requests and their order are ours, the protocol is its.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events

The library blocks and its transport is not thread-safe: calls run in threads, each with a transport of its own
(https://googleapis.github.io/google-api-python-client/docs/thread_safety.html). It is loaded at the first call, because
it is large. The library's own retries stay off: they ignore Retry-After.
"""

import json
import threading
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import structlog

from calendar_sync.adapters.oauth.calling import Threads, retry_after
from calendar_sync.application.writing import Access, Held, Marker, Remote
from calendar_sync.domain.event import EventContent, When
from calendar_sync.domain.failures import CallFailedError, MissingError, problem, unavailable

log = structlog.get_logger()

Json = dict[str, Any]
_TEXTS = {"title": "summary", "location": "location", "description": "description"}
MEETING, DEPLOYMENT, NUMBER = "meetingId", "deployment", "generation"
"""The keys of the marker in an event's private extended properties."""


class GoogleCalendar:
    """Events in Google calendars. Patches, never updates: what else is in the event is its owner's."""

    def __init__(self, *, api_url: str, timeout: float, threads: int) -> None:
        """``api_url`` without a slash at the end; ``timeout`` in seconds, for one call; ``threads``: calls at once."""
        self._api_url = api_url
        self._timeout = timeout
        self._threads = Threads("google-calendar", threads)
        self._own = threading.local()
        self._transports: list[Any] = []
        self._building = threading.Lock()

    def close(self) -> None:
        """Let threads and connections go."""
        self._threads.close()
        for transport in self._transports:
            transport.close()

    async def create(self, access: Access, marker: Marker, content: EventContent) -> Remote:
        body = written(content, frozenset(EventContent.model_fields)) | {
            "id": marker.event_id,
            "extendedProperties": {
                "private": {
                    MEETING: marker.meeting_uuid,
                    DEPLOYMENT: marker.deployment,
                    NUMBER: str(marker.number),
                }
            },
        }
        answer = await self._call("insert", access, body=body)
        return _remote(answer, ours=True)

    async def find(self, access: Access, marker: Marker) -> list[Remote]:
        try:
            answer = await self._call("get", access, eventId=marker.event_id)
        except MissingError:
            return []
        return [_remote(answer, ours=_bears(answer, marker))]

    async def read(self, access: Access, event_id: str) -> Remote:
        return _remote(await self._call("get", access, eventId=event_id), ours=True)

    async def change(self, access: Access, held: Held, content: EventContent, fields: frozenset[str]) -> Remote:
        answer = await self._call("patch", access, etag=held.etag, eventId=held.event_id, body=written(content, fields))
        return _remote(answer, ours=True)

    async def remove(self, access: Access, held: Held) -> None:
        await self._call("delete", access, etag=held.etag, eventId=held.event_id)

    async def _call(self, method: str, access: Access, *, etag: str | None = None, **parameters: Any) -> Json:
        parameters["calendarId"] = access.calendar_id
        return await self._threads.run(self._call_blocking, method, access.token, etag, parameters)

    def _call_blocking(self, method: str, token: str, etag: str | None, parameters: Json) -> Json:
        from googleapiclient.errors import HttpError  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load
        from httplib2 import HttpLib2Error  # type: ignore[import-untyped]  # noqa: PLC0415

        request = getattr(self._events, method)(**parameters)
        request.headers["authorization"] = f"Bearer {token}"
        if etag is not None:
            request.headers["If-Match"] = etag
        try:
            answer: Json = request.execute(http=self._transport(), num_retries=0) or {}
        except HttpError as error:
            raise problem(
                int(error.resp.status), _reason(error.content), retry_after=retry_after(error.resp)
            ) from None  # it carries the request
        except (OSError, HttpLib2Error) as error:
            raise CallFailedError(unavailable(type(error).__name__)) from None
        return answer

    @cached_property
    def _service(self) -> Any:
        from googleapiclient.discovery import build  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load
        from httplib2 import Http  # noqa: PLC0415

        # The description of the API comes with the library: nothing is downloaded.
        return build(
            "calendar",
            "v3",
            http=Http(),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": f"{self._api_url}/calendar/v3/"},
        )

    @property
    def _events(self) -> Any:
        with self._building:
            return self._service.events()

    def _transport(self) -> Any:
        from httplib2 import Http  # noqa: PLC0415 slow to load

        if not hasattr(self._own, "transport"):
            self._own.transport = Http(timeout=self._timeout)
            self._transports.append(self._own.transport)
        return self._own.transport


def written(content: EventContent, fields: frozenset[str]) -> Json:
    """These fields as Google takes them; the other form of a time is null, so that a patch can change between both."""
    body: Json = {name: getattr(content, field) for field, name in _TEXTS.items() if field in fields}
    if "when" in fields:
        when = content.when
        for name, moment in (("start", when.starts_at), ("end", when.ends_at)):
            if when.all_day:
                body[name] = {"date": moment.date().isoformat(), "dateTime": None, "timeZone": None}
            else:
                body[name] = {"dateTime": moment.isoformat(), "timeZone": when.zone or "UTC", "date": None}
    return body


def _remote(event: Json, *, ours: bool) -> Remote:
    """Raises CallFailedError when the answer is not what the provider documents."""
    try:
        return Remote(
            held=Held(event["id"], event["etag"]),
            content=read_content(event),
            ours=ours,
            canceled=event.get("status") == "cancelled",
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CallFailedError(unavailable("unreadable answer")) from None


def read_content(event: Json) -> EventContent:
    """What an event of Google's says; of a tombstone only the id is certain, so it says nothing."""
    return EventContent(
        title=event.get("summary") or "",
        when=_read_when(event),
        location=event.get("location") or "",
        description=event.get("description") or "",
    )


def _read_when(event: Json) -> When:
    start, end = event.get("start") or {}, event.get("end") or {}
    if start.get("date") and end.get("date"):
        return When(starts_at=_midnight(start["date"]), ends_at=_midnight(end["date"]), all_day=True)
    if start.get("dateTime") and end.get("dateTime"):
        return When(
            starts_at=datetime.fromisoformat(start["dateTime"]),
            ends_at=datetime.fromisoformat(end["dateTime"]),
            zone=start.get("timeZone"),
        )
    return When(starts_at=_NEVER, ends_at=_NEVER)


def _midnight(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)


def _bears(event: Json, marker: Marker) -> bool:
    private = (event.get("extendedProperties") or {}).get("private") or {}
    return (private.get(MEETING), private.get(DEPLOYMENT)) == (marker.meeting_uuid, marker.deployment)


def _reason(content: bytes) -> str:
    """The reason in Google's error envelope; empty when there is none."""
    try:
        error = json.loads(content)["error"]
        return str(error["errors"][0]["reason"]) if error.get("errors") else ""
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
