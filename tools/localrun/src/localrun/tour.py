"""`make tour`: a meeting travels through Kafka to mail and calendar, and back, step by step."""

from __future__ import annotations

import asyncio
import html
import os
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from contracts.api.meetings import MeetingView
from contracts.values.enums import (
    CalendarProvider,
    ConnectionStatus,
    ExternalSyncStatus,
    LocationType,
    RsvpStatus,
    UserType,
)
from meetings_client import Caller, ExternalAttendee, MeetingsClient, MeetingsError, NewMeeting
from rich.console import Console

from localrun.addresses import Addresses
from localrun.paths import REPOSITORY
from localrun.people import Person
from localrun.problem import LocalRunError
from localrun.records import RecordPrinter

_PATIENCE_SECONDS = 60.0
_ZONE = "America/Santiago"
Found = TypeVar("Found")


class Tour:
    """The steps, each announced as it is taken. Everything a person could do with the console and a mail."""

    def __init__(
        self, addresses: Addresses, http: httpx.AsyncClient, meetings: MeetingsClient, console: Console
    ) -> None:
        """`http` keeps cookies between the gateway and the simulated world, as a browser would."""
        self._addresses = addresses
        self._host = addresses.people[0]
        self._http = http
        self._meetings = meetings
        self._console = console
        self._guest = f"jane.roe+{uuid.uuid4().hex[:8]}@example.com"

    async def connect_calendar(self) -> str:
        """Connect the host's Google calendar, unless one is connected; the address of its account."""
        connection = await self._meetings.calendar.connection()
        if connection.status is ConnectionStatus.CONNECTED:
            if connection.provider is not CalendarProvider.GOOGLE:
                raise LocalRunError(f"{self._host.name} has connected Outlook. Disconnect it in the console first.")
            self._say(f"{self._host.name}'s Google calendar is connected already, as {connection.calendar_email}")
            return str(connection.calendar_email)
        self._say(f"{self._host.name} connects a Google calendar and consents, as {self._host.email}")
        page = (await self._meetings.calendar.connect(CalendarProvider.GOOGLE)).authorization_url
        scopes = httpx.URL(page).params["scope"].split()
        form = {"account": "other", "other": self._host.email, "scope": scopes, "decision": "allow"}
        done = await self._http.post(page, data=form, follow_redirects=True)
        if done.status_code != 200 or not done.url.path.endswith("/success"):
            raise LocalRunError(f"The calendar was not connected: {done.status_code} at {done.url}")
        return self._host.email

    async def create_meeting(self) -> MeetingView:
        """A meeting a week ahead with a colleague, a client and a guest from outside."""
        self._say(f"{self._host.name} creates a meeting with a colleague, a client and a guest, Jane Roe")
        start = (datetime.now(UTC) + timedelta(days=7)).replace(hour=15, minute=0, second=0, microsecond=0, tzinfo=None)
        began = time.monotonic()
        meeting = await self._meetings.create(
            NewMeeting(
                title="Quarterly portfolio review",
                start_date_time=start,
                end_date_time=start + timedelta(minutes=45),
                timezone=_ZONE,
                location_type=LocationType.ONLINE,
                meeting_link="https://meet.google.com/abc-defg-hij",
                contact_ids=self._addresses.contacts[:1],
                staff_ids=self._addresses.staff[:1],
                external_attendees=[ExternalAttendee(email=self._guest, name="Jane Roe")],
            )
        )
        milliseconds = round((time.monotonic() - began) * 1000)
        self._tell(f"POST /api/v1/meetings: 201 after {milliseconds} ms, {meeting.meeting_uuid}")
        return meeting

    async def read_mail(self, number: int, what: str) -> dict[str, Any]:
        """The guest's first, second, … mail, once it is there."""
        self._say(f"{what} reaches Jane's mailbox")

        async def arrived() -> dict[str, Any] | None:
            listed = (await self._http.get(f"{self._addresses.mail}/api/messages", params={"to": self._guest})).json()
            return listed[-number] if len(listed) >= number else None  # the newest is first

        found = await self._until(arrived, "the mail")
        self._tell(f"“{found['subject']}”, {self._addresses.mail}/messages/{found['id']}")
        mail: dict[str, Any] = (await self._http.get(f"{self._addresses.mail}/api/messages/{found['id']}")).json()
        return mail

    async def accept(self, meeting: MeetingView, mail: Mapping[str, Any]) -> None:
        """Follow the mail's Accept button, and confirm."""
        self._say("Jane accepts, with the button in the mail")
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', mail["html"])]
        accept = httpx.URL(next(link for link in links if "status=ACCEPTED" in link))
        answer = await self._http.put(accept.copy_remove_param("confirm"), json={"status": "ACCEPTED"})
        answer.raise_for_status()

        async def is_shown() -> bool:
            seen = (await self._meetings.get(meeting.meeting_uuid)).meeting
            return any(
                guest.email == self._guest and guest.rsvp_status is RsvpStatus.ACCEPTED for guest in seen.participants
            )

        await self._until(is_shown, "the answer")
        self._tell(f"GET /api/v1/meetings/{meeting.meeting_uuid}: Jane Roe ACCEPTED")

    async def find_event(self, meeting: MeetingView, account: str) -> dict[str, Any]:
        """The meeting's event in the simulated Google calendar, once it is there."""
        self._say("The meeting is in the Google calendar")

        async def is_synced() -> bool:
            seen = (await self._meetings.get(meeting.meeting_uuid)).meeting
            return seen.external_sync_status is ExternalSyncStatus.SYNCED

        await self._until(is_synced, "the calendar")
        listed = (await self._http.get(f"{self._addresses.google}/_control/accounts/{account}/events")).json()
        event: dict[str, Any] = next(
            found["resource"]
            for found in listed
            if meeting.meeting_uuid in found["resource"].get("extendedProperties", {}).get("private", {}).values()
        )
        self._tell(f"“{event['summary']}”, {self._addresses.google}/accounts/{account}")
        return event

    async def move_event(self, meeting: MeetingView, account: str, event: Mapping[str, Any]) -> None:
        """Move the event by an hour in Google, as its owner would, and see the meeting follow."""
        self._say(f"{self._host.name} moves it by an hour in Google; the change comes back")
        hour = timedelta(hours=1)
        body = {side: {**event[side], "dateTime": _later(event[side]["dateTime"], hour)} for side in ("start", "end")}
        path = f"/_control/accounts/{account}/events/{event['id']}"
        (await self._http.patch(f"{self._addresses.google}{path}", json=body)).raise_for_status()

        async def has_moved() -> MeetingView | None:
            seen = (await self._meetings.get(meeting.meeting_uuid)).meeting
            return seen if seen.start_date_time == meeting.start_date_time + hour else None

        moved = await self._until(has_moved, "the change")
        self._tell(
            f"GET /api/v1/meetings/{meeting.meeting_uuid}: starts {moved.start_date_time}, and Jane is mailed again"
        )

    def _say(self, text: str) -> None:
        self._console.print(f"\n{text}", style="bold", markup=False)

    def _tell(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False)

    async def _until(self, ask: Callable[[], Awaitable[Found | None]], what: str) -> Found:
        ends_at = time.monotonic() + _PATIENCE_SECONDS
        while not (found := await ask()):
            if time.monotonic() > ends_at:
                raise LocalRunError(
                    f"The tour waited {_PATIENCE_SECONDS:.0f} s for {what}; the logs say why it did not come."
                )
            await asyncio.sleep(0.1)
        return found


