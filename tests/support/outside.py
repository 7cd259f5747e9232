"""The simulated calendars of a running platform's hosts: connected as in a browser, read as their owners see them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
from calendar_sync.providers.google import writer as google_calendar
from calendar_sync.providers.microsoft import writer as microsoft_calendar
from localrun.platform import Platform
from simulators.google.settings import Settings as GoogleSettings
from simulators.google.testing import Google
from simulators.microsoft.settings import Settings as MicrosoftSettings
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import Consents, GoogleConsents, MicrosoftConsents
from tests.support.callers import Caller, done
from tests.support.waiting import until

Json = dict[str, Any]
CALENDAR = "/api/v1/calendar"


@dataclass(frozen=True, order=True)
class Shown:
    """An event as the owner of a calendar sees it. ``start`` and ``end`` are instants, or dates of all-day events."""

    meeting_uuid: str | None
    title: str
    start: str
    end: str
    location: str


class Simulator(Protocol):
    """What both simulators' clients can do."""

    url: str
    browser: httpx.Client

    def control(self, verb: str, path: str, body: Any = None) -> Any: ...

    def fault(self, kind: str, **more: Any) -> str: ...


class Outside:
    """One provider, and the calendars in it."""

    def __init__(self, name: str, simulator: Simulator, consents: Consents) -> None:
        """``name`` as it stands in the gateway's paths."""
        self.name = name
        self.simulator = simulator
        self.consents = consents

    async def connect(self, caller: Caller, email: str) -> None:
        """The caller connects the calendar of this address, which must succeed."""
        begun = done(await caller.post(f"{CALENDAR}/connect/{self.name}"))
        query = self.consents.agree(begun["authorizationUrl"], email)
        back = await caller.get(f"{CALENDAR}/callback/{self.name}", **query)
        assert back.status_code == 302, back.text
        assert back.headers["location"].startswith(f"{CALENDAR}/callback/success"), back.headers["location"]

    def events(self, email: str) -> list[Shown]:
        """Every event that the account's owner sees now, in order."""
        listed = self.simulator.control("GET", f"accounts/{email}/events")
        read = _google_event if self.name == "google" else _microsoft_event
        return sorted(shown for event in listed if (shown := read(event)) is not None)

    async def shows(self, email: str, *titles: str, within: float = 30.0) -> list[Shown]:
        """The account's events, once they are those with these titles and no others."""

        async def found() -> list[Shown] | None:
            events = self.events(email)
            return events if sorted(one.title for one in events) == sorted(titles) else None

        if titles:
            return await until(found, what=f"{email} shows {titles}", within=within)

        async def empty() -> bool:
            return not self.events(email)

        await until(empty, what=f"{email} shows nothing", within=within)
        return []


async def disconnect(caller: Caller) -> None:
    """The caller's calendar is disconnected, if it is connected."""
    answer = await caller.post(f"{CALENDAR}/disconnect")
    assert answer.status_code in (200, 409), answer.text


@contextmanager
def outsides(platform: Platform) -> Iterator[dict[str, Outside]]:
    """Both providers of a running platform, by name."""
    known = {name: platform.processes[name].env or {} for name in ("google", "microsoft")}
    with ExitStack() as opened:
        google_settings = GoogleSettings.model_validate(_client(known["google"], "google"))
        google = opened.enter_context(Google(platform.addresses.google, google_settings))
        microsoft_settings = MicrosoftSettings.model_validate(_client(known["microsoft"], "microsoft"))
        microsoft = opened.enter_context(Microsoft(platform.addresses.microsoft, microsoft_settings))
        yield {
            "google": Outside("google", google, GoogleConsents(google)),
            "outlook": Outside("outlook", microsoft, MicrosoftConsents(microsoft)),
        }


def _client(env: Mapping[str, str], provider: str) -> dict[str, str]:
    """Who calendar-sync is to a provider, so that tests can get tokens of the same kind."""
    return {name: env[name.upper()] for name in (f"{provider}_client_id", f"{provider}_client_secret")}


def expected(meeting: Json) -> Shown:
    """What a meeting's copy shows; the meeting as the API answers it, timed and in UTC."""
    assert meeting["timezone"] == "UTC"
    assert not meeting["allDay"]
    start, end = (
        datetime.fromisoformat(meeting[name]).replace(tzinfo=UTC) for name in ("startDateTime", "endDateTime")
    )
    place = meeting["locationDetail"] or meeting["meetingLink"] or ""
    return Shown(meeting["meetingUuid"], meeting["title"], start.isoformat(), end.isoformat(), place)


async def sees_sync(caller: Caller, meeting: Json, status: str, *, within: float = 30.0) -> Json:
    """The meeting, once its ``externalSyncStatus`` is this."""

    async def found() -> Json | None:
        seen = await caller.sees(meeting)
        return seen if seen["externalSyncStatus"] == status else None

    return await until(found, what=f"{meeting['title']} is {status}", within=within)


def _google_event(event: Json) -> Shown | None:
    resource = event["resource"]
    if resource["status"] == "cancelled":
        return None
    content = google_calendar.read_content(resource)
    private = resource.get("extendedProperties", {}).get("private", {})
    return _shown(private.get(google_calendar.MEETING), content)


def _microsoft_event(event: Json) -> Shown | None:
    return _shown(event["extendedProperties"].get(microsoft_calendar.MEETING), microsoft_calendar.read_content(event))


def _shown(meeting_uuid: str | None, content: Any) -> Shown:
    when = content.when
    start, end = (
        moment.date().isoformat() if when.all_day else moment.isoformat() for moment in (when.starts_at, when.ends_at)
    )
    return Shown(meeting_uuid, content.title, start, end, content.location)


def faulty(answer: httpx.Response) -> bool:
    """Whether the platform asked to come again: allowed while its parts are killed."""
    return answer.status_code in (202, 503)
