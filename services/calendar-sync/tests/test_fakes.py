"""The fakes of calendar-sync's ports behave as the real parts do: each suite runs against both.

A stub that only returns or raises what its test gave it has no behaviour of its own, and no suite.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from calendar_sync.connections.model import connection_id
from calendar_sync.inbound.ports import MirroredEvents, RecheckRequest
from calendar_sync.outbound.event_lookup import MirroredEventLookup
from calendar_sync.outbound.model import MirroredEvent
from calendar_sync.outbound.ports import ConnectedHosts, MeetingUpdate
from calendar_sync.outbound.repository import INDEXES, JOBS, MirroredMeetingRepository, mirrored_event_update
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, account_key
from calendar_sync.providers.errors import AlreadyExistsError, NotFoundError, PreconditionFailedError
from calendar_sync.providers.external_event import DeletedEvent, ExternalEvent, SyncTokenExpiredError, Window
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.channels import GoogleChannels
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.channels import MicrosoftSubscriptions
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.ports import (
    CalendarAccess,
    CalendarWriter,
    EventChangesSource,
    Marker,
    NotificationChannels,
)
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.command import Actor
from contracts.values.enums import CalendarProvider, MeetingStatus
from contracts.values.ids import new_meeting_uuid, uuid7_hex
from contracts.values.times import utc_now
from simulators.google import testing as google_testing
from simulators.google.testing import Google
from simulators.microsoft import testing as microsoft_testing
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import Consents, GoogleConsents, MicrosoftConsents
from tests.support.connections import ConnectionsHarness, StandInPublisher
from tests.support.convergence import FakeCalendarWriter
from tests.support.inbound_fakes import (
    FakeEventChanges,
    FakeMirroredEvents,
    FakeNotificationChannels,
    database_for,
    seen,
)
from tests.support.outside import Outside
from tests.support.outward import FakeAccounts, content, meeting_state
from tests.support.owners import Owner, in_days
from tests.support.provider_account import TIMEOUT, ProviderAccount
from tests.support.reading import Reader

OUTLOOK = CalendarProvider.OUTLOOK
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(TODAY - timedelta(days=30), TODAY + timedelta(days=180))


# --- CalendarWriter ---------------------------------------------------------------------------------------------


@dataclass
class Writing:
    writer: CalendarWriter
    access: CalendarAccess
    marker: Marker


def _marker(email: str) -> Marker:
    return Marker(new_meeting_uuid(), "tests", account_key(OUTLOOK, email), 1)


@pytest.fixture(params=["fake", "google_office", "microsoft_office"])
def writing(request: pytest.FixtureRequest) -> Writing:
    if request.param == "fake":
        return Writing(FakeCalendarWriter({}), CalendarAccess("token", "primary"), _marker("host@contoso.com"))
    office: ProviderAccount = request.getfixturevalue(request.param)
    return Writing(office.calendar, office.access, _marker(office.email))


async def test_a_created_event_is_read_and_found_by_its_marker(writing: Writing) -> None:
    wanted = content(title="Review", location="Room 5", description="One\nTwo")
    created = await writing.writer.create(writing.access, writing.marker, wanted)
    read = await writing.writer.read(writing.access, created.ref.event_id)
    assert (read.ref, read.ours, read.canceled) == (created.ref, True, False)
    assert read.content.differs_from(wanted) == frozenset()
    found = await writing.writer.find(writing.access, writing.marker)
    assert [event.ref for event in found] == [created.ref]
    other = Marker(new_meeting_uuid(), writing.marker.deployment, writing.marker.account, 1)
    assert await writing.writer.find(writing.access, other) == []


async def test_a_second_create_makes_no_second_event(writing: Writing) -> None:
    """Google refuses the id; Graph returns the event of the first request with this transactionId."""
    first = await writing.writer.create(writing.access, writing.marker, content())
    try:
        second = await writing.writer.create(writing.access, writing.marker, content(title="Again"))
    except AlreadyExistsError:
        pass
    else:
        assert second.ref.event_id == first.ref.event_id
    assert len(await writing.writer.find(writing.access, writing.marker)) == 1


async def test_a_change_writes_its_fields_alone_and_only_over_the_state_that_was_seen(writing: Writing) -> None:
    created = await writing.writer.create(writing.access, writing.marker, content(location="Room 5"))
    newer = content(title="Newer", location="Elsewhere")
    changed = await writing.writer.change(writing.access, created.ref, newer, frozenset({"title"}))
    read = await writing.writer.read(writing.access, created.ref.event_id)
    assert (read.content.title, read.content.location) == ("Newer", "Room 5")
    assert read.ref == changed.ref != created.ref
    with pytest.raises(PreconditionFailedError):
        await writing.writer.change(writing.access, created.ref, newer, frozenset({"location"}))
    with pytest.raises(PreconditionFailedError):
        await writing.writer.remove(writing.access, created.ref)


async def test_a_removed_event_is_gone_or_a_tombstone(writing: Writing) -> None:
    created = await writing.writer.create(writing.access, writing.marker, content())
    await writing.writer.remove(writing.access, created.ref)
    with suppress(NotFoundError):
        assert (await writing.writer.read(writing.access, created.ref.event_id)).canceled
    assert await writing.writer.locate(writing.access, writing.marker, created.ref.event_id) is None
    with pytest.raises((NotFoundError, PreconditionFailedError)):  # a tombstone has another entity tag
        await writing.writer.change(writing.access, created.ref, content(title="Late"), frozenset({"title"}))
    with pytest.raises((NotFoundError, PreconditionFailedError)):
        await writing.writer.remove(writing.access, created.ref)


# --- EventChangesSource -----------------------------------------------------------------------------------------


class Hand(Protocol):
    """What the owner of a calendar does."""

    def makes(self, title: str, at: datetime) -> str: ...

    def renames(self, event_id: str, title: str) -> None: ...

    def deletes(self, event_id: str) -> None: ...

    def expire_sync_tokens(self) -> None:
        """The provider forgets all sync tokens."""


class FakeHand:
    """The owner of the fake calendar."""

    def __init__(self, calendar: FakeEventChanges) -> None:
        self._calendar = calendar

    def makes(self, title: str, at: datetime) -> str:
        event_id = uuid7_hex()
        self._calendar.put(seen(event_id, title=title, days=(at - utc_now()) / timedelta(days=1)))
        return event_id

    def renames(self, event_id: str, title: str) -> None:
        event = self._calendar.events[event_id]
        days = (event.content.when.starts_at - utc_now()) / timedelta(days=1)
        self._calendar.put(seen(event_id, title=title, days=days))

    def deletes(self, event_id: str) -> None:
        self._calendar.remove(event_id)

    def expire_sync_tokens(self) -> None:
        self._calendar.lose_cursors()


class OwnersHand(Owner):
    """The owner of a simulated calendar."""

    def expire_sync_tokens(self) -> None:
        if self.outside.name == "google":
            self.outside.simulator.control("POST", "sync-tokens/expire", {"account": self.email})
        else:
            self.outside.simulator.control("POST", f"accounts/{self.email}/delta/invalidate", {})


@dataclass
class Changes:
    source: EventChangesSource
    access: CalendarAccess
    hand: Hand


@pytest.fixture
def fake_changes() -> Changes:
    calendar = FakeEventChanges()
    return Changes(calendar, CalendarAccess("token", "primary"), FakeHand(calendar))


@pytest.fixture
def google_client(google_simulator: Google) -> Iterator[GoogleClient]:
    client = GoogleClient(api_url=google_simulator.url, timeout=TIMEOUT, threads=2)
    yield client
    client.close()


@pytest.fixture
def google_changes(google_simulator: Google, google_client: GoogleClient) -> Changes:
    outside = Outside("google", google_simulator, GoogleConsents(google_simulator))
    hand = OwnersHand(outside, f"{uuid7_hex().lower()}@gmail.com")
    access = CalendarAccess(str(google_simulator.connect(hand.email).token), "primary")
    return Changes(GoogleChanges(google_client, deployment="tests"), access, hand)


@pytest.fixture
async def graph_client(microsoft_simulator: Microsoft) -> AsyncIterator[GraphClient]:
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        yield GraphClient(http, graph_url=microsoft_simulator.url)


@pytest.fixture
def microsoft_changes(microsoft_simulator: Microsoft, graph_client: GraphClient) -> Changes:
    outside = Outside("outlook", microsoft_simulator, MicrosoftConsents(microsoft_simulator))
    hand = OwnersHand(outside, f"{uuid7_hex().lower()}@contoso.com")
    access = CalendarAccess(str(microsoft_simulator.consent(hand.email)["access_token"]), "primary")
    return Changes(MicrosoftChanges(graph_client, deployment="tests"), access, hand)


@pytest.fixture(params=["fake_changes", "google_changes", "microsoft_changes"])
def changes(request: pytest.FixtureRequest) -> Changes:
    found: Changes = request.getfixturevalue(request.param)
    return found


def _titles(found: Sequence[ExternalEvent | DeletedEvent]) -> list[str]:
    return sorted(event.content.title for event in found if isinstance(event, ExternalEvent))


async def test_a_full_sync_lists_the_window_and_the_next_one_what_changed(changes: Changes) -> None:
    first, second, *_ = (changes.hand.makes(title, in_days(day)) for title, day in (("A", 1), ("B", 2), ("C", 3)))
    changes.hand.makes("Far", in_days(400))
    reader = Reader(changes.source, changes.access, WINDOW)
    assert _titles(await reader.found()) == ["A", "B", "C"]
    assert await reader.found() == []

    changes.hand.renames(first, "A2")
    changes.hand.deletes(second)
    found = await reader.found()
    assert _titles(found) == ["A2"]
    assert [event.event_id for event in found if isinstance(event, DeletedEvent)] == [second]


async def test_after_an_expired_sync_token_a_full_sync_lists_what_is_there(changes: Changes) -> None:
    kept, removed = (changes.hand.makes(title, in_days(day)) for title, day in (("A", 1), ("B", 2)))
    reader = Reader(changes.source, changes.access, WINDOW)
    await reader.found()
    changes.hand.deletes(removed)
    changes.hand.expire_sync_tokens()
    with pytest.raises(SyncTokenExpiredError):
        await reader.found()
    again = await Reader(changes.source, changes.access, WINDOW).found()
    assert [event.event_id for event in again if isinstance(event, ExternalEvent)] == [kept]


async def test_an_event_exists_until_it_is_deleted(changes: Changes) -> None:
    event_id = changes.hand.makes("A", in_days(1))
    assert await changes.source.exists(changes.access, event_id)
    changes.hand.deletes(event_id)
    assert not await changes.source.exists(changes.access, event_id)


# --- NotificationChannels ---------------------------------------------------------------------------------------


@dataclass
class Channels:
    channels: NotificationChannels
    access: CalendarAccess


@pytest.fixture
def fake_channels() -> Channels:
    return Channels(FakeNotificationChannels(), CalendarAccess("token", "primary"))


@pytest.fixture
def google_channels(google_simulator: Google, google_client: GoogleClient) -> Iterator[Channels]:
    access = CalendarAccess(str(google_simulator.connect(f"{uuid7_hex().lower()}@gmail.com").token), "primary")
    with google_testing.receiving() as receiver:
        yield Channels(GoogleChannels(google_client, address=receiver.url), access)


@pytest.fixture
def microsoft_channels(microsoft_simulator: Microsoft, graph_client: GraphClient) -> Iterator[Channels]:
    token = microsoft_simulator.consent(f"{uuid7_hex().lower()}@contoso.com")["access_token"]
    with microsoft_testing.receiving() as receiver:
        channels = MicrosoftSubscriptions(graph_client, address=f"{receiver.url}/hook")
        yield Channels(channels, CalendarAccess(str(token), "primary"))


@pytest.fixture(params=["fake_channels", "google_channels", "microsoft_channels"])
def channels(request: pytest.FixtureRequest) -> Channels:
    found: Channels = request.getfixturevalue(request.param)
    return found


async def test_a_channel_lasts_until_it_is_stopped(channels: Channels) -> None:
    provider, access, channel_id = channels.channels, channels.access, uuid7_hex().lower()
    created = await provider.create(access, channel_id, "a secret", utc_now() + timedelta(days=2))
    assert created.expires_at > utc_now() + timedelta(hours=1)
    assert list(await provider.list_own(access)) in ([], [created.remote_id]), "Google does not list channels"
    renewed = await provider.renew(access, created.remote_id, utc_now() + timedelta(days=3))
    assert renewed is None or renewed.expires_at > created.expires_at
    await provider.stop(access, channel_id, created.remote_id)
    assert list(await provider.list_own(access)) == []
    with pytest.raises(NotFoundError):
        await provider.stop(access, channel_id, created.remote_id)


# --- MirroredEvents ---------------------------------------------------------------------------------------------

KEY = account_key(OUTLOOK, "host@contoso.com")


class Mirrors(Protocol):
    """Mirrored events, and how a test makes them and reads the rechecks that were requested."""

    lookup: MirroredEvents

    async def add(self, meeting_uuid: str, event: ExternalEvent, *, active: bool = True) -> None: ...

    async def add_unsettled(self, meeting_uuid: str) -> None:
        """The meeting's event is being created: its id is not known yet."""

    async def rechecks(self) -> list[RecheckRequest]: ...


