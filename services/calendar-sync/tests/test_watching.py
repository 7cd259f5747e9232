"""Push channels of both simulated providers, kept by real leases in a real MongoDB."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from calendar_sync import metrics
from calendar_sync.inbound.channel_repository import INDEXES as CHANNEL_INDEXES
from calendar_sync.inbound.channel_repository import MongoChannelReader
from calendar_sync.inbound.channel_worker import ChannelWorker
from calendar_sync.inbound.channels import ChannelManager
from calendar_sync.inbound.model import Channel, ChannelState, SyncPhase
from calendar_sync.inbound.state_repository import (
    CHANNEL_JOB,
    CONCURRENCY_KEY,
    INDEXES,
    SYNC_JOB,
    MongoSyncStateRepository,
    to_sync_state,
)
from calendar_sync.providers.accounts import Account, ProviderUnavailableError
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.google.channels import GoogleChannels
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.microsoft.channels import MicrosoftSubscriptions
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.ports import CalendarAccess, CreatedChannel, NotificationChannels
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.jobs.queue import JobQueue, JobResult, LeasedJob
from chassis.mongo.database import Collection, Document, open_database
from contracts.messages.calendar_channels import ChannelActivated, ChannelDeactivated
from contracts.model import Contract
from contracts.transport.envelope import Envelope
from contracts.transport.registry import type_of
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from simulators.google import testing as google_testing
from simulators.google.testing import Google
from simulators.microsoft import testing as microsoft_testing
from simulators.microsoft.testing import Microsoft
from structlog.testing import capture_logs

from tests.support.connections import StandInPublisher
from tests.support.inbound_fakes import database_for
from tests.support.outward import FakeAccounts
from tests.support.waiting import until

pytestmark = pytest.mark.integration
Json = dict[str, Any]
WEEK = timedelta(days=6, hours=22)


class Outside(Protocol):
    """One provider with a user's account, and a webhook."""

    provider: CalendarProvider
    email: str
    bell: Any
    stopping: str
    """What the provider calls stopping a channel."""

    def token(self) -> str: ...

    def open(self) -> dict[str, datetime]:
        """The channels that the provider has open for the account: their ends by the ids that it stops them by."""

    def id_of(self, channel: Channel) -> str | None:
        """What ``open`` calls it."""

    def change(self) -> None:
        """Something happens in the calendar."""

    def secrets(self) -> list[tuple[str, str]]:
        """What the webhook was sent: channel ids with what proves them."""

    def fault(self, kind: str, **more: Any) -> None:
        """In the request that opens a channel."""

    def lose(self) -> None:
        """The provider drops the channels, or what it lets us see of it."""


class AtGoogle:
    provider = CalendarProvider.GOOGLE
    stopping = "channels.stop"

    def __init__(self, google: Google, client: GoogleClient, receiver: google_testing.Receiver) -> None:
        self._google = google
        self._receiver = receiver
        self.email = f"{uuid7_hex().lower()}@gmail.com"
        self._token = str(google.connect(self.email).token)
        self.bell: Any = GoogleChannels(client, address=receiver.url)

    def token(self) -> str:
        return self._token

    def open(self) -> dict[str, datetime]:
        channels = [one for one in self._google.control("GET", "channels") if one["account"] == self.email]
        return {one["id"]: datetime.fromisoformat(one["expiresAt"]) for one in channels}

    def id_of(self, channel: Channel) -> str | None:
        return channel.channel_id

    def change(self) -> None:
        day = {"dateTime": "2038-06-01T10:00:00Z"}, {"dateTime": "2038-06-01T11:00:00Z"}
        body = {"summary": "New", "start": day[0], "end": day[1]}
        self._google.control("POST", f"accounts/{self.email}/events", body)

    def secrets(self) -> list[tuple[str, str]]:
        came = [push.headers for push in self._receiver.came]
        return [(one["x-goog-channel-id"], one["x-goog-channel-token"]) for one in came]

    def fault(self, kind: str, **more: Any) -> None:
        self._google.fault(kind, **{"account": self.email, "operation": "events.watch"} | more)

    def lose(self) -> None:
        self._google.control("DELETE", f"channels?account={self.email}")


