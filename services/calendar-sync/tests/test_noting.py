"""What meetings' events and connections leave in the links, in a real MongoDB."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from calendar_sync.outbound.projector import DesiredStateProjector
from calendar_sync.outbound.repository import INDEXES, JOBS, MirroredMeetingRepository
from calendar_sync.providers.accounts import Account
from chassis.mongo.database import Collection, Document, open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.calendar_events import ConnectionChanged, MirrorStatusChanged
from contracts.messages.meeting_events import (
    MeetingCanceled,
    MeetingCreated,
    MeetingEvent,
    ParticipantResponded,
    SyncRetryRequested,
)
from contracts.transport.registry import type_of
from contracts.values.enums import (
    CalendarProvider,
    ConnectionStatus,
    ExternalSyncStatus,
    MeetingSource,
    MeetingStatus,
    RsvpStatus,
)
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import MeetingState
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.commands import HOST
from tests.support.connections import StandInPublisher, settings_for
from tests.support.outward import NOON, FakeAccounts, meeting_state, received

pytestmark = pytest.mark.integration
GOOGLE, OUTLOOK = CalendarProvider.GOOGLE, CalendarProvider.OUTLOOK
BY = HOST.reference


class ProjectorHarness:
    """The noting side, with one host."""

    def __init__(self, links: Collection, publisher: StandInPublisher, host: str) -> None:
        self.links = links
        self.publisher = publisher
        self.host = host
        self.woken: list[CalendarProvider] = []
        self.accounts = FakeAccounts(GOOGLE, f"{host}@example.com", str)
        self.account = Account(f"T1:{host}", "T1", host, GOOGLE, "primary", f"{host}@example.com", 1, host)
        self.accounts.account = self.account
        book = MirroredMeetingRepository(links, Outbox(links, publisher, relay_delay=10))
        self.noting = DesiredStateProjector(book, self.accounts, self.accounts, wake=self.woken.append)

    def meeting(self, **changes: Any) -> MeetingState:
        return meeting_state(**{"host_uuid": self.host} | changes)

    async def hear(self, *events: tuple[int, MeetingEvent]) -> None:
        await self.noting.handle([received(event, sequence) for sequence, event in events])

    async def connection(self, status: ConnectionStatus, *, generation: int = 1) -> None:
        change = ConnectionChanged(
            tenant_uuid="T1", user_id=self.host, provider=GOOGLE, status=status, generation=generation, at=NOON
        )
        await self.noting.handle([received(change, 1)])

    async def link(self, meeting: MeetingState) -> Document:
        found = await self.links.find_one({"_id": meeting.meeting_uuid})
        assert found is not None
        return found

    def told(self, meeting: MeetingState) -> list[ExternalSyncStatus]:
        bodies = [type_of(MirrorStatusChanged).body.model_validate_json(one.value) for one in self.publisher.records]
        news = [one for one in bodies if isinstance(one, MirrorStatusChanged)]
        return [one.status for one in news if one.meeting_uuid == meeting.meeting_uuid]


@pytest.fixture
async def harness(
    mongodb_uri: str, google_simulator: Google, microsoft_simulator: Microsoft
) -> AsyncIterator[ProjectorHarness]:
    settings = settings_for(mongodb_uri, google_simulator, microsoft_simulator)
    async with open_database(settings) as database:
        links = database.collection("mirrored_meetings")
        await links.create_indexes(INDEXES)
        yield ProjectorHarness(links, StandInPublisher(), f"TS{uuid7_hex()}")


async def test_a_meeting_of_a_connected_host_is_to_be_written(harness: ProjectorHarness) -> None:
    meeting = harness.meeting()
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    link = await harness.link(meeting)
    assert link[JOBS[GOOGLE]]["dueAt"] is not None
    assert (link["sequence"], link["correlationId"], harness.woken) == (1, "c1", [GOOGLE])


async def test_a_meeting_of_anybody_else_is_only_noted(harness: ProjectorHarness) -> None:
    harness.accounts.account = None
    meeting = harness.meeting(external_sync_status=ExternalSyncStatus.NOT_APPLICABLE)
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    link = await harness.link(meeting)
    assert not set(JOBS.values()) & set(link)
    assert harness.woken == []


async def test_a_meeting_that_is_thought_to_wait_is_looked_after_also_when_its_host_has_left(
    harness: ProjectorHarness,
) -> None:
    harness.accounts.account = None
    meeting = harness.meeting(external_sync_status=ExternalSyncStatus.PENDING)
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    assert JOBS[GOOGLE] in await harness.link(meeting)


async def test_an_imported_meeting_is_not_written_back(harness: ProjectorHarness) -> None:
    meeting = harness.meeting(source=MeetingSource.GOOGLE)
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    assert await harness.links.find_one({"_id": meeting.meeting_uuid}) is None


async def test_only_the_newest_wish_counts_whatever_comes_again_later(harness: ProjectorHarness) -> None:
    meeting = harness.meeting()
    canceled = meeting.model_copy(update={"status": MeetingStatus.CANCELED})
    await harness.hear(
        (1, MeetingCreated(actor=BY, meeting=meeting)),
        (2, MeetingCanceled(actor=BY, meeting=canceled)),
    )
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    link = await harness.link(meeting)
    assert (link["sequence"], link["desired"]["status"]) == (2, "CANCELED")


async def test_an_answer_of_a_guest_asks_for_nothing(harness: ProjectorHarness) -> None:
    meeting = harness.meeting()
    answered = ParticipantResponded(actor=BY, meeting=meeting, participant_uuid="MP1", rsvp_status=RsvpStatus.ACCEPTED)
    await harness.hear((3, answered))
    link = await harness.link(meeting)
    assert (link["sequence"], JOBS[GOOGLE] in link) == (3, False)


async def test_a_retry_is_due_at_once(harness: ProjectorHarness) -> None:
    meeting = harness.meeting()
    await harness.hear((4, SyncRetryRequested(actor=BY, meeting=meeting)))
    assert JOBS[GOOGLE] in await harness.link(meeting)


async def test_whoever_connects_has_the_meetings_ahead_written_and_told_as_pending(harness: ProjectorHarness) -> None:
    harness.accounts.account = None
    nothing = ExternalSyncStatus.NOT_APPLICABLE
    ahead, past = (
        harness.meeting(
            start_date_time=f"{year}-06-01T10:00:00",
            end_date_time=f"{year}-06-01T11:00:00",
            external_sync_status=nothing,
        )
        for year in (2199, 2001)
    )
    off = harness.meeting(status=MeetingStatus.CANCELED, external_sync_status=nothing)
    await harness.hear(*((1, MeetingCreated(actor=BY, meeting=meeting)) for meeting in (ahead, past, off)))
    harness.accounts.account = harness.account
    await harness.connection(ConnectionStatus.CONNECTED)
    assert JOBS[GOOGLE] in await harness.link(ahead)
    assert harness.told(ahead) == [ExternalSyncStatus.PENDING]
    for meeting in (past, off):
        assert JOBS[GOOGLE] not in await harness.link(meeting)
        assert harness.told(meeting) == []


async def test_what_was_written_into_the_account_before_is_put_right_when_it_comes_back(
    harness: ProjectorHarness,
) -> None:
    meeting = harness.meeting(status=MeetingStatus.CANCELED, external_sync_status=ExternalSyncStatus.NOT_APPLICABLE)
    harness.accounts.account = None
    await harness.hear((2, MeetingCanceled(actor=BY, meeting=meeting)))
    copy = {"provider": "GOOGLE", "calendarEmail": harness.account.calendar_email, "eventId": "1", "etag": "1"}
    key = harness.account.key
    await harness.links.update_one({"_id": meeting.meeting_uuid}, {"$set": {f"events.{key}": copy}})
    harness.accounts.account = harness.account
    await harness.connection(ConnectionStatus.CONNECTED)
    assert JOBS[GOOGLE] in await harness.link(meeting)


async def test_whoever_disconnects_has_nothing_to_do_with_a_calendar_any_more(harness: ProjectorHarness) -> None:
    meeting = harness.meeting(start_date_time="2199-06-01T10:00:00", end_date_time="2199-06-01T11:00:00")
    await harness.hear((1, MeetingCreated(actor=BY, meeting=meeting)))
    await harness.connection(ConnectionStatus.CONNECTED)
    harness.accounts.account = None
    await harness.connection(ConnectionStatus.DISCONNECTED)
    await harness.connection(ConnectionStatus.DISCONNECTED)
    assert harness.told(meeting) == [ExternalSyncStatus.PENDING, ExternalSyncStatus.NOT_APPLICABLE]
    assert (await harness.link(meeting))["outbox"] == []


async def test_news_of_a_connection_that_is_over_changes_nothing(harness: ProjectorHarness) -> None:
    meeting = harness.meeting(start_date_time="2199-06-01T10:00:00", end_date_time="2199-06-01T11:00:00")
    harness.accounts.account = None
    await harness.hear(
        (
            1,
            MeetingCreated(
                actor=BY,
                meeting=meeting.model_copy(update={"external_sync_status": ExternalSyncStatus.NOT_APPLICABLE}),
            ),
        )
    )
    await harness.connection(ConnectionStatus.CONNECTED)
    harness.accounts.account = harness.account
    await harness.connection(ConnectionStatus.CONNECTED, generation=0)
    assert harness.told(meeting) == []
