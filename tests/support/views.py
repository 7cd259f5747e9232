"""Calendars as their providers show them: read with a token of the owner's own, and without any code of ours.

Series are shown as their instances; deleted events are not, nor those that their organiser canceled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import requests
from calendar_sync.providers.google import writer as google_calendar
from calendar_sync.providers.microsoft import writer as microsoft_calendar
from msal.exceptions import MsalServiceError  # type: ignore[import-untyped]
from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.outside import Outside

Json = dict[str, Any]
_TIMEOUT = 30.0
_UNWELL = (
    httpx.HTTPError,
    requests.RequestException,
    OAuth2Error,
    MsalServiceError,
    AssertionError,
    LookupError,
    ValueError,
)
"""How the providers' own libraries put it that a login failed."""
_BACK, _AHEAD = timedelta(days=29), timedelta(days=178)


@dataclass(frozen=True)
class Viewed:
    """An event, or one instance of a series; an all-day event is from a midnight to a midnight in UTC."""

    event_id: str
    meeting_uuid: str | None
    """The meeting whose copy it says it is."""
    title: str
    starts: datetime
    ends: datetime
    all_day: bool
    place: str
    text: str
    private: bool
    busy: bool


class View(Protocol):
    """The window of one calendar that the platform looks at, a day narrower at both ends."""

    def read(self) -> list[Viewed]:
        """What is there now. Raises httpx.HTTPError while the provider is unwell."""

    def close(self) -> None: ...


def view_of(outside: Outside, email: str) -> View | None:
    """The owner's view of this calendar; None while the provider's login is unwell."""
    simulator = outside.simulator
    try:
        if isinstance(simulator, Google):
            return _GoogleView(simulator.url, str(simulator.connect(email).token))
        assert isinstance(simulator, Microsoft)
        return _MicrosoftView(simulator.graph(email))
    except _UNWELL:
        return None


class _GoogleView:
    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT, trust_env=False
        )

    def close(self) -> None:
        self._http.close()

    def read(self) -> list[Viewed]:
        return [_of_google(event) for event in self._events()]

    def _events(self) -> Iterator[Json]:
        now = datetime.now(UTC)
        asked = {
            "singleEvents": "true",
            "maxResults": "2500",
            "timeMin": (now - _BACK).isoformat(),
            "timeMax": (now + _AHEAD).isoformat(),
        }
        while True:
            answer = self._http.get("/calendar/v3/calendars/primary/events", params=asked)
            answer.raise_for_status()
            page: Json = answer.json()
            yield from page["items"]
            if "nextPageToken" not in page:
                return
            asked["pageToken"] = page["nextPageToken"]


def _of_google(event: Json) -> Viewed:
    all_day = "date" in event["start"]
    starts, ends = (datetime.fromisoformat(event[name]["date" if all_day else "dateTime"]) for name in ("start", "end"))
    return Viewed(
        event_id=event["id"],
        meeting_uuid=event.get("extendedProperties", {}).get("private", {}).get(google_calendar.MEETING),
        title=event.get("summary", ""),
        starts=starts.replace(tzinfo=UTC) if all_day else starts.astimezone(UTC),
        ends=ends.replace(tzinfo=UTC) if all_day else ends.astimezone(UTC),
        all_day=all_day,
        place=event.get("location", ""),
        text=event.get("description", ""),
        private=event.get("visibility") in ("private", "confidential"),
        busy=event.get("transparency") != "transparent",
    )


class _MicrosoftView:
    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def close(self) -> None:
        self._http.close()

    def read(self) -> list[Viewed]:
        return [_of_microsoft(event) for event in self._events() if not event["isCancelled"]]

    def _events(self) -> Iterator[Json]:
        now = datetime.now(UTC)
        asked: dict[str, str] | None = {
            "startDateTime": (now - _BACK).isoformat(),
            "endDateTime": (now + _AHEAD).isoformat(),
            "$top": "500",
            "$expand": f"singleValueExtendedProperties($filter=id eq '{microsoft_calendar.MEETING}')",
        }
        prefer = 'outlook.timezone="UTC", outlook.body-content-type="text", IdType="ImmutableId"'
        page = "me/calendarView"
        while page:
            answer = self._http.get(page, params=asked, headers={"Prefer": prefer})
            answer.raise_for_status()
            yield from answer.json()["value"]
            page, asked = answer.json().get("@odata.nextLink", ""), None


def _of_microsoft(event: Json) -> Viewed:
    starts, ends = (
        datetime.fromisoformat(event[name]["dateTime"][:19]).replace(tzinfo=UTC) for name in ("start", "end")
    )
    marks = event.get("singleValueExtendedProperties") or [{"value": None}]
    return Viewed(
        event_id=event["id"],
        meeting_uuid=marks[0]["value"],
        title=event["subject"] or "",
        starts=starts,
        ends=ends,
        all_day=event["isAllDay"],
        place=event["location"]["displayName"],
        text=event["body"]["content"].replace("\r\n", "\n").strip(),
        private=event["sensitivity"] in ("private", "confidential", "personal"),
        busy=event["showAs"] in ("busy", "tentative", "oof"),
    )