class AtMicrosoft:
    provider = CalendarProvider.OUTLOOK
    stopping = "subscriptions.delete"

    def __init__(self, microsoft: Microsoft, client: GraphClient, receiver: microsoft_testing.Receiver) -> None:
        self._microsoft = microsoft
        self._receiver = receiver
        self.email = f"{uuid7_hex().lower()}@contoso.com"
        self._token = str(microsoft.consent(self.email)["access_token"])
        self.bell: Any = MicrosoftSubscriptions(client, address=f"{receiver.url}/hook")

    def token(self) -> str:
        return self._token

    def _subscriptions(self) -> list[Json]:
        return [one for one in self._microsoft.control("GET", "subscriptions") if one["email"] == self.email]

    def open(self) -> dict[str, datetime]:
        return {one["subscription_id"]: datetime.fromisoformat(one["expires_at"]) for one in self._subscriptions()}

    def id_of(self, channel: Channel) -> str | None:
        return channel.remote_id

    def change(self) -> None:
        times = [{"dateTime": f"2038-06-01T{hour}:00:00", "timeZone": "UTC"} for hour in (10, 11)]
        event = {"subject": "New", "start": times[0], "end": times[1]}
        self._microsoft.control("POST", f"accounts/{self.email}/events", {"event": event})

    def secrets(self) -> list[tuple[str, str]]:
        states = [item["clientState"] for call in self._receiver.wait(0) for item in call.body["value"]]
        return [(state.partition(".")[0], state.partition(".")[2]) for state in states]

    def fault(self, kind: str, **more: Any) -> None:
        self._microsoft.fault(kind, **{"account": self.email, "operation": "subscriptions.create"} | more)

    def lose(self) -> None:
        for one in self._subscriptions():
            self._microsoft.control("POST", f"subscriptions/{one['subscription_id']}/remove", {"notify": False})


@dataclass
class ChannelsHarness:
    """The watching side of one user's connection."""

    outside: Outside
    documents: Collection
    lifetime: timedelta = WEEK
    publisher: StandInPublisher = field(default_factory=StandInPublisher)
    accounts: FakeAccounts = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = FakeAccounts(self.outside.provider, self.outside.email, self.outside.token)

    @property
    def account(self) -> Account:
        assert self.accounts.account is not None
        return self.accounts.account

    @property
    def watching(self) -> ChannelManager:
        return ChannelManager(
            {self.outside.provider: self.outside.bell},
            MongoChannelReader(self.documents),
            self.accounts,
            AuthorizedCalls(self.accounts, RateLimiter(RATE_LIMITS)),
            self.publisher,
            lifetime=self.lifetime,
            retry_initial=2,
        )

    @property
    def leases(self) -> JobQueue:
        return JobQueue(self.documents, CHANNEL_JOB, seconds=5, concurrency_key=CONCURRENCY_KEY)

    async def connect(self) -> None:
        await MongoSyncStateRepository(self.documents, min_interval=0).start(self.account)

    async def take(self) -> LeasedJob:
        (lease,) = await self.leases.claim(1, full=[], per_key=lambda _: 1)
        return lease

    async def attempt(self) -> Document:
        """One attempt, recorded as a worker records it; what the feed's document says then."""
        lease = await self.take()
        result = await ChannelWorker(self.documents, self.watching).work(lease)
        await self.leases.record([(lease, result)])
        return await self.document()

    async def look_now(self, **fields: Any) -> None:
        """Its channels are to be looked at now; ``fields`` of the feed are changed."""
        await self.documents.update_one(
            {"_id": self.account.connection_id}, {"$set": {f"{CHANNEL_JOB}.dueAt": utc_now(), **fields}}
        )

    async def document(self) -> Document:
        found = await self.documents.find_one({"_id": self.account.connection_id})
        assert found is not None
        return found

    async def channels(self) -> list[Channel]:
        return to_sync_state(await self.document()).channels

    async def channel(self) -> Channel:
        """The only channel, which is open."""
        (channel,) = await self.channels()
        assert channel.state is ChannelState.OPEN
        return channel

    async def grow_old(self) -> None:
        """Its channel was opened long ago, and ends soon."""
        past = {"channels.0.since": utc_now() - 6 * timedelta(days=1), "channels.0.expiresAt": utc_now() + WEEK / 7}
        await self.look_now(**past)

    @property
    def told(self) -> list[Contract]:
        """Everything about channels, in the order in which it was told."""
        kinds = {type_of(kind).name: kind for kind in (ChannelActivated, ChannelDeactivated)}
        return [
            kinds[Envelope.from_headers(record.headers).type].model_validate_json(record.value)
            for record in self.publisher.records
        ]

    def believed(self, channel_id: str, secret: str) -> bool:
        """Whether webhook-ingest would believe such a notification, after all that was told."""
        known: dict[str, ChannelActivated] = {}
        for body in self.told:
            match body:
                case ChannelActivated():
                    known[body.channel_id] = body
                case ChannelDeactivated():
                    known.pop(body.channel_id, None)
        return (
            channel_id in known and known[channel_id].verify_secret(secret) and known[channel_id].expires_at > utc_now()
        )


