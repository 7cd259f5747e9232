"""Whatever happens in a calendar and is forgotten by its provider: rounds of changes say what reading it all says."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from calendar_sync.adapters.changes.google import GoogleChanges
from calendar_sync.adapters.changes.microsoft import MicrosoftChanges
from calendar_sync.adapters.clients.google import GoogleClient
from calendar_sync.adapters.clients.microsoft import GraphClient
from calendar_sync.application.pulling import Changes
from calendar_sync.application.writing import Access
from calendar_sync.domain.external import CursorLostError, SeenEvent, Window
from calendar_sync.domain.sighting import is_within
from contracts.ids import uuid7_hex
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import GoogleConsents, MicrosoftConsents
from tests.support.outside import Outside
from tests.support.owners import Owner, in_days
from tests.support.reading import Reader

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(TODAY - timedelta(days=30), TODAY + timedelta(days=180))
OPERATIONS = 60


@dataclass
class Known:
    """What is known of a calendar by reading rounds, as a pull keeps it."""

    changes: Changes
    access: Access
    events: dict[str, SeenEvent] = field(default_factory=dict)
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
        except CursorLostError:
            self.lost += 1
            self._begin()
            found = await self.reader.found()
        for one in found:
            if isinstance(one, SeenEvent) and is_within(one.content.when, WINDOW):
                self.events[one.event_id] = replace(one, etag="")
            else:
                self.events.pop(one.event_id, None)


@dataclass
class Calendar:
    """A calendar, its owner, and what reads it."""

    owner: Owner
    changes: Changes
    access: Access
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


@pytest.fixture
def google_calendar(google_simulator: Google) -> Iterator[Calendar]:
    client = GoogleClient(api_url=google_simulator.url, timeout=5, threads=2)
    owner = Owner(Outside("google", google_simulator, GoogleConsents(google_simulator)), f"{uuid7_hex()}@gmail.com")
    access = Access(str(google_simulator.connect(owner.email).token), "primary")
    yield Calendar(owner, GoogleChanges(client, deployment="tests"), access)
    client.close()
    google_simulator.control("DELETE", "faults")


@pytest.fixture
async def microsoft_calendar(microsoft_simulator: Microsoft) -> AsyncIterator[Calendar]:
    outside = Outside("outlook", microsoft_simulator, MicrosoftConsents(microsoft_simulator))
    owner = Owner(outside, f"{uuid7_hex().lower()}@contoso.com")
    access = Access(str(microsoft_simulator.consent(owner.email)["access_token"]), "primary")
    async with httpx.AsyncClient(timeout=5) as http:
        client = GraphClient(http, graph_url=microsoft_simulator.url)
        yield Calendar(owner, MicrosoftChanges(client, deployment="tests"), access)
    microsoft_simulator.control("DELETE", "faults")


@pytest.fixture(params=["google_calendar", "microsoft_calendar"])
def calendar(request: pytest.FixtureRequest) -> Calendar:
    """Both providers, one after the other."""
    found: Calendar = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_rounds_say_the_same_as_reading_everything(calendar: Calendar, seed: int) -> None:
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