def _later(instant: str, by: timedelta) -> str:
    return (datetime.fromisoformat(instant) + by).isoformat()


def _caller(person: Person) -> Caller:
    return Caller(
        token=person.token,
        tenant_uuid=person.tenant_uuid,
        user_id=person.user_id,
        email=person.email,
        user_type=UserType(person.user_type),
    )


async def run(addresses: Addresses, console: Console) -> None:
    """Take all steps. Raises `LocalRunError` or `MeetingsError` when one fails."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=addresses.gateway, timeout=30, trust_env=False)
        )
        host = _caller(addresses.people[0])
        tour = Tour(addresses, http, MeetingsClient(http, host), console)
        await stack.enter_async_context(RecordPrinter(addresses.console, host.token, console))
        account = await tour.connect_calendar()
        meeting = await tour.create_meeting()
        await tour.accept(meeting, await tour.read_mail(1, "The invitation"))
        await tour.move_event(meeting, account, await tour.find_event(meeting, account))
        await tour.read_mail(2, "The new time")
    console.print(
        f"\nThat took {time.monotonic() - began:.1f} s. Look at it in the console: {addresses.console}", markup=False
    )


def main() -> int:
    """Take the tour beside a run; the exit status."""
    state_dir = Path(os.environ.get("STATE_DIR") or REPOSITORY / ".local")
    console = Console(highlight=False, soft_wrap=True)
    try:
        addresses = Addresses.read(state_dir / "run.json")
    except OSError:
        console.print(f"No platform is ready with the state in {state_dir}. Run `make run` first, in another terminal.")
        return 1
    try:
        asyncio.run(run(addresses, console))
    except (LocalRunError, MeetingsError, httpx.HTTPError) as problem:
        console.print(f"\nThe tour ended early: {problem}", style="bold red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