class Listening:
    """A provider's channels; ``heard``: whether those that were asked for were believed already."""

    def __init__(self, bell: NotificationChannels, harness: ChannelsHarness) -> None:
        self._bell = bell
        self._desk = harness
        self.heard: list[bool] = []

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime, /
    ) -> CreatedChannel:
        self.heard.append(self._desk.believed(channel_id, secret))
        return await self._bell.create(access, channel_id, secret, expires_at)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bell, name)


class Hasty(Listening):
    """A provider whose channels are over at once."""

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime, /
    ) -> CreatedChannel:
        opened = await super().create(access, channel_id, secret, expires_at)
        return replace(opened, expires_at=utc_now())


@pytest.fixture
async def documents(mongodb_uri: str) -> AsyncIterator[Collection]:
    async with open_database(database_for(mongodb_uri)) as database:
        documents = database.collection("inbound_sync_states")
        await documents.create_indexes([*INDEXES, *CHANNEL_INDEXES])
        yield documents


@pytest.fixture
def at_google(google_simulator: Google) -> Iterator[AtGoogle]:
    client = GoogleClient(api_url=google_simulator.url, timeout=1, threads=2)
    with google_testing.receiving() as receiver:
        yield AtGoogle(google_simulator, client, receiver)
    client.close()
    google_simulator.control("DELETE", "faults")


@pytest.fixture
async def at_microsoft(microsoft_simulator: Microsoft) -> AsyncIterator[AtMicrosoft]:
    async with httpx.AsyncClient(timeout=1) as http:
        with microsoft_testing.receiving() as receiver:
            yield AtMicrosoft(microsoft_simulator, GraphClient(http, graph_url=microsoft_simulator.url), receiver)
    microsoft_simulator.control("DELETE", "faults")


@pytest.fixture(params=["at_google", "at_microsoft"])
def outside(request: pytest.FixtureRequest) -> Outside:
    """Both providers, one after the other."""
    found: Outside = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def harness(outside: Outside, documents: Collection) -> ChannelsHarness:
    harness = ChannelsHarness(outside, documents)
    await harness.connect()
    return harness


