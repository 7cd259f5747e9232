"""Hosts connect a calendar, and their meetings appear there, stay right, and show how that stands."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from contracts.transport.envelope import Envelope
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, done, path_of, refused
from tests.support.outside import Json, Outside, disconnect, expected, outsides, sees_sync
from tests.support.topics import TopicLog
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def both(platform: Platform) -> Iterator[dict[str, Outside]]:
    with outsides(platform) as found:
        yield found


@dataclass
class Office:
    """A host with a calendar of their own."""

    outside: Outside
    host: Caller
    email: str

    async def meeting(self, **changes: Any) -> Json:
        times = {"startDateTime": "2199-03-01T10:00:00", "endDateTime": "2199-03-01T11:00:00", "timezone": "UTC"}
        return await self.host.creates(**{"title": f"Review {uuid7_hex()}"} | times | changes)

    def fault(self, kind: str, **more: Any) -> None:
        self.outside.simulator.fault(kind, account=self.email, **more)

    def mend(self) -> None:
        self.outside.simulator.control("DELETE", "faults")

    async def shows(self, *meetings: Json) -> None:
        """The calendar shows exactly these meetings as they are now, beside those that others made before."""
        wanted = {expected(await self.host.sees(meeting)) for meeting in meetings}

        async def found() -> bool:
            there = self.outside.events(self.email)
            return wanted <= set(there) and len(there) == len(set(there))

        await until(found, what=f"{self.email} shows {wanted}", within=30)

    async def lacks(self, meeting: Json) -> None:
        async def found() -> bool:
            return meeting["meetingUuid"] not in {one.meeting_uuid for one in self.outside.events(self.email)}

        await until(found, what=f"{self.email} does not show {meeting['title']}", within=30)


@pytest.fixture(params=["google", "outlook"])
async def office(request: pytest.FixtureRequest, both: dict[str, Outside], daniel: Caller) -> AsyncIterator[Office]:
    """Daniel, with a calendar that nobody else has, at each provider."""
    office = Office(both[request.param], daniel, f"{uuid7_hex().lower()}@example.org")
    await disconnect(daniel)
    await office.outside.connect(daniel, office.email)
    yield office
    office.mend()
    with suppress(AssertionError):
        await disconnect(daniel)


async def test_a_meeting_is_made_moved_and_canceled_in_the_calendar(office: Office) -> None:
    host = office.host
    meeting = await office.meeting()
    assert (meeting["externalSyncStatus"], meeting["lastSyncOperation"]) == ("PENDING", "CREATE")
    synced = await sees_sync(host, meeting, "SYNCED")
    assert (synced["lastSyncOperation"], synced["showExternalCalendarIcon"]) == ("CREATE", True)
    await office.shows(meeting)

    moved = await host.changes(meeting, startDateTime="2199-03-02T10:00:00", endDateTime="2199-03-02T12:00:00")
    assert (moved["externalSyncStatus"], moved["lastSyncOperation"]) == ("PENDING", "UPDATE")
    assert (await sees_sync(host, meeting, "SYNCED"))["lastSyncOperation"] == "UPDATE"
    await office.shows(meeting)

    canceled = await host.cancels(meeting)
    assert (canceled["externalSyncStatus"], canceled["lastSyncOperation"]) == ("PENDING", "DELETE")
    await office.lacks(meeting)
    assert (await sees_sync(host, meeting, "SYNCED"))["lastSyncOperation"] == "DELETE"


async def test_the_organizer_and_the_guests_are_told_nothing_by_the_provider(office: Office) -> None:
    meeting = await office.meeting(externalAttendees=[{"email": "jane.roe@example.com", "name": "Jane Roe"}])
    await sees_sync(office.host, meeting, "SYNCED")
    listed = office.outside.simulator.control("GET", f"accounts/{office.email}/events")
    (event,) = [one for one in listed if meeting["title"] in str(one)]
    assert not event.get("resource", event).get("attendees")
    assert "Jane Roe" not in str(event)


async def test_each_change_of_state_is_an_event_with_a_version_of_its_own(office: Office, told: TopicLog) -> None:
    meeting = await office.meeting()
    await sees_sync(office.host, meeting, "SYNCED")

    def envelopes() -> list[Envelope]:
        key = meeting["meetingUuid"].encode()
        return [Envelope.from_headers(one.headers) for one in told.records if one.key == key]

    async def heard() -> list[Envelope] | None:
        events = envelopes()
        return events if events and events[-1].type == "meetings.sync.changed.v1" else None

    events = await until(heard, what="the sync is told")
    assert events[0].type == "meetings.meeting.created.v1"
    assert [one.sequence for one in events] == list(range(1, len(events) + 1))


async def test_meetings_ahead_follow_when_their_host_connects_and_stand_still_when_they_leave(office: Office) -> None:
    host = office.host
    await disconnect(host)
    ahead = await office.meeting()
    past = await office.meeting(startDateTime="2001-03-01T10:00:00", endDateTime="2001-03-01T11:00:00")
    assert (ahead["externalSyncStatus"], past["externalSyncStatus"]) == ("NOT_APPLICABLE", "NOT_APPLICABLE")

    await office.outside.connect(host, office.email)
    await sees_sync(host, ahead, "SYNCED")
    await office.shows(ahead)
    await office.lacks(past)
    assert (await host.sees(past))["externalSyncStatus"] == "NOT_APPLICABLE"

    await disconnect(host)
    await sees_sync(host, ahead, "NOT_APPLICABLE")
    before = expected(await host.sees(ahead))
    await host.changes(ahead, title="Behind its back")
    other = await office.meeting()
    assert other["externalSyncStatus"] == "NOT_APPLICABLE"

    await office.outside.connect(host, office.email)
    await sees_sync(host, ahead, "SYNCED")
    await office.shows(ahead, other)
    assert before not in office.outside.events(office.email)


async def test_what_was_canceled_meanwhile_goes_when_the_calendar_comes_back(office: Office) -> None:
    meeting = await office.meeting()
    await sees_sync(office.host, meeting, "SYNCED")
    await disconnect(office.host)
    await office.host.cancels(meeting)
    await office.outside.connect(office.host, office.email)
    await office.lacks(meeting)


async def test_a_withdrawn_grant_ends_the_connection_and_the_work_goes_on_after_the_next(office: Office) -> None:
    host = office.host
    office.outside.consents.withdraw(office.email)
    meeting = await office.meeting()
    await sees_sync(host, meeting, "NOT_APPLICABLE")
    connection = done(await host.get("/api/v1/calendar/connection"))
    assert (connection["status"], connection["lastErrorCode"]) == ("DISCONNECTED", "TOKEN_REVOKED")
    assert await _has(office, meeting) is False
    await office.outside.connect(host, office.email)
    await sees_sync(host, meeting, "SYNCED")
    await office.shows(meeting)


async def _has(office: Office, meeting: Json) -> bool:
    return meeting["meetingUuid"] in {one.meeting_uuid for one in office.outside.events(office.email)}


async def test_a_failed_sync_is_seen_by_the_host_alone_and_retried(office: Office, valentina: Caller) -> None:
    host = office.host
    office.fault("error", status=403, reason="ErrorAccessDenied", operation="events.*")
    meeting = await office.meeting(staffIds=[valentina.user_id])
    failed = await sees_sync(host, meeting, "FAILED")
    assert (failed["syncFailureCode"], failed["canRetrySync"]) == ("PERMISSION_DENIED", True)
    assert failed["externalSyncFailureVisibleToViewer"]
    assert failed["syncFailedAt"]
    assert failed["syncFailureReason"]
    guest = await valentina.sees(meeting)
    hidden = ("syncFailedAt", "syncFailureCode", "syncFailureReason")
    assert [guest[name] for name in hidden] == [None, None, None]
    assert (guest["canRetrySync"], guest["externalSyncFailureVisibleToViewer"]) == (False, False)
    refused(await valentina.post(f"{path_of(meeting)}/sync"), 403, "BE0403")

    office.mend()
    retried = done(await host.post(f"{path_of(meeting)}/sync"))
    assert (retried["externalSyncStatus"], retried["syncFailureCode"]) == ("PENDING", None)
    synced = await sees_sync(host, meeting, "SYNCED")
    assert (synced["lastSyncOperation"], synced["canRetrySync"]) == ("CREATE", False)
    await office.shows(meeting)
    refused(await host.post(f"{path_of(meeting)}/sync"), 409, "BE0423")


async def test_what_the_provider_never_accepts_is_not_retried(office: Office) -> None:
    office.fault("error", status=400, operation="events.*")
    meeting = await office.meeting()
    failed = await sees_sync(office.host, meeting, "FAILED")
    assert (failed["syncFailureCode"], failed["canRetrySync"]) == ("INVALID_REQUEST", False)
    refused(await office.host.post(f"{path_of(meeting)}/sync"), 409, "BE0423")


async def test_another_tenants_meeting_is_not_there_to_be_retried(office: Office, ingrid: Caller) -> None:
    meeting = await office.meeting()
    refused(await ingrid.post(f"{path_of(meeting)}/sync"), 404, "BE0411")


async def test_one_slow_account_delays_no_other(office: Office, both: dict[str, Outside], camila: Caller) -> None:
    """Daniel's calendar answers after 40 s; Camila's, at the same provider, and everything else goes on."""
    office.fault("latency", seconds=40, operation="events.*")
    slow = [await office.meeting() for _ in range(6)]
    email = f"{uuid7_hex().lower()}@example.org"
    await disconnect(camila)
    await office.outside.connect(camila, email)
    other = await camila.creates(title="Quick", startDateTime="2199-01-01T10:00:00", endDateTime="2199-01-01T11:00:00")
    await sees_sync(camila, other, "SYNCED")
    assert {(await office.host.sees(one))["externalSyncStatus"] for one in slow} == {"PENDING"}
    await disconnect(camila)


async def test_the_calendar_names_the_passcode_and_only_the_newest(office: Office) -> None:
    first, second = (f"passcode-{uuid7_hex()}" for _ in range(2))
    meeting = await office.meeting(meetingPassword=first, meetingLink="https://meet.example.com/x")

    async def shows(password: str, other: str) -> bool:
        text = str(office.outside.simulator.control("GET", f"accounts/{office.email}/events"))
        return f"Passcode: {password}" in text and other not in text

    await until(lambda: shows(first, second), what="the calendar names the passcode", within=30)
    await office.host.changes(meeting, meetingPassword=second)
    await until(lambda: shows(second, first), what="the calendar names the new passcode", within=30)
