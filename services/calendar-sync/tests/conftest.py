"""Connections in a real MongoDB, with both simulated providers behind real sockets."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx
import pytest
from calendar_sync.connections.repository import INDEXES, MongoConnectionRepository
from calendar_sync.connections.vault import AesGcmTokenVault
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.google.writer import GoogleCalendarWriter
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.writer import MicrosoftCalendarWriter
from calendar_sync.providers.registry import oauth_clients
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.command import Actor
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from simulators.common.serve import running
from simulators.google.app import create_app as google_app
from simulators.google.settings import Settings as GoogleSettings
from simulators.google.testing import Google
from simulators.microsoft.app import create_app as microsoft_app
from simulators.microsoft.settings import Settings as MicrosoftSettings
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import Consents, GoogleConsents, MicrosoftConsents
from tests.support.connections import KEY, ConnectionsHarness, StandInPublisher, new_actor, settings_for
from tests.support.outside import Outside
from tests.support.outward import FakeAccounts
from tests.support.provider_account import TIMEOUT, ProviderAccount


@pytest.fixture(scope="session")
def google_simulator() -> Iterator[Google]:
    settings = GoogleSettings(google_quota_per_minute=0)
    with running(google_app(settings)) as url, Google(url, settings) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def microsoft_simulator() -> Iterator[Microsoft]:
    settings = MicrosoftSettings()
    with running(microsoft_app(settings)) as url, Microsoft(url, settings) as simulator:
        yield simulator


@pytest.fixture
def google(google_simulator: Google) -> Iterator[GoogleConsents]:
    yield GoogleConsents(google_simulator)
    google_simulator.control("DELETE", "faults")


@pytest.fixture
def microsoft(microsoft_simulator: Microsoft) -> Iterator[MicrosoftConsents]:
    yield MicrosoftConsents(microsoft_simulator)
    microsoft_simulator.control("POST", "reset")
    microsoft_simulator.control("DELETE", "faults")


@pytest.fixture(params=["google", "microsoft"])
def consents(request: pytest.FixtureRequest) -> Consents:
    """Both providers, one after the other."""
    found: Consents = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def harness(
    mongodb_uri: str, google_simulator: Google, microsoft_simulator: Microsoft, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectionsHarness]:
    """Connections in a database of their own."""
    settings = settings_for(mongodb_uri, google_simulator, microsoft_simulator)
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.delitem(os.environ, "OAUTHLIB_RELAX_TOKEN_SCOPE", raising=False)  # production has no such thing
    async with AsyncExitStack() as started:
        database = await started.enter_async_context(open_database(settings))
        documents = database.collection("connections")
        await documents.create_indexes(INDEXES)
        publisher = StandInPublisher()
        outbox = Outbox(documents, publisher, relay_delay=10)
        yield ConnectionsHarness(
            settings,
            documents,
            publisher,
            outbox,
            MongoConnectionRepository(documents, outbox),
            await oauth_clients(settings, started),
            AesGcmTokenVault.parse(KEY),
        )


@pytest.fixture
def actor() -> Actor:
    """A user whom no other test knows."""
    return new_actor()


@pytest.fixture
def google_office(google_simulator: Google) -> Iterator[ProviderAccount]:
    email = f"{uuid7_hex().lower()}@gmail.com"
    credentials = google_simulator.connect(email)
    client = GoogleClient(api_url=google_simulator.url, timeout=TIMEOUT, threads=4)
    accounts = FakeAccounts(CalendarProvider.GOOGLE, email, lambda: str(credentials.token))
    outside = Outside("google", google_simulator, GoogleConsents(google_simulator))
    yield ProviderAccount(outside, email, accounts, GoogleCalendarWriter(client))
    client.close()
    google_simulator.control("DELETE", "faults")


@pytest.fixture
async def microsoft_office(microsoft_simulator: Microsoft) -> AsyncIterator[ProviderAccount]:
    email = f"{uuid7_hex().lower()}@contoso.com"
    token = microsoft_simulator.consent(email)["access_token"]
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        calendar = MicrosoftCalendarWriter(GraphClient(http, graph_url=microsoft_simulator.url))
        accounts = FakeAccounts(CalendarProvider.OUTLOOK, email, lambda: str(token))
        outside = Outside("outlook", microsoft_simulator, MicrosoftConsents(microsoft_simulator))
        yield ProviderAccount(outside, email, accounts, calendar)
    microsoft_simulator.control("DELETE", "faults")


@pytest.fixture(params=["google_office", "microsoft_office"])
def office(request: pytest.FixtureRequest) -> ProviderAccount:
    """Both providers, one after the other."""
    found: ProviderAccount = request.getfixturevalue(request.param)
    return found