async def test_a_change_is_told_through_a_channel_that_is_believed(harness: ChannelsHarness) -> None:
    await harness.attempt()
    channel = await harness.channel()
    assert list(harness.outside.open().values()) == [channel.expires_at]
    harness.outside.change()

    async def told() -> bool:
        return len(harness.outside.secrets()) > 1

    await until(told, what="a notification")
    assert {channel_id for channel_id, _ in harness.outside.secrets()} == {channel.channel_id}
    assert all(harness.believed(*one) for one in harness.outside.secrets())
    assert not harness.believed(channel.channel_id, "another secret")


async def test_a_channel_is_known_before_the_provider_is_asked(harness: ChannelsHarness) -> None:
    harness.outside.bell = Listening(harness.outside.bell, harness)
    await harness.attempt()
    assert harness.outside.bell.heard == [True]


async def test_no_secret_is_kept_or_logged(harness: ChannelsHarness) -> None:
    with capture_logs() as logs:
        document = await harness.attempt()
    harness.outside.change()

    async def told() -> bool:
        return len(harness.outside.secrets()) > 0

    await until(told, what="a notification")
    (secret,) = {secret for _, secret in harness.outside.secrets()}
    assert secret not in f"{document} {logs} {harness.publisher.records}"


async def test_a_channel_is_looked_at_before_it_ends(harness: ChannelsHarness) -> None:
    document = await harness.attempt()
    share = (document[CHANNEL_JOB]["dueAt"] - utc_now()) / WEEK
    assert 0.74 < share < 0.81
    assert document["watchedUntil"] == (await harness.channel()).expires_at


async def test_an_old_channel_is_renewed_without_a_gap(harness: ChannelsHarness) -> None:
    await harness.attempt()
    first, before = await harness.channel(), harness.outside.open()
    await harness.grow_old()
    read_at = (await harness.document())[SYNC_JOB]["dueAt"]
    await harness.attempt()
    channel = await harness.channel()
    assert channel.expires_at > utc_now() + WEEK - timedelta(minutes=1)
    assert list(harness.outside.open().values()) == [channel.expires_at]
    assert (await harness.document())[SYNC_JOB]["dueAt"] == read_at
    if harness.outside.provider is CalendarProvider.OUTLOOK:
        assert (channel.channel_id, harness.outside.open().keys()) == (first.channel_id, before.keys())
        assert isinstance(harness.told[-1], ChannelActivated)
        assert harness.told[-1].expires_at == channel.expires_at
    else:
        assert channel.channel_id != first.channel_id
        assert harness.told[-1] == ChannelDeactivated(channel_id=first.channel_id)


async def test_a_young_channel_is_left_alone_or_prolonged(harness: ChannelsHarness) -> None:
    await harness.attempt()
    first = await harness.channel()
    await harness.look_now()
    await harness.attempt()
    assert (await harness.channel()).channel_id == first.channel_id
    assert len(harness.outside.open()) == 1


async def test_what_ended_unnoticed_is_replaced_and_the_calendar_read(harness: ChannelsHarness) -> None:
    await harness.attempt()
    first = await harness.channel()
    harness.outside.lose()
    over = {"channels.0.expiresAt": utc_now()} if harness.outside.provider is CalendarProvider.GOOGLE else {}
    await harness.look_now(**over, **{f"{SYNC_JOB}.dueAt": utc_now() + timedelta(days=1)})
    document = await harness.attempt()
    assert document[SYNC_JOB]["dueAt"] <= utc_now()
    assert (await harness.channel()).channel_id != first.channel_id
    assert len(harness.outside.open()) == 1
    assert ChannelDeactivated(channel_id=first.channel_id) in harness.told


@pytest.mark.parametrize("fault", ["commit_then_error", "commit_then_timeout"])
async def test_a_channel_whose_opening_nobody_answered_is_replaced(harness: ChannelsHarness, fault: str) -> None:
    harness.outside.fault(fault, status=503, seconds=2, times=1)
    document = await harness.attempt()
    (unanswered,) = await harness.channels()
    assert unanswered.state is ChannelState.OPENING
    assert utc_now() < document[CHANNEL_JOB]["dueAt"] < utc_now() + timedelta(seconds=3)
    assert SYNC_JOB in document
    await harness.look_now()
    await harness.attempt()
    channel = await harness.channel()
    assert channel.channel_id != unanswered.channel_id
    assert ChannelDeactivated(channel_id=unanswered.channel_id) in harness.told
    assert list(harness.outside.open()) == [harness.outside.id_of(channel)]


