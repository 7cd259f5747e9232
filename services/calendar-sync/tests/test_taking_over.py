"""Taking over what hosts do to copies in their own calendars, with both simulated providers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from calendar_sync.inbound.ports import RecheckRequest
from calendar_sync.outbound.event_lookup import MirroredEventLookup
from calendar_sync.outbound.host_edits import detect_host_edit
from calendar_sync.outbound.meeting_event import event_for
from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting
from calendar_sync.outbound.ports import MeetingUpdate
from calendar_sync.outbound.reconciler import OutboundReconciler, RetryPolicy
from calendar_sync.outbound.repository import CONCURRENCY_KEY, INDEXES, JOBS, MirroredMeetingRepository
from calendar_sync.outbound.worker import OutboundWorker
from calendar_sync.providers.accounts import account_key
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import Window
from calendar_sync.providers.html_text import text_of_html
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.http.meeting_passwords import MeetingPasswords
from chassis.jobs.queue import JobQueue
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import CalendarProvider, ExternalSyncStatus, MeetingStatus, SyncFailureCode
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import MeetingState
from contracts.values.times import Schedule
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.connections import StandInPublisher, settings_for
from tests.support.convergence import FakeCalendarWriter
from tests.support.outward import NOON, FakeAccounts, OutboundHarness, meeting_state, participant
from tests.support.owners import Owner
from tests.support.provider_account import ProviderAccount

EARLIEST, LATEST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))  # noqa: DTZ901


async def settled(office: ProviderAccount, **changes: Any) -> OutboundHarness:
    """A meeting and its copy, which nobody has changed."""
    harness = office.harness()
    harness.want(meeting_link="https://meet.example.com/x", participants=[participant("Jane Roe")], **changes)
    await harness.settle()
    return harness


async def recheck(
    harness: OutboundHarness, *, is_mass_deletion: bool = False
) -> MirroredEventChanged | MirroredEventDeleted | None:
    """What is told after a look."""
    harness.look(is_mass_deletion=is_mass_deletion)
    return (await harness.attempt()).host_edit


async def changed(harness: OutboundHarness) -> MirroredEventChanged:
    change = await recheck(harness)
    assert isinstance(change, MirroredEventChanged)
    return change


def given(change: MirroredEventChanged) -> dict[str, Any]:
    """What a change says was changed."""
    says = set(MirroredEventChanged.model_fields) - {
        "change_id",
        "tenant_uuid",
        "meeting_uuid",
        "user_id",
        "provider",
        "at",
    }
    return change.model_dump(include=says, exclude_none=True)


async def test_what_the_host_changed_is_told_once_and_nothing_is_written(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.edit(title="Renamed", location="Room 7")
    change = await changed(harness)
    assert given(change) == {"title": "Renamed", "location": "Room 7"}
    assert (change.meeting_uuid, change.user_id) == (harness.mirror.meeting_uuid, harness.mirror.host_uuid)
    office.fault("error", status=500, operation="events.*")
    harness.want(title="Renamed", location_detail="Room 7")
    attempt = await harness.attempt()
    assert attempt.status_report is not None
    assert (attempt.status_report.status, attempt.host_edit) == (ExternalSyncStatus.SYNCED, None)


async def test_the_same_change_has_the_same_id_however_often_it_is_found(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.edit(title="Renamed")
    harness.look()
    first = (await harness.attempt(forget=True)).host_edit
    second = (await harness.attempt()).host_edit
    assert first is not None
    assert second is not None
    assert first.change_id == second.change_id
    office.edit(title="Renamed again")
    assert (await changed(harness)).change_id != first.change_id


async def test_a_look_at_what_nobody_changed_tells_and_writes_nothing(office: ProviderAccount) -> None:
    harness = await settled(office)
    before = office.event()
    assert await recheck(harness) is None
    await harness.settle()
    assert office.event() == before


async def test_our_own_unanswered_write_is_not_the_hosts_change(office: ProviderAccount) -> None:
    harness = await settled(office)
    harness.want(title="Second thoughts")
    office.fault("commit_then_error", status=503, times=1, operation="events.*")
    await harness.attempt()
    harness.want(title="Review")
    assert await recheck(harness) is None
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_where_the_platform_changed_it_too_the_platform_counts_and_nothing_is_told(
    office: ProviderAccount,
) -> None:
    harness = await settled(office)
    office.edit(title="The host's title", location="The host's place")
    harness.want(title="Ours")
    change = await changed(harness)
    assert given(change) == {"location": "The host's place"}
    await harness.attempt()
    (shown,) = office.shown()
    assert (shown.title, shown.location) == ("Ours", "The host's place")


async def test_a_write_of_something_else_does_not_hide_what_the_host_changed(office: ProviderAccount) -> None:
    harness = await settled(office)
    base_fingerprint = harness.event.base_fingerprint
    office.edit(location="The host's place")
    harness.want(title="Ours")
    await harness.settle()
    remote = await office.calendar.read(office.access, harness.event.event_id or "")
    assert harness.event.base_fingerprint not in (base_fingerprint, remote.content.fingerprint)
    assert given(await changed(harness)) == {"location": "The host's place"}


async def test_a_change_that_the_meeting_does_not_take_over_is_put_right(office: ProviderAccount) -> None:
    harness = office.harness(answer=timedelta(0))
    await harness.settle()
    office.edit(title="Not to be")
    await changed(harness)
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_what_is_told_stays_while_the_answer_is_awaited(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.edit(title="Renamed")
    await changed(harness)
    harness.want(description="Written meanwhile")
    attempt = await harness.attempt()
    assert attempt.retry_in is not None
    assert 0 < attempt.retry_in <= 15
    assert office.titles() == ["Renamed"]
    assert "Written meanwhile" in str(office.event())


# --- times ------------------------------------------------------------------------------------------------------


async def test_a_moved_copy_is_told_by_wall_clock(office: ProviderAccount) -> None:
    harness = await settled(office, timezone="America/Santiago")
    office.move("2038-06-03T09:00:00", "2038-06-03T10:30:00", "Europe/Berlin")
    change = await changed(harness)
    zone = "Europe/Berlin" if office.outside.name == "google" else "America/Santiago"  # Graph is read in UTC
    assert change.timezone == zone
    assert change.start_date_time is not None
    assert change.end_date_time is not None
    schedule = Schedule(change.start_date_time, change.end_date_time, zone)
    assert schedule.starts_at == datetime(2038, 6, 3, 7, tzinfo=UTC)
    assert schedule.ends_at == datetime(2038, 6, 3, 8, 30, tzinfo=UTC)


async def test_a_copy_made_all_day_is_told_by_its_days(office: ProviderAccount) -> None:
    harness = await settled(office, timezone="America/Santiago")
    if office.outside.name == "google":
        days = {"start": {"date": "2038-06-03", "dateTime": None}, "end": {"date": "2038-06-05", "dateTime": None}}
        office.by_hand("PATCH", days)
    else:
        times = {"start": "2038-06-03T00:00:00", "end": "2038-06-05T00:00:00"}
        days = {name: {"dateTime": time, "timeZone": "UTC"} for name, time in times.items()}
        office.by_hand("PATCH", {"isAllDay": True} | days)
    change = await changed(harness)
    assert (change.all_day, change.timezone) == (True, None)
    assert change.start_date_time == datetime(2038, 6, 3)  # noqa: DTZ001 a wall time
    assert change.end_date_time == datetime(2038, 6, 5)  # noqa: DTZ001


def told_of(**now: Any) -> MirroredEventChanged | None:
    """What is told of the copy of a meeting in Berlin when its event is at this time."""
    meeting = meeting_state(timezone="Europe/Berlin")
    said = event_for(meeting)
    assert said is not None
    copy = MirroredEvent(
        provider=CalendarProvider.GOOGLE, calendar_email="host@gmail.com", event_id="1", etag="1", last_written=said
    )
    copy.record_known_content(said)
    link = MirroredMeeting(
        meeting_uuid=meeting.meeting_uuid, tenant_uuid="T1", host_uuid="TS1", sequence=1, desired=meeting
    )
    return detect_host_edit(
        link, copy, said.model_copy(update={"when": EventTime(**now)}), NOON, NOON + timedelta(seconds=15)
    )


def test_an_hour_that_the_wall_clock_repeats_is_told_in_utc() -> None:
    second_two_thirty = datetime(2038, 10, 31, 1, 30, tzinfo=UTC)
    change = told_of(starts_at=second_two_thirty, ends_at=second_two_thirty + timedelta(hours=1), zone="Europe/Berlin")
    assert change is not None
    assert (change.start_date_time, change.timezone) == (second_two_thirty.replace(tzinfo=None), "UTC")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "", "Customized Time Zone", "x" * 5_000, "\0"])
def test_a_zone_that_is_none_is_told_as_the_meetings(zone: str) -> None:
    change = told_of(starts_at=NOON, ends_at=NOON + timedelta(hours=1), zone=zone)
    assert change is not None
    assert (change.start_date_time, change.timezone) == (datetime(2038, 6, 1, 14), "Europe/Berlin")  # noqa: DTZ001


@pytest.mark.parametrize("all_day", [True, False])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (EARLIEST, EARLIEST + timedelta(days=1)),
        (LATEST - timedelta(days=1), LATEST),
        (NOON, NOON - timedelta(days=1)),
        (NOON, NOON),
        (NOON, NOON + timedelta(days=367)),
    ],
)
def test_a_time_that_no_meeting_can_have_is_not_told(start: datetime, end: datetime, all_day: bool) -> None:
    if all_day:
        start, end = (moment.replace(hour=0, minute=0, second=0) for moment in (start, end))
    assert told_of(starts_at=start, ends_at=end, all_day=all_day, zone="America/Santiago") is None


async def test_a_time_that_no_meeting_can_have_is_put_right_at_once(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.move("2038-06-03T09:00:00", "2040-06-03T09:00:00", "UTC")
    assert await recheck(harness) is None
    (shown,) = office.shown()
    assert (shown.start, shown.end) == ("2038-06-01T10:00:00+00:00", "2038-06-01T11:00:00+00:00")


# --- words ------------------------------------------------------------------------------------------------------


async def test_only_the_hosts_own_words_are_told(office: ProviderAccount) -> None:
    harness = await settled(office, description="Bring the numbers.")
    assert harness.event.base is not None
    office.edit(description=f"{harness.event.base.description}\nAnd cake.")
    change = await changed(harness)
    assert given(change) == {"description": "Bring the numbers.\n\nAnd cake."}


async def test_our_lines_may_go_without_a_word(office: ProviderAccount) -> None:
    harness = await settled(office, description="Bring the numbers.")
    office.edit(description="Bring the numbers.")
    assert await recheck(harness) is None
    await harness.settle()
    assert "Join:" not in str(office.event())
    assert await recheck(harness) is None, "known from now on"


async def test_an_event_that_is_saved_in_googles_editor_tells_only_what_was_changed(
    google_office: ProviderAccount,
) -> None:
    """The editor stores the whole description as HTML, our lines included."""
    harness = await settled(google_office, description="Bring <all> the numbers.\n\n- Q1 & Q2\n- Q3")
    owner, event_id = Owner(google_office.outside, google_office.email), google_office.event()["id"]
    owner.saves_on_page(event_id, "retitle", title="Renamed")
    assert "<br>" in google_office.event()["description"]
    assert given(await changed(harness)) == {"title": "Renamed"}
    harness.want(title="Renamed", description=harness.mirror.desired.description)
    await harness.settle()
    before = google_office.event()["description"]
    typed = f"*Bring* cake.\n\n{text_of_html(before)}"
    owner.saves_on_page(event_id, "describe", description=typed)
    words = given(await changed(harness))["description"]
    assert words == "Bring cake.\n\nBring <all> the numbers.\n\n- Q1 & Q2\n- Q3"


async def test_words_of_the_host_outlast_a_guest_who_is_invited_meanwhile(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.edit(description="Written by hand")
    harness.want(participants=[*harness.mirror.desired.participants, participant("Ann Other")])
    assert given(await changed(harness)) == {"description": "Written by hand"}


async def test_cleared_texts_are_told_as_cleared(office: ProviderAccount) -> None:
    harness = await settled(office, location_detail="Room 5")
    office.edit(title="", location="")
    assert given(await changed(harness)) == {"title": "", "location": ""}


async def test_a_removed_copy_of_what_is_over_is_not_made_anew(office: ProviderAccount) -> None:
    harness = office.harness(answer=timedelta(0))
    harness.want(start_date_time="2026-06-01T10:00:00", end_date_time="2026-06-01T11:00:00")
    await harness.settle()
    office.by_hand("DELETE")
    await recheck(harness)
    harness.want(meeting_link="https://meet.example.com/new")
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, office.titles()) == (ExternalSyncStatus.SYNCED, [])
    harness.want(start_date_time="2038-06-01T10:00:00", end_date_time="2038-06-01T11:00:00")
    await harness.settle()
    assert office.titles() == ["Review"], "it is ahead again"


# --- removals ---------------------------------------------------------------------------------------------------


async def test_a_copy_that_its_host_removed_is_told_and_not_made_anew(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.by_hand("DELETE")
    removal = await recheck(harness)
    assert isinstance(removal, MirroredEventDeleted)
    assert (removal.meeting_uuid, removal.user_id) == (harness.mirror.meeting_uuid, harness.mirror.host_uuid)
    harness.want(title="Changed before the answer")
    attempt = await harness.attempt()
    assert attempt.retry_in is not None
    assert office.titles() == []
    harness.want(status=MeetingStatus.CANCELED)
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, office.titles()) == (ExternalSyncStatus.SYNCED, [])


async def test_a_removal_that_the_meeting_does_not_take_over_is_undone(office: ProviderAccount) -> None:
    harness = office.harness(answer=timedelta(0))
    await harness.settle()
    office.by_hand("DELETE")
    assert isinstance(await recheck(harness), MirroredEventDeleted)
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_a_doubted_removal_cancels_nothing_until_a_retry_writes_it_anew(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.by_hand("DELETE")
    harness.look(is_mass_deletion=True)
    attempt = await harness.attempt()
    assert (attempt.host_edit, attempt.retry_in) == (None, None)
    assert attempt.status_report is not None
    assert (attempt.status_report.status, attempt.status_report.failure_code) == (
        ExternalSyncStatus.FAILED,
        SyncFailureCode.EVENT_CONFLICT,
    )
    harness.want()
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_a_doubted_removal_of_what_is_there_is_a_look_like_any_other(office: ProviderAccount) -> None:
    """Graph says of what left the window that it was removed."""
    harness = await settled(office)
    office.edit(title="Renamed")
    change = await recheck(harness, is_mass_deletion=True)
    assert isinstance(change, MirroredEventChanged)
    assert change.title == "Renamed"


async def test_a_copy_that_was_removed_by_us_is_no_news(office: ProviderAccount) -> None:
    harness = await settled(office)
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert await recheck(harness) is None


# --- in the database --------------------------------------------------------------------------------------------


@dataclass
class MongoOutboundHarness:
    """Links in a real MongoDB, worked at as by the service, with a calendar in memory."""

    links: Collection
    publisher: StandInPublisher
    outbox: Outbox
    calendar: FakeCalendarWriter
    copies: MirroredEventLookup
    leases: JobQueue
    harness: OutboundWorker
    woken: list[CalendarProvider]

    async def note(self, meeting: MeetingState, sequence: int) -> None:
        book = MirroredMeetingRepository(self.links, self.outbox)
        await book.save([MeetingUpdate(meeting, sequence, "asked", None, needs_sync=True)])
        await book.request_sync([meeting.meeting_uuid], CalendarProvider.OUTLOOK)

    async def work(self) -> None:
        """Everything that is due."""
        while taken := await self.leases.claim(10, full=[], per_key=lambda _: 10):
            ended = [(lease, await self.harness.work(lease)) for lease in taken]
            await self.harness.flush_outbox([one for one in await self.leases.record(ended) if one])

    def said(self) -> list[str]:
        return [dict(record.headers)["ce_type"].decode() for record in self.publisher.records]


@pytest.fixture
async def harness(
    mongodb_uri: str, google_simulator: Google, microsoft_simulator: Microsoft
) -> AsyncIterator[MongoOutboundHarness]:
    async with open_database(settings_for(mongodb_uri, google_simulator, microsoft_simulator)) as database:
        links = database.collection(f"links{uuid7_hex()}")
        await links.create_indexes(INDEXES)
        publisher, calendar, woken = StandInPublisher(), FakeCalendarWriter({}), []
        outbox = Outbox(links, publisher, relay_delay=10)
        accounts = FakeAccounts(CalendarProvider.OUTLOOK, EMAIL, lambda: "token")
        writing = OutboundReconciler(
            CalendarProvider.OUTLOOK,
            calendar,
            accounts,
            AuthorizedCalls(accounts, RateLimiter(RATE_LIMITS)),
            deployment="tests",
            retry_policy=RetryPolicy(),
        )
        work = JOBS[CalendarProvider.OUTLOOK]
        yield MongoOutboundHarness(
            links,
            publisher,
            outbox,
            calendar,
            MirroredEventLookup(links, wake=woken.append),
            JobQueue(links, work, seconds=30, concurrency_key=CONCURRENCY_KEY),
            OutboundWorker(links, outbox, writing, cast("MeetingPasswords", NoPasswords())),
            woken,
        )


class NoPasswords:
    """Meetings that need none."""

    async def password_of(self, _meeting: MeetingState, _version: int) -> str | None:
        return None


EMAIL = "host@contoso.com"
KEY = account_key(CalendarProvider.OUTLOOK, EMAIL)
EVER = Window(NOON - timedelta(days=30), NOON + timedelta(days=180))
database = pytest.mark.integration


async def _window(harness: MongoOutboundHarness, window: Window = EVER) -> list[str]:
    return [copy.meeting_uuid async for page in harness.copies.of_window(KEY, window) for copy in page]


@database
async def test_a_copy_is_found_by_its_event_and_looked_at(harness: MongoOutboundHarness) -> None:
    meeting = meeting_state()
    await harness.note(meeting, 1)
    assert await harness.copies.unsettled(KEY, [meeting.meeting_uuid, "Mx"]) == {meeting.meeting_uuid}
    await harness.work()
    assert await harness.copies.unsettled(KEY, [meeting.meeting_uuid]) == set()
    [event] = harness.calendar.shown
    known = (await harness.copies.of_events(KEY, [event.ref.event_id, "another"]))[event.ref.event_id]
    assert (known.meeting_uuid, known.base_fingerprint, known.expected) == (
        meeting.meeting_uuid,
        event.content.fingerprint,
        True,
    )
    assert await harness.copies.meetings([meeting.meeting_uuid, "Mx"]) == {meeting.meeting_uuid}
    assert await _window(harness) == [meeting.meeting_uuid]
    assert await _window(harness, Window(NOON + timedelta(days=1), NOON + timedelta(days=2))) == []

    harness.publisher.records.clear()
    harness.calendar.by_hand(event.ref.event_id, title="Renamed")
    await harness.copies.request_rechecks([RecheckRequest(meeting.meeting_uuid, KEY), RecheckRequest("Mx", KEY)])
    assert harness.woken == [CalendarProvider.OUTLOOK]
    await harness.work()
    assert harness.said() == ["calendar.mirrored-event.changed.v1"]
    known = (await harness.copies.of_events(KEY, [event.ref.event_id]))[event.ref.event_id]
    assert known.base_fingerprint == harness.calendar.shown[0].content.fingerprint, (
        "what was taken over is no news any more"
    )
    assert harness.calendar.writes == 1


@database
async def test_a_removed_copy_is_known_and_not_expected(harness: MongoOutboundHarness) -> None:
    meeting = meeting_state()
    await harness.note(meeting, 1)
    await harness.work()
    [event] = harness.calendar.shown
    harness.calendar.delete_by_hand(event.ref.event_id)
    harness.publisher.records.clear()
    await harness.copies.request_rechecks([RecheckRequest(meeting.meeting_uuid, KEY)])
    await harness.work()
    assert harness.said() == ["calendar.mirrored-event.deleted.v1"]
    known = (await harness.copies.of_events(KEY, [event.ref.event_id]))[event.ref.event_id]
    assert not known.expected
    assert await _window(harness) == []
    await harness.note(meeting.model_copy(update={"status": MeetingStatus.CANCELED}), 2)
    await harness.work()
    assert harness.said() == ["calendar.mirrored-event.deleted.v1", "calendar.mirror-status.changed.v1"]
    assert harness.calendar.shown == []


@database
async def test_many_copies_are_paged(harness: MongoOutboundHarness) -> None:
    meetings = [meeting_state() for _ in range(205)]
    for meeting in meetings:
        await harness.note(meeting, 1)
    await harness.work()
    assert sorted(await _window(harness)) == sorted(meeting.meeting_uuid for meeting in meetings)
