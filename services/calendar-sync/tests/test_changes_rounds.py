"""Whatever happens in a calendar and is forgotten by its provider: rounds of changes say what reading it all says."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from calendar_sync.inbound.imported_event import is_within
from calendar_sync.inbound.imported_event_repository import INDEXES, MongoImportedEventRepository
from calendar_sync.inbound.model import InboundSyncState
from calendar_sync.inbound.sync import InboundSync, Synced, SyncPolicy
from calendar_sync.providers.accounts import account_key
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.external_event import ExternalEvent, SyncTokenExpiredError, Window
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.ports import CalendarAccess, EventChangesSource
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import GoogleConsents, MicrosoftConsents
from tests.support.connections import StandInPublisher
from tests.support.inbound_fakes import FakeMirroredEvents, database_for
from tests.support.outside import Outside
from tests.support.outward import FakeAccounts
from tests.support.owners import Owner, in_days
from tests.support.reading import Reader

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(TODAY - timedelta(days=30), TODAY + timedelta(days=180))
SURE = Window(WINDOW.begins + timedelta(days=2), WINDOW.ends - timedelta(days=2))
OPERATIONS = 60


@dataclass
class Known:
    """What is known of a calendar by reading rounds, as a pull keeps it."""

    changes: EventChangesSource
    access: CalendarAccess
    events: dict[str, ExternalEvent] = field(default_factory=dict)
    reader: Reader = field(init=False)
    lost: int = 0

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.reader = Reader(self.changes, self.access, WINDOW)
        self.events.clear()

    async def read(self) -> None:
        try:
            found = await self.reader.found()
        except SyncTokenExpiredError:
            self.lost += 1
            self._begin()
            found = await self.reader.found()
        for one in found:
            if isinstance(one, ExternalEvent) and is_within(one.content.when, WINDOW):
                self.events[one.event_id] = replace(one, etag="")
            else:
                self.events.pop(one.event_id, None)


@dataclass
class CalendarWriter:
    """A calendar, its owner, and what reads it."""

    owner: Owner
    changes: EventChangesSource
    access: CalendarAccess
    series: list[str] = field(default_factory=list)

    def happens(self, chance: random.Random, known: Known) -> None:
        """Something happens, to anything or to what is known."""
        at = in_days(chance.randrange(-20, 170), hour=chance.randrange(24))
        event_id = chance.choice(sorted(known.events) or [""])
        match chance.randrange(10):
            case 0 | 1:
                self.owner.makes(uuid7_hex(), at, all_day=chance.random() < 0.3)
            case 2:
                self.series.append(self.owner.makes_daily(uuid7_hex(), at, chance.randrange(2, 6)))
            case 3 | 4 if event_id:
                self.owner.renames(event_id, uuid7_hex())
            case 5 if event_id and not known.events[event_id].content.when.all_day:
                self.owner.moves(event_id, known.events[event_id].content.when.starts_at + timedelta(minutes=90))
            case 6 if event_id:
                self.owner.deletes(event_id)
            case 7 if event_id and not known.events[event_id].original_start:
                self.owner.moves(event_id, in_days(chance.choice([-60, 3, 400])))
            case 8 if self.series:
                self.owner.renames(chance.choice(self.series), uuid7_hex())
            case 9 if self.series and chance.random() < 0.3:
                self.owner.deletes(self.series.pop())

    def forgets(self) -> None:
        """The provider forgets how far anybody has read."""
        simulator = self.owner.outside.simulator
        if self.owner.outside.name == "google":
            simulator.control("POST", "sync-tokens/expire", {"account": self.owner.email})
        else:
            simulator.control("POST", f"accounts/{self.owner.email}/delta/invalidate", {})


class Puller:
    """Pulls one calendar, as a worker does."""

    def __init__(self, calendar: CalendarWriter, sightings: MongoImportedEventRepository) -> None:
        provider = {"google": CalendarProvider.GOOGLE, "outlook": CalendarProvider.OUTLOOK}[calendar.owner.outside.name]
        email, accounts = (
            calendar.owner.email,
            FakeAccounts(provider, calendar.owner.email, lambda: calendar.access.token),
        )
        self._sightings = sightings
        self._pulling = InboundSync(
            {provider: calendar.changes},
            mirrored_events=FakeMirroredEvents(),
            imported_events=sightings,
            accounts=accounts,
            calls=AuthorizedCalls(accounts, RateLimiter(RATE_LIMITS)),
            policy=SyncPolicy(),
        )
        self._feed = InboundSyncState(
            connection_id="T1:TS1",
            tenant_uuid="T1",
            user_id="TS1",
            provider=provider,
            account=account_key(provider, email),
            generation=1,
            synced_as_of=utc_now(),
        )

    async def pull(self) -> None:
        pulled = await self._pulling.run(self._feed, attempt_number=1)
        assert isinstance(pulled, Synced), pulled
        self._feed.sync_token = pulled.sync_token

    async def held(self) -> set[str]:
        """The events that are believed to be there, well within the window."""
        return {
            one.event_id
            async for page in self._sightings.iterate("T1:TS1")
            for one in page
            if one.starts_at < SURE.ends and one.ends_at >= SURE.begins
        }


@pytest.fixture
def google_calendar(google_simulator: Google) -> Iterator[CalendarWriter]:
    client = GoogleClient(api_url=google_simulator.url, timeout=5, threads=2)
    owner = Owner(Outside("google", google_simulator, GoogleConsents(google_simulator)), f"{uuid7_hex()}@gmail.com")
    access = CalendarAccess(str(google_simulator.connect(owner.email).token), "primary")
    yield CalendarWriter(owner, GoogleChanges(client, deployment="tests"), access)
    client.close()
    google_simulator.control("DELETE", "faults")


@pytest.fixture
async def microsoft_calendar(microsoft_simulator: Microsoft) -> AsyncIterator[CalendarWriter]:
    outside = Outside("outlook", microsoft_simulator, MicrosoftConsents(microsoft_simulator))
    owner = Owner(outside, f"{uuid7_hex().lower()}@contoso.com")
    access = CalendarAccess(str(microsoft_simulator.consent(owner.email)["access_token"]), "primary")
    async with httpx.AsyncClient(timeout=5) as http:
        client = GraphClient(http, graph_url=microsoft_simulator.url)
        yield CalendarWriter(owner, MicrosoftChanges(client, deployment="tests"), access)
    microsoft_simulator.control("DELETE", "faults")


@pytest.fixture(params=["google_calendar", "microsoft_calendar"])
def calendar(request: pytest.FixtureRequest) -> CalendarWriter:
    """Both providers, one after the other."""
    found: CalendarWriter = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_rounds_say_the_same_as_reading_everything(calendar: CalendarWriter, seed: int) -> None:
    chance = random.Random(seed)
    known = Known(calendar.changes, calendar.access)
    for kind in ("empty_page", "repeated_items"):
        if kind == "empty_page" or calendar.owner.outside.name == "outlook":
            calendar.owner.outside.simulator.fault(kind, account=calendar.owner.email, probability=0.2)
    for _ in range(OPERATIONS):
        with suppress(httpx.HTTPStatusError):  # it happened to something that is gone since it was read
            calendar.happens(chance, known)
        if chance.random() < 0.05:
            calendar.forgets()
        if chance.random() < 0.5:
            await known.read()
    await known.read()
    afresh = Known(calendar.changes, calendar.access)
    await afresh.read()
    assert known.events == afresh.events
    assert len(known.events) > 5


@pytest.mark.integration
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_pull_holds_what_is_there_although_it_is_not_told_all(
    calendar: CalendarWriter, seed: int, mongodb_uri: str
) -> None:
    chance, owner = random.Random(seed), calendar.owner
    if owner.outside.name == "outlook":
        owner.outside.simulator.fault("untold_removal", account=owner.email, probability=0.5)
    async with open_database(database_for(mongodb_uri)) as database:
        documents = database.collection("imported_events")
        await documents.create_indexes(INDEXES)
        puller = Puller(
            calendar, MongoImportedEventRepository(documents, Outbox(documents, StandInPublisher(), relay_delay=10))
        )
        for _ in range(OPERATIONS // 3):
            there = Known(calendar.changes, calendar.access)
            await there.read()
            for _ in range(3):
                with suppress(httpx.HTTPStatusError):
                    calendar.happens(chance, there)
            await puller.pull()
        there = Known(calendar.changes, calendar.access)
        await there.read()
        held = await puller.held()
    assert held == {one.event_id for one in there.events.values() if is_within(one.content.when, SURE)}
    assert len(held) > 5