async def test_a_worker_that_dies_with_a_channel_open_leaves_none_behind(harness: ChannelsHarness) -> None:
    lease = await harness.take()
    await ChannelWorker(harness.documents, harness.watching).work(lease)
    (left,) = harness.outside.open()
    await harness.leases.record([(lease, JobResult())])  # as if its lease had run out: what came of it is not kept
    await harness.look_now()
    await harness.attempt()
    channel = await harness.channel()
    assert ChannelDeactivated(channel_id=(harness.told[0]).channel_id) in harness.told  # type: ignore[attr-defined]
    assert list(harness.outside.open()) == [harness.outside.id_of(channel)] != [left]


async def test_whoever_lost_the_lease_asks_for_nothing(harness: ChannelsHarness) -> None:
    lease = await harness.take()
    await harness.leases.release(lease, retry_in=0, attempts=0)
    result = await ChannelWorker(harness.documents, harness.watching).work(lease)
    assert (result, harness.outside.open(), harness.told) == (JobResult(), {}, [])


async def test_a_disconnect_stops_every_channel(harness: ChannelsHarness) -> None:
    await harness.attempt()
    channel = await harness.channel()
    account = harness.account
    await MongoSyncStateRepository(harness.documents, min_interval=0).end("T1", "TS1", SyncPhase.ENDED)
    harness.accounts.account = None
    await harness.watching.stop(account, harness.outside.token())
    assert harness.outside.open() == {}
    await harness.watching.stop(account, harness.outside.token())  # again: they are gone
    harness.accounts.account = account
    document = await harness.attempt()
    assert harness.told[-1] == ChannelDeactivated(channel_id=channel.channel_id)
    assert "watchedUntil" not in document
    assert "dueAt" not in document[CHANNEL_JOB]


async def test_a_provider_that_is_away_is_asked_again_to_stop(harness: ChannelsHarness) -> None:
    await harness.attempt()
    harness.outside.fault("error", operation=harness.outside.stopping, status=503, retryAfter=4, times=1)
    with pytest.raises(ProviderUnavailableError) as raised:
        await harness.watching.stop(harness.account, harness.outside.token())
    assert raised.value.retry_after == 4
    await harness.watching.stop(harness.account, "a token that is over")  # nothing that could be done
    assert len(harness.outside.open()) == 1
    await harness.watching.stop(harness.account, harness.outside.token())
    assert harness.outside.open() == {}


async def test_a_new_connection_closes_what_the_earlier_one_left(harness: ChannelsHarness) -> None:
    await harness.attempt()
    first = await harness.channel()
    harness.accounts.account = replace(harness.account, generation=2)
    await harness.connect()
    await harness.attempt()
    channel = await harness.channel()
    assert (channel.generation, len(harness.outside.open())) == (2, 1)
    assert ChannelDeactivated(channel_id=first.channel_id) in harness.told


async def test_a_lost_grant_leaves_nothing_to_believe(harness: ChannelsHarness) -> None:
    await harness.attempt()
    channel = await harness.channel()
    harness.accounts.account = None
    await MongoSyncStateRepository(harness.documents, min_interval=0).end("T1", "TS1", SyncPhase.SUSPENDED)
    lease = (await harness.leases.claim(1, full=[], per_key=lambda _: 1))[0]
    result = await ChannelWorker(harness.documents, harness.watching).work(lease)
    await harness.leases.record([(lease, result)])
    assert harness.told[-1] == ChannelDeactivated(channel_id=channel.channel_id)