class FakeMirrors:
    def __init__(self) -> None:
        self.lookup = FakeMirroredEvents()

    async def add(self, meeting_uuid: str, event: ExternalEvent, *, active: bool = True) -> None:
        self.lookup.add(meeting_uuid, event, expected=active)

    async def add_unsettled(self, meeting_uuid: str) -> None:
        self.lookup.settling.add(meeting_uuid)

    async def rechecks(self) -> list[RecheckRequest]:
        return list(self.lookup.looks)


class MongoMirrors:
    """Mirrored meetings as the projector and the outbound worker write them."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents
        self.lookup = MirroredEventLookup(documents, wake=lambda _: None)

    async def add(self, meeting_uuid: str, event: ExternalEvent, *, active: bool = True) -> None:
        when = event.content.when
        status = MeetingStatus.ACTIVE if active else MeetingStatus.CANCELED
        times = {
            name: at.replace(tzinfo=None).isoformat()
            for name, at in (("start_date_time", when.starts_at), ("end_date_time", when.ends_at))
        }
        await self._save(meeting_uuid, status=status, **times)
        mirrored = MirroredEvent(provider=OUTLOOK, calendar_email="host@contoso.com")
        mirrored.record_location(event.event_id, event.etag)
        mirrored.record_known_content(event.content)
        await self._documents.update_one({"_id": meeting_uuid}, mirrored_event_update(KEY, mirrored))

    async def add_unsettled(self, meeting_uuid: str) -> None:
        await self._save(meeting_uuid)
        mirrored = MirroredEvent(provider=OUTLOOK, calendar_email="host@contoso.com")
        mirrored.record_intent(content(), frozenset({"title"}), utc_now())
        await self._documents.update_one({"_id": meeting_uuid}, mirrored_event_update(KEY, mirrored))

    async def rechecks(self) -> list[RecheckRequest]:
        found = await self._documents.find({f"{JOBS[OUTLOOK]}.dueAt": {"$lte": utc_now()}}, sort={"_id": 1})
        return [
            RecheckRequest(document["_id"], key, is_mass_deletion=recheck["isMassDeletion"])
            for document in found
            for key, recheck in document["rechecks"].items()
        ]

    async def _save(self, meeting_uuid: str, **changes: Any) -> None:
        meeting = meeting_state(meeting_uuid=meeting_uuid, **changes)
        outbox = Outbox(self._documents, StandInPublisher(), relay_delay=10)
        update = MeetingUpdate(meeting, 1, "correlation", None, needs_sync=False)
        await MirroredMeetingRepository(self._documents, outbox).save([update])


@pytest.fixture
def fake_mirrors() -> FakeMirrors:
    return FakeMirrors()


@pytest.fixture
async def mongo_mirrors(mongodb_uri: str) -> AsyncIterator[MongoMirrors]:
    async with open_database(database_for(mongodb_uri)) as database:
        documents = database.collection("mirrored_meetings")
        await documents.create_indexes(INDEXES)
        yield MongoMirrors(documents)


@pytest.fixture(params=["fake_mirrors", pytest.param("mongo_mirrors", marks=pytest.mark.integration)])
def mirrors(request: pytest.FixtureRequest) -> Mirrors:
    found: Mirrors = request.getfixturevalue(request.param)
    return found


async def _of_window(mirrors: Mirrors, window: Window = WINDOW) -> set[str]:
    async with aclosing(mirrors.lookup.of_window(KEY, window)) as pages:  # type: ignore[type-var]
        return {ref.meeting_uuid async for page in pages for ref in page}


async def test_a_mirrored_event_is_found_by_its_event_id(mirrors: Mirrors) -> None:
    event = seen("event-1")
    await mirrors.add("M1", event)
    await mirrors.add("M2", seen("event-2"))
    found = await mirrors.lookup.of_events(KEY, ["event-1", "unknown"])
    assert list(found) == ["event-1"]
    ref = found["event-1"]
    assert (ref.meeting_uuid, ref.event_id, ref.expected) == ("M1", "event-1", True)
    assert ref.base_fingerprint == event.content.fingerprint
    assert ref.when is not None
    assert ref.when.instants == event.content.when.instants


async def test_an_event_of_a_canceled_meeting_is_known_and_not_expected(mirrors: Mirrors) -> None:
    await mirrors.add("M1", seen("event-1"), active=False)
    assert not (await mirrors.lookup.of_events(KEY, ["event-1"]))["event-1"].expected
    assert await _of_window(mirrors) == set()


async def test_a_window_holds_what_overlaps_it_and_is_not_over(mirrors: Mirrors) -> None:
    now = utc_now()
    for meeting_uuid, days in (("past", -1.0), ("soon", 1.0), ("later", 3.0)):
        await mirrors.add(meeting_uuid, seen(f"event-{meeting_uuid}", days=days))
    assert await _of_window(mirrors) == {"soon", "later"}
    begins_inside_soon = now + timedelta(days=1, minutes=30)
    assert await _of_window(mirrors, Window(begins_inside_soon, now + timedelta(days=2))) == {"soon"}
    assert await _of_window(mirrors, Window(now + timedelta(days=2), now + timedelta(days=2, hours=1))) == set()


async def test_meetings_of_the_platform_are_told_from_others(mirrors: Mirrors) -> None:
    await mirrors.add("M1", seen("event-1"))
    await mirrors.add_unsettled("M2")
    assert await mirrors.lookup.meetings(["M1", "M2", "M3"]) == {"M1", "M2"}
    assert await mirrors.lookup.unsettled(KEY, ["M1", "M2", "M3"]) == {"M2"}


async def test_requested_rechecks_are_kept(mirrors: Mirrors) -> None:
    await mirrors.add("M1", seen("event-1"))
    await mirrors.add("M2", seen("event-2"))
    requests = [RecheckRequest("M1", KEY), RecheckRequest("M2", KEY, is_mass_deletion=True)]
    await mirrors.lookup.request_rechecks(requests)
    assert await mirrors.rechecks() == requests


# --- Accounts and ConnectedHosts --------------------------------------------------------------------------------


@dataclass
class Connected:
    """One user's connected account. ``end``: the user takes the grant back."""

    accounts: Accounts
    hosts: ConnectedHosts
    account: Account
    end: Any


