"""What happens in connected calendars shows on the platform, and nothing of it happens twice or mails by itself."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts.transport.topics import CALENDAR_NOTIFICATIONS
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, calling, done, path_of, refused
from tests.support.inbox import Inbox
from tests.support.newcomers import hired
from tests.support.outside import Json, Outside, disconnect, outsides, sees_sync
from tests.support.owners import LENGTH, Owner, in_days
from tests.support.topics import recording
from tests.support.waiting import until

pytestmark = pytest.mark.e2e
SYNC = "/api/v1/calendar/sync"
SEARCH = "/api/v2/meetings"


def new_title() -> str:
    return f"Event {uuid7_hex()}"


def new_address() -> str:
    return f"{uuid7_hex().lower()}@example.org"


@pytest.fixture(scope="module")
def both(platform: Platform) -> Iterator[dict[str, Outside]]:
    with outsides(platform) as found:
        yield found


@dataclass
class Office:
    """A user of the platform, and their hand in the calendar that they have connected."""

    user: Caller
    owner: Owner

    async def connect(self) -> None:
        await disconnect(self.user)
        await self.owner.outside.connect(self.user, self.owner.email)

    async def called(self, title: str) -> list[Json]:
        """The meetings on the user's calendar that are called so, by their beginnings."""
        called = {"field": "title", "operator": "STARTS_WITH", "value": title}
        found: list[Json] = done(await self.user.post(SEARCH, {"filters": [called], "size": 100}))["content"]
        return sorted(found, key=lambda one: str(one["startDateTime"]))

    async def shows(self, title: str, *starts: datetime) -> list[Json]:
        """The meetings that are called so, once they begin at these UTC instants and at no others."""
        wanted = [f"{at:%Y-%m-%dT%H:%M:%S}" for at in sorted(starts)]

        async def found() -> list[Json] | None:
            meetings = await self.called(title)
            return meetings if [one["startDateTime"] for one in meetings] == wanted else None

        return await until(found, what=f"{self.owner.email} shows {title} at {wanted}", within=30)

    async def lacks(self, title: str) -> None:
        async def found() -> bool:
            return not await self.called(title)

        await until(found, what=f"{self.owner.email} does not show {title}", within=30)

    async def synced(self) -> Json:
        """What a pull at the user's request did."""
        return done(await self.user.post(SYNC))

    async def hosts(self, **changes: Any) -> Json:
        """A meeting of the user's own, in the window, once its copy is in their calendar."""
        at = in_days(3)
        times = {"startDateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "endDateTime": f"{at + LENGTH:%Y-%m-%dT%H:%M:%S}"}
        meeting = await self.user.creates(**{"title": new_title(), "timezone": "UTC"} | times | changes)
        return await sees_sync(self.user, meeting, "SYNCED")

    async def sees(self, meeting: Json, holds: Callable[[Json], bool], what: str) -> Json:
        """The meeting, once this holds of it."""

        async def found() -> Json | None:
            seen = await self.user.sees(meeting)
            return seen if holds(seen) else None

        return await until(found, what=f"{meeting['title']} {what}", within=30)

    def lose_hints(self) -> None:
        self.owner.outside.simulator.fault("notification_loss", account=self.owner.email)

    def mend(self) -> None:
        self.owner.outside.simulator.control("DELETE", "faults")


@pytest.fixture(params=["google", "outlook"])
async def office(request: pytest.FixtureRequest, both: dict[str, Outside], platform: Platform) -> AsyncIterator[Office]:
    """Somebody new, with a calendar that nobody else has, at each provider."""
    async with hired(platform, "Olivia") as olivia:
        office = Office(olivia, Owner(both[request.param], new_address()))
        await office.connect()
        yield office
        office.mend()
        with suppress(AssertionError):
            await disconnect(olivia)


@pytest.fixture
async def colleague(office: Office, platform: Platform) -> AsyncIterator[Office]:
    """Somebody else who is new, with a calendar at the same provider."""
    async with hired(platform, "Pablo") as pablo:
        colleague = Office(pablo, Owner(office.owner.outside, new_address()))
        await colleague.connect()
        yield colleague
        with suppress(AssertionError):
            await disconnect(pablo)


async def test_what_is_not_known_of_a_calendar_is_not_free(office: Office) -> None:
    async def status(days: int, *, hour: int = 10) -> str:
        opens = in_days(days, hour=hour)
        when = {"startDateTime": f"{opens:%Y-%m-%dT%H:%M:%S}", "endDateTime": f"{opens + LENGTH:%Y-%m-%dT%H:%M:%S}"}
        asked = {"userUuids": [office.user.user_id], **when}
        answer = done(await office.user.post("/api/v1/availability/check", asked))
        return str(answer["availabilities"][0]["status"])

    async def becomes(wanted: str, days: int) -> None:
        async def is_so() -> bool:
            return await status(days) == wanted

        await until(is_so, what=f"the user is {wanted} in {days} days")

    title = new_title()
    office.owner.makes(title, in_days(2))
    office.owner.makes(new_title(), in_days(300))
    await office.shows(title, in_days(2))
    await becomes("AVAILABLE", 3)
    assert [await status(2), await status(300), await status(-60)] == ["BUSY", "UNKNOWN", "UNKNOWN"]

    office.owner.outside.consents.withdraw(office.owner.email)
    office.owner.makes(new_title(), in_days(4))  # so that the calendar is read
    await becomes("UNKNOWN", 3)
    assert await status(2) == "BUSY", "what was read stays"


async def test_a_colleague_who_declines_in_their_own_calendar_has_declined(office: Office, colleague: Office) -> None:
    at = in_days(3)
    meeting = await office.hosts(staffIds=[colleague.user.user_id])
    event = colleague.owner.is_invited(meeting, at)
    when = {"startDateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "endDateTime": f"{at + LENGTH:%Y-%m-%dT%H:%M:%S}"}

    async def status() -> str:
        asked = {"userUuids": [colleague.user.user_id], **when}
        answer = done(await office.user.post("/api/v1/availability/check", asked))
        return str(answer["availabilities"][0]["status"])

    assert await status() == "BUSY"
    (invited,) = await colleague.shows(meeting["title"], at)
    assert invited["meetingUuid"] == meeting["meetingUuid"], "the invitation is no second meeting"
    assert (await colleague.synced())["imported"] == 0
    colleague.owner.declines(event)
    await office.sees(meeting, lambda one: one["participants"][0]["rsvpStatus"] == "DECLINED", "is declined")
    assert await status() != "BUSY"


# --- external events --------------------------------------------------------------------------------------------


async def test_an_external_event_is_a_meeting_for_as_long_as_it_is_there(office: Office) -> None:
    title, owner = new_title(), office.owner
    event = owner.makes(title, in_days(2), place="Plaza de Armas")
    (meeting,) = await office.shows(title, in_days(2))
    seen = await office.user.sees(meeting)
    provider = {"google": "GOOGLE", "outlook": "OUTLOOK"}[owner.outside.name]
    assert (seen["source"], seen["status"], seen["showExternalCalendarIcon"]) == (provider, "ACTIVE", True)
    assert (seen["locationDetail"], seen["externallyOrganized"]) == ("Plaza de Armas", False)
    assert (seen["canEdit"], seen["canCancel"], seen["canResend"]) == (False, False, False)
    assert (seen["hostUuid"], seen["hostName"]) == (office.user.user_id, "Olivia Newcomer")
    refused(await office.user.put(path_of(meeting), {"title": "Mine"}), 409, "BE0422")

    owner.moves(event, in_days(4))
    (moved,) = await office.shows(title, in_days(4))
    assert moved["meetingUuid"] == meeting["meetingUuid"]
    owner.renames(event, renamed := new_title())
    await office.shows(renamed, in_days(4))
    owner.deletes(event)
    await office.lacks(renamed)


async def test_what_was_there_before_comes_with_the_connection_and_goes_with_it(office: Office) -> None:
    await disconnect(office.user)
    title = new_title()
    office.owner.makes(title, in_days(1))
    office.owner.makes(title, in_days(200))
    office.owner.makes(title, in_days(-40))
    await office.connect()
    await office.shows(title, in_days(1))
    await disconnect(office.user)
    await office.lacks(title)


async def test_the_instances_of_a_series_are_meetings(office: Office) -> None:
    title, first = new_title(), in_days(1)
    series = office.owner.makes_daily(title, first, 3)
    days = [first + timedelta(days=number) for number in range(3)]
    meetings = await office.shows(title, *days)
    assert len({one["meetingUuid"] for one in meetings}) == 3
    if office.owner.outside.name == "google":
        later = days[1] + timedelta(hours=3)
        office.owner.moves(f"{series}_{days[1]:%Y%m%dT%H%M%SZ}", later)
        office.owner.deletes(f"{series}_{days[2]:%Y%m%dT%H%M%SZ}")
        moved = await office.shows(title, days[0], later)
        assert [one["meetingUuid"] for one in moved] == [one["meetingUuid"] for one in meetings[:2]]
    office.owner.deletes(series)
    await office.lacks(title)


async def test_whole_days_private_and_free_events(office: Office, daniel: Caller) -> None:
    day, owner = in_days(6), office.owner
    titles = {name: new_title() for name in ("day", "free", "private")}
    owner.makes(titles["day"], day, all_day=True)
    owner.makes_free(titles["free"], in_days(7, hour=8))
    private = in_days(8, hour=9)
    owner.makes_private(titles["private"], private)
    (whole,) = await office.shows(titles["day"], day.replace(hour=0))
    seen = await office.user.sees(whole)
    assert seen["allDay"]
    assert seen["startDateTime"][:10] == day.date().isoformat()
    await office.shows(titles["free"], in_days(7, hour=8))
    await office.shows("Busy", private)
    assert await office.called(titles["private"]) == []

    times = (in_days(7, hour=8), private)
    assert [await _availability(daniel, office.user, at) for at in times] == ["AVAILABLE", "BUSY"]


async def _availability(asking: Caller, about: Caller, at: datetime) -> str:
    body = {
        "userUuids": [about.user_id],
        "startDateTime": f"{at:%Y-%m-%dT%H:%M:%S}",
        "endDateTime": f"{at + LENGTH:%Y-%m-%dT%H:%M:%S}",
        "timezone": "UTC",
    }
    (one,) = done(await asking.post("/api/v1/availability/check", body))["availabilities"]
    return str(one["status"])


@pytest.mark.parametrize("office", ["google"], indirect=True)  # Graph has no events of that kind
async def test_a_working_location_is_no_meeting(office: Office) -> None:
    at, title = in_days(5), new_title()
    office.owner.makes(
        title,
        at,
        eventType="workingLocation",
        workingLocationProperties={"type": "homeOffice", "homeOffice": {}},
        visibility="public",
        transparency="transparent",
    )
    other = new_title()
    office.owner.makes(other, at)
    await office.shows(other, at)
    assert await office.called(title) == []


async def test_an_event_in_two_peoples_calendars_is_one_meeting(office: Office, colleague: Office) -> None:
    title, at = new_title(), in_days(2)
    event = office.owner.invites(title, at, [colleague.owner.email])
    (mine,) = await office.shows(title, at)
    (theirs,) = await colleague.shows(title, at)
    assert mine["meetingUuid"] == theirs["meetingUuid"]

    def is_hosts(seen: Json) -> bool:
        return bool(seen["hostUuid"] == office.user.user_id)

    await colleague.sees(theirs, is_hosts, "is its organiser's")
    office.owner.deletes(event)
    await office.lacks(title)
    await colleague.lacks(title)


async def test_a_pull_tells_what_it_did(office: Office) -> None:
    await office.synced()
    office.lose_hints()
    titles = [new_title() for _ in range(3)]
    events = [office.owner.makes(title, in_days(2)) for title in titles]
    done_so = {"status": "COMPLETED", "imported": 3, "updated": 0, "removed": 0}
    assert await office.synced() == done_so
    office.owner.renames(events[0], new_title())
    office.owner.deletes(events[1])
    assert await office.synced() == done_so | {"imported": 0, "updated": 1, "removed": 1}
    assert await office.synced() == done_so | {"imported": 0}
    await office.shows(titles[2], in_days(2))


# --- our own ----------------------------------------------------------------------------------------------------


async def test_what_the_host_does_to_a_copy_happens_to_the_meeting(office: Office, platform: Platform) -> None:
    guest = new_address()
    meeting = await office.hosts(externalAttendees=[{"email": guest, "name": "Jane Roe"}])
    inbox = Inbox(platform.addresses.mail, guest)
    await inbox.mails(1)
    copy = office.owner.copy_of(meeting)

    renamed = new_title()
    office.owner.renames(copy, renamed)
    await office.sees(meeting, lambda seen: bool(seen["title"] == renamed), "is renamed")
    later = in_days(5, hour=15)
    office.owner.moves(copy, later)
    moved = await office.sees(
        meeting, lambda seen: bool(seen["startDateTime"] == f"{later:%Y-%m-%dT%H:%M:%S}"), "is moved"
    )
    assert (moved["title"], moved["source"]) == (renamed, "INTERNAL")
    await sees_sync(office.user, meeting, "SYNCED")
    mails = await inbox.mails(2)  # of the move alone
    assert renamed in mails[1]["subject"]

    office.owner.deletes(copy)
    await office.sees(meeting, lambda seen: bool(seen["status"] == "CANCELED"), "is canceled")
    assert len(await inbox.mails(3)) == 3


async def test_what_the_platform_writes_is_nothing_new_when_it_comes_back(office: Office) -> None:
    meeting = await office.hosts()
    version = (await office.user.sees(meeting))["updatedAt"]
    changed = await office.user.changes(meeting, title=new_title())
    await sees_sync(office.user, changed, "SYNCED")
    settled = (await office.user.sees(meeting))["updatedAt"]
    assert settled > version
    assert await office.synced() == {"status": "COMPLETED", "imported": 0, "updated": 0, "removed": 0}
    assert (await office.user.sees(meeting))["updatedAt"] == settled
    assert len(await office.called(changed["title"])) == 1


async def test_so_many_deletions_at_once_cancel_nothing(office: Office) -> None:
    meetings = [await office.hosts() for _ in range(11)]
    copies = [office.owner.copy_of(meeting) for meeting in meetings]
    await office.synced()
    office.lose_hints()
    for copy in copies:
        office.owner.deletes(copy)
    await office.synced()
    for meeting in meetings:
        failed = await sees_sync(office.user, meeting, "FAILED")
        assert (failed["status"], failed["syncFailureCode"]) == ("ACTIVE", "EVENT_CONFLICT")
    done(await office.user.post(f"{path_of(meetings[0])}/sync"))
    await sees_sync(office.user, meetings[0], "SYNCED")
    office.owner.copy_of(meetings[0])


# --- hints ------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """The push channel of an office's calendar, and what its provider sends through it."""

    webhook: str
    channel: Json
    is_google: bool

    async def tells(self, http: httpx.AsyncClient) -> httpx.Response:
        """What the provider sends when something changed."""
        if self.is_google:
            return await self.google(http, self.channel["id"], self.channel["token"])
        return await self.outlook(http, self.channel["client_state"])

    async def google(self, http: httpx.AsyncClient, channel_id: str, token: str) -> httpx.Response:
        headers = {"X-Goog-Channel-ID": channel_id, "X-Goog-Channel-Token": token, "X-Goog-Resource-State": "exists"}
        return await http.post(f"{self.webhook}/api/v1/webhooks/google", headers=headers)

    async def outlook(self, http: httpx.AsyncClient, *client_states: str) -> httpx.Response:
        told = {"changeType": "updated", "resource": "me/events", "subscriptionId": self.channel["subscription_id"]}
        body = {"value": [told | {"clientState": one} for one in client_states]}
        return await http.post(f"{self.webhook}/api/v1/webhooks/outlook", json=body)


@pytest.fixture
async def line(platform: Platform, office: Office) -> Line:
    """Read from where the simulator keeps its secrets: nobody else knows them."""
    is_google = office.owner.outside.name == "google"
    file, name, whose = ("google", "channels", "account") if is_google else ("microsoft", "subscriptions", "email")

    async def found() -> Json | None:
        kept = platform.state_dir / f"{file}.json"
        state = json.loads(kept.read_text()) if kept.exists() else {name: {}}
        return next((one for one in state[name].values() if one[whose] == office.owner.email), None)

    channel = await until(found, what="the simulator has written its channels down")
    return Line(platform.addresses.services["webhook-ingest"], channel, is_google)


async def test_a_flood_of_notifications_causes_few_pulls_and_hides_nothing(office: Office, line: Line) -> None:
    await office.synced()
    before, began = office.owner.reads(), time.monotonic()
    title = new_title()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for number in range(40):
            answers = await asyncio.gather(*(line.tells(http) for _ in range(50)))
            assert {answer.status_code for answer in answers} == {200}
            if number == 20:
                office.owner.makes(title, in_days(2))
    await office.shows(title, in_days(2))
    await office.synced()
    assert office.owner.reads() - before <= 2 * (time.monotonic() - began) + 3  # a pull each half second


async def test_forged_notifications_are_not_handed_on(office: Office, line: Line, platform: Platform) -> None:
    channel_id = line.channel["id"] if line.is_google else line.channel["client_state"].partition(".")[0]
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
        recording(platform.addresses.kafka, CALENDAR_NOTIFICATIONS.name) as told,
    ):
        if line.is_google:
            assert (await line.google(http, uuid7_hex(), line.channel["token"])).status_code == 403
            assert (await line.google(http, channel_id, "guessed")).status_code == 403
        else:
            forged = ("guessed", f"{channel_id}.guessed", f"{uuid7_hex()}.guessed")
            assert (await line.outlook(http, *forged)).status_code == 200

        assert (await line.tells(http)).status_code == 200
        await told.first(
            lambda record: channel_id.encode() in (record.value or b""), what="the true notification is handed on"
        )
        assert len([record for record in told.records if channel_id.encode() in (record.value or b"")]) == 1


async def test_calendars_are_read_without_any_notification(free_port_offset: int, tmp_path: Path) -> None:
    often = {"calendar-sync": {"POLL_INTERVAL": "1"}}
    with Platform.start(tmp_path / "platform", port_offset=free_port_offset, env_overrides=often) as deaf:
        deaf.processes["webhook-ingest"].kill()
        with outsides(deaf) as both:
            for person, outside in zip(deaf.addresses.people, (both["google"], both["outlook"]), strict=False):
                async with calling(deaf.addresses.gateway, person) as user:
                    office = Office(user, Owner(outside, new_address()))
                    await office.connect()
                    title = new_title()
                    event = office.owner.makes(title, in_days(2))
                    await office.shows(title, in_days(2))
                    office.owner.deletes(event)
                    await office.lacks(title)


@pytest.mark.timeout(240)
async def test_notifications_are_accepted_after_the_broker_lost_everything(
    free_port_offset: int, tmp_path: Path
) -> None:
    """The local run's broker keeps its topics in memory; without notifications the next poll is minutes away."""
    addresses = {"google": new_address(), "outlook": new_address()}
    with (
        Platform.start(tmp_path / "platform", port_offset=free_port_offset) as first,
        outsides(first) as both,
    ):
        for person, outside in zip(first.addresses.people, (both["google"], both["outlook"]), strict=False):
            async with calling(first.addresses.gateway, person) as user:
                office = Office(user, Owner(outside, addresses[outside.name]))
                await office.connect()
                title = new_title()
                office.owner.makes(title, in_days(2))
                await office.shows(title, in_days(2))
    with (
        Platform.start(tmp_path / "platform", port_offset=free_port_offset) as second,
        outsides(second) as both,
    ):
        for person, outside in zip(second.addresses.people, (both["google"], both["outlook"]), strict=False):
            async with calling(second.addresses.gateway, person) as user:
                office = Office(user, Owner(outside, addresses[outside.name]))
                for day in (2, 3):
                    title = new_title()
                    office.owner.makes(title, in_days(day))
                    await office.shows(title, in_days(day))