async def test_a_refusal_is_tried_again_with_growing_pauses(harness: ChannelsHarness) -> None:
    harness.outside.fault("error", status=400)
    pauses = []
    for _ in range(3):
        document = await harness.attempt()
        pauses.append((document[CHANNEL_JOB]["dueAt"] - utc_now()).total_seconds())
        await harness.look_now()
    assert 0 < pauses[0] < 2 < pauses[2] < 8
    assert harness.outside.open() == {}
    assert "watchedUntil" not in document


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_channel_leaves_the_connection_and_is_reported(harness: ChannelsHarness, status: int) -> None:
    """Google answers 401 to a webhook address that it does not accept, whatever the token."""
    refused = metrics.CHANNEL_MAINTENANCE.labels(harness.outside.provider, "PERMISSION_DENIED")
    before = refused._value.get()
    harness.outside.fault("error", status=status, reason="forbidden")
    with capture_logs() as logs:
        document = await harness.attempt()
    await MongoChannelReader(harness.documents).measure()
    assert harness.accounts.account is not None
    assert document["phase"] == SyncPhase.OPEN
    assert document[SYNC_JOB]["dueAt"] <= utc_now(), "it is polled all the same"
    assert document[CHANNEL_JOB]["dueAt"] > utc_now(), "and the channel is tried again"
    assert refused._value.get() == before + 1
    assert metrics.CHANNELS_MISSING.labels(harness.outside.provider.value)._value.get() == 1
    assert [log["code"] for log in logs if log["event"] == "a calendar cannot be watched"] == ["PERMISSION_DENIED"]


async def test_channels_that_are_over_at_once_are_not_opened_all_the_time(harness: ChannelsHarness) -> None:
    harness.outside.bell = Hasty(harness.outside.bell, harness)
    document = await harness.attempt()
    assert document[CHANNEL_JOB]["dueAt"] > utc_now() + timedelta(seconds=0.5)
    assert document[CHANNEL_JOB]["attempts"] == 1
    assert "watchedUntil" not in document


async def test_retry_after_is_honoured(harness: ChannelsHarness) -> None:
    harness.outside.fault("error", status=429, retryAfter=60, times=1)
    document = await harness.attempt()
    assert document[CHANNEL_JOB]["dueAt"] > utc_now() + timedelta(seconds=55)


async def test_a_life_that_the_provider_cuts_short_is_told(at_google: AtGoogle, documents: Collection) -> None:
    harness = ChannelsHarness(at_google, documents, lifetime=timedelta(days=30))
    await harness.connect()
    await harness.attempt()
    opened = [body for body in harness.told if isinstance(body, ChannelActivated)]
    assert [body.expires_at - utc_now() > timedelta(days=8) for body in opened] == [True, False]
    assert opened[1].expires_at == (await harness.channel()).expires_at


async def test_a_mailbox_that_two_users_connected_keeps_its_one_subscription(
    at_microsoft: AtMicrosoft, documents: Collection
) -> None:
    first, second = ChannelsHarness(at_microsoft, documents), ChannelsHarness(at_microsoft, documents)
    second.accounts.account = replace(second.account, connection_id="T1:TS2", user_id="TS2")
    await first.connect()
    await first.attempt()
    await second.connect()
    document = await second.attempt()
    assert list(at_microsoft.open()) == [(await first.channel()).remote_id]
    assert document[CHANNEL_JOB]["attempts"] == 1
    assert SYNC_JOB in document


async def test_how_many_calendars_are_watched_is_measured(harness: ChannelsHarness) -> None:
    await harness.attempt()
    await MongoChannelReader(harness.documents).measure()
    provider = harness.outside.provider.value
    assert metrics.CHANNELS_OPEN.labels(provider)._value.get() == 1
    assert metrics.CHANNELS_MISSING.labels(provider)._value.get() == 0
    assert metrics.CHANNEL_EXPIRES_IN.labels(provider)._value.get() > WEEK.total_seconds() - 60
