"""What makes calendars be read, how often, and who hears of it, with real leases in a real MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from calendar_sync import metrics
from calendar_sync.inbound.imported_event_repository import INDEXES as SIGHTING_INDEXES
from calendar_sync.inbound.imported_event_repository import MongoImportedEventRepository
from calendar_sync.inbound.model import InboundSyncState
from calendar_sync.inbound.ports import SyncOutcome
from calendar_sync.inbound.scheduler import SyncScheduler
from calendar_sync.inbound.state_repository import (
    CHANNEL_JOB,
    CONCURRENCY_KEY,
    INDEXES,
    SYNC_JOB,
    MongoSyncStateRepository,
)
from calendar_sync.inbound.sync import InboundSync, SyncPolicy
from calendar_sync.inbound.sync_worker import InboundSyncWorker
from calendar_sync.providers.accounts import Account, GrantRevokedError
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.errors import error_for_status
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.jobs.queue import JobQueue, JobResult
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import Collection, Document, open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.calendar_events import ConnectionChanged
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.model import Contract
from contracts.transport.envelope import Envelope
from contracts.transport.registry import type_of
from contracts.values.enums import CalendarProvider, ConnectionStatus, NotificationKind, SyncFailureCode
from contracts.values.times import utc_now

from tests.support.connections import StandInPublisher
from tests.support.inbound_fakes import FakeEventChanges, FakeMirroredEvents, database_for, seen
from tests.support.outward import FakeAccounts
from tests.support.waiting import until

pytestmark = pytest.mark.integration
GOOGLE = CalendarProvider.GOOGLE


@dataclass
class SchedulerHarness:
    """The feeding side with one user, and workers that read their calendar."""

    documents: Collection
    sightings: MongoImportedEventRepository
    publisher: StandInPublisher
    pace: SyncPolicy = field(default_factory=lambda: SyncPolicy(min_interval=0.2, retry_initial=0.05, retry_max=0.1))
    calendar: FakeEventChanges = field(default_factory=FakeEventChanges)
    accounts: FakeAccounts = field(default_factory=lambda: FakeAccounts(GOOGLE, "host@example.com", lambda: "token"))
    woken: list[str] = field(default_factory=list)

    @property
    def account(self) -> Account:
        assert self.accounts.account is not None
        return self.accounts.account

    @property
    def feeds(self) -> MongoSyncStateRepository:
        return MongoSyncStateRepository(self.documents, min_interval=self.pace.min_interval)

    def feeding(self) -> SyncScheduler:
        return SyncScheduler(
            self.feeds,
            self.accounts,
            wake_sync=lambda: self.woken.append("pull"),
            wake_channels=lambda: self.woken.append("watch"),
        )

    def workers(self) -> WorkerPool:
        pulling = InboundSync(
            {GOOGLE: self.calendar},
            mirrored_events=FakeMirroredEvents(),
            imported_events=self.sightings,
            accounts=self.accounts,
            calls=AuthorizedCalls(self.accounts, RateLimiter(RATE_LIMITS)),
            policy=self.pace,
        )
        leases = JobQueue(self.documents, SYNC_JOB, seconds=5, concurrency_key=CONCURRENCY_KEY)
        return WorkerPool(leases, InboundSyncWorker(pulling, self.pace).work, concurrency=4, poll=0.02)

    async def hear(self, *bodies: Contract) -> None:
        await self.feeding().handle([_received(body) for body in bodies])

    async def connect(self) -> None:
        await self.hear(self.changed())

    def changed(
        self, status: ConnectionStatus = ConnectionStatus.CONNECTED, *, lost: bool = False
    ) -> ConnectionChanged:
        return ConnectionChanged(
            tenant_uuid="T1",
            user_id="TS1",
            provider=GOOGLE,
            status=status,
            generation=self.accounts.account.generation if self.accounts.account else 1,
            at=utc_now(),
            error_code=SyncFailureCode.TOKEN_REVOKED if lost else None,
        )

    def hint(self, kind: NotificationKind = NotificationKind.CHANGED) -> CalendarNotificationReceived:
        return CalendarNotificationReceived(
            channel_id="1", connection_id=self.account.connection_id, provider=GOOGLE, kind=kind
        )

    async def document(self) -> Document:
        found = await self.documents.find_one({"_id": "T1:TS1"})
        assert found is not None
        return found

    async def feed(self) -> InboundSyncState:
        found = await self.feeds.find("T1:TS1")
        assert found is not None
        return found

    async def is_due(self, work: str) -> bool:
        due_at = (await self.document()).get(work, {}).get("dueAt")
        return due_at is not None and due_at <= utc_now()

    async def is_read(self) -> None:
        async def read() -> bool:
            document = await self.document()
            return "syncToken" in document and "lease" not in document[SYNC_JOB] and not await self.is_due(SYNC_JOB)

        await until(read, what="the calendar was read")

    @property
    def pulls(self) -> int:
        return sum(page is None for _, page in self.calendar.asked)


def _received(body: Contract) -> ReceivedMessage[Contract]:
    envelope = Envelope(type=type_of(body).name, source="tests", subject="TS1", tenant="T1")
    record: Any = None  # what it came in is not looked at
    return ReceivedMessage(envelope, body, record)


@pytest.fixture
async def harness(mongodb_uri: str) -> AsyncIterator[SchedulerHarness]:
    async with AsyncExitStack() as started:
        database = await started.enter_async_context(open_database(database_for(mongodb_uri)))
        feeds, sightings, publisher = (
            database.collection("inbound_sync_states"),
            database.collection("imported_events"),
            StandInPublisher(),
        )
        await feeds.create_indexes(INDEXES)
        await sightings.create_indexes(SIGHTING_INDEXES)
        yield SchedulerHarness(
            feeds, MongoImportedEventRepository(sightings, Outbox(sightings, publisher, relay_delay=10)), publisher
        )


# --- connections ------------------------------------------------------------------------------------------------


async def test_who_connects_is_read_and_watched_at_once(harness: SchedulerHarness) -> None:
    await harness.connect()
    assert await harness.is_due(SYNC_JOB)
    assert await harness.is_due(CHANNEL_JOB)
    assert harness.woken == ["pull", "watch"]


async def test_an_event_of_an_earlier_connection_opens_nothing(harness: SchedulerHarness) -> None:
    earlier = harness.changed()
    harness.accounts.account = replace(harness.account, generation=2)
    await harness.hear(earlier)
    assert await harness.feeds.find("T1:TS1") is None
    await harness.connect()
    await harness.feeds.start(replace(harness.account, generation=1))
    assert (await harness.feed()).generation == 2


async def test_after_reconnecting_everything_is_read_again(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
        harness.accounts.account = replace(harness.account, generation=2)
        await harness.connect()

        async def read_again() -> bool:
            feed = await harness.feed()
            return feed.sync_token is not None and feed.sync_token.generation == 2

        await until(read_again, what="the new connection was read")
    assert [sync_token for sync_token, _ in harness.calendar.asked] == [None, None]
    assert len(harness.publisher.records) == 1


async def test_who_disconnects_is_forgotten_and_read_no_more(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"), seen("b"))
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
        gone = harness.changed(ConnectionStatus.DISCONNECTED)
        harness.accounts.account = None
        await harness.hear(gone)

        async def told() -> bool:
            return len(harness.publisher.records) == 4

        await until(told, what="what was seen is gone")
    document = await harness.document()
    assert "dueAt" not in document[SYNC_JOB]
    assert "dueAt" in document[CHANNEL_JOB], "the channels are to be closed"
    await harness.feeds.request_sync(["T1:TS1"])
    assert "dueAt" not in (await harness.document())[SYNC_JOB]


async def test_a_lost_grant_parks_the_work_and_keeps_what_was_seen(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
    lost = harness.changed(ConnectionStatus.DISCONNECTED, lost=True)
    harness.accounts.account = None
    await harness.hear(lost)
    assert "dueAt" not in (await harness.document())[SYNC_JOB]
    assert len(harness.publisher.records) == 1


# --- hints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pull", "watch"),
    [
        (NotificationKind.CHANGED, True, False),
        (NotificationKind.MISSED, True, False),
        (NotificationKind.RENEW, False, True),
        (NotificationKind.REMOVED, True, True),
    ],
)
async def test_what_hints_lead_to(harness: SchedulerHarness, kind: NotificationKind, pull: bool, watch: bool) -> None:
    await harness.connect()
    await harness.documents.update_one({"_id": "T1:TS1"}, {"$unset": {SYNC_JOB: "", CHANNEL_JOB: ""}})
    await harness.hear(harness.hint(kind))
    assert (await harness.is_due(SYNC_JOB), await harness.is_due(CHANNEL_JOB)) == (pull, watch)


async def test_hints_at_calendars_that_are_not_there_change_nothing(harness: SchedulerHarness) -> None:
    await harness.hear(harness.hint(), harness.hint(NotificationKind.REMOVED))
    assert await harness.feeds.find("T1:TS1") is None


async def test_a_flood_of_hints_makes_few_pulls_and_misses_nothing(harness: SchedulerHarness) -> None:
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
        began, before = utc_now(), harness.pulls
        for number in range(100):
            harness.calendar.put(seen(str(number)))
            await harness.hear(*(harness.hint() for _ in range(20)))

        async def all_read() -> bool:
            return len(harness.publisher.records) == 100

        await until(all_read, what="all changes were read")
        rests = (utc_now() - began) / timedelta(seconds=harness.pace.min_interval)
        assert harness.pulls - before <= rests + 2


async def test_a_provider_that_wants_rest_gets_it_whatever_is_hinted(harness: SchedulerHarness) -> None:
    await harness.connect()
    harness.calendar.failing = [error_for_status(429, "", retry_after=30)]
    async with harness.workers().running():

        async def resting() -> bool:
            return (await harness.feed()).not_before is not None

        await until(resting, what="the calendar rests")
    await harness.hear(harness.hint())
    due_at = (await harness.document())[SYNC_JOB]["dueAt"]
    assert due_at > utc_now() + timedelta(seconds=25)


async def test_a_calendar_is_polled_without_any_hint(harness: SchedulerHarness) -> None:
    harness.pace = SyncPolicy(min_interval=0.01, poll_interval=0.05)
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
        harness.calendar.put(seen("a"))

        async def found() -> bool:
            return len(harness.publisher.records) == 1

        await until(found, what="the change was found")


# --- wishes -----------------------------------------------------------------------------------------------------


async def test_a_wish_is_answered_with_what_its_pull_did_whoever_carries_it_out(harness: SchedulerHarness) -> None:
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
    harness.calendar.put(seen("a"), seen("b"))
    answers = [await harness.feeding().request_run(harness.account) for _ in range(2)]  # two processes
    async with harness.workers().running():
        assert await asyncio.gather(*answers) == [SyncOutcome(2, 0, 0)] * 2


async def test_a_wish_that_comes_before_the_news_of_the_connection_opens_the_feed(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    answer = await harness.feeding().request_run(harness.account)
    async with harness.workers().running():
        assert await answer == SyncOutcome(1, 0, 0)


async def test_a_wish_outlasts_failures_of_the_provider(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    harness.calendar.failing = [error_for_status(503, ""), error_for_status(503, "")]
    answer = await harness.feeding().request_run(harness.account)
    before = metrics.SYNCS.labels(GOOGLE, "PROVIDER_UNAVAILABLE")._value.get()
    async with harness.workers().running():
        assert await answer == SyncOutcome(1, 0, 0)
    assert metrics.SYNCS.labels(GOOGLE, "PROVIDER_UNAVAILABLE")._value.get() == before + 2


async def test_a_wish_ends_with_its_connection(harness: SchedulerHarness) -> None:
    answer = await harness.feeding().request_run(harness.account)
    gone = harness.changed(ConnectionStatus.DISCONNECTED)
    harness.accounts.account = None
    await harness.hear(gone)
    with pytest.raises(GrantRevokedError):
        await answer


async def test_the_age_of_the_oldest_feed_is_measured(harness: SchedulerHarness) -> None:
    await harness.feeds.measure()
    assert metrics.SYNC_AGE._value.get() == 0
    await harness.connect()
    await harness.documents.update_one({"_id": "T1:TS1"}, {"$set": {"syncedAsOf": utc_now() - timedelta(hours=1)}})
    await harness.feeds.measure()
    assert 3600 <= metrics.SYNC_AGE._value.get() < 3700


# --- starting over ----------------------------------------------------------------------------------------------


async def test_starting_over_reads_everything_and_not_only_what_changed(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    await harness.connect()
    async with harness.workers().running():
        await harness.is_read()
        pull = await harness.feeding().request_full_run(harness.account)
        assert await pull == SyncOutcome(0, 0, 0), "all of it was known"
        assert [sync_token for sync_token, _ in harness.calendar.asked] == [None, None]
        assert len(harness.publisher.records) == 1


async def test_starting_over_waits_for_who_is_reading(harness: SchedulerHarness) -> None:
    """Otherwise the reader would keep the cursor that it began with."""
    harness.calendar.put(seen("a"))
    await harness.connect()
    holder = JobQueue(harness.documents, SYNC_JOB, seconds=30, concurrency_key=CONCURRENCY_KEY)
    [lease] = await holder.claim(1, full=[], per_key=lambda _key: 1)
    starting = asyncio.create_task(harness.feeding().request_full_run(harness.account))

    async def has_asked() -> bool:
        return await harness.feeds.request_full_run(harness.account) is None and not starting.done()

    await until(has_asked, what="starting over waits")
    await holder.record([(lease, JobResult({"$set": {"syncToken": {"token": "half"}}}))])
    pull = await starting
    async with harness.workers().running():
        assert (await pull).imported == 1
    assert [sync_token for sync_token, _ in harness.calendar.asked] == [None]


async def test_starting_over_makes_a_feed_where_none_is_yet(harness: SchedulerHarness) -> None:
    harness.calendar.put(seen("a"))
    pull = await harness.feeding().request_full_run(harness.account)
    async with harness.workers().running():
        assert (await pull).imported == 1