@pytest.fixture
def fake_accounts() -> Connected:
    fake = FakeAccounts(OUTLOOK, "host@contoso.com", lambda: "token")
    assert fake.account is not None

    async def end() -> None:
        fake.account = None

    return Connected(fake, fake, fake.account, end)


@pytest.fixture
async def mongo_accounts(harness: ConnectionsHarness, microsoft: Consents, actor: Actor) -> Connected:
    account = await harness.connect(actor, microsoft)

    async def end() -> None:
        await harness.disconnect(actor)

    return Connected(harness.accounts, harness.connections, account, end)


@pytest.fixture(params=["fake_accounts", pytest.param("mongo_accounts", marks=pytest.mark.integration)])
def connected(request: pytest.FixtureRequest) -> Connected:
    found: Connected = request.getfixturevalue(request.param)
    return found


async def test_an_account_gives_tokens_until_its_grant_ends(connected: Connected) -> None:
    account, accounts = connected.account, connected.accounts
    host, stranger = (account.tenant_uuid, account.user_id), (account.tenant_uuid, "TS-unknown")
    assert account.connection_id == connection_id(*host)
    assert await accounts.connected(*host) == account
    assert await accounts.connected(*stranger) is None
    assert await connected.hosts.providers_of({host, stranger}) == {host: OUTLOOK}
    assert await accounts.access_token(account)

    await connected.end()
    assert await accounts.connected(*host) is None
    assert await connected.hosts.providers_of({host}) == {}
    with pytest.raises(GrantRevokedError):
        await accounts.access_token(account)
