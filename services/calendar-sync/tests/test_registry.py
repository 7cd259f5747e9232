"""A calendar provider is one entry of the registry: another is written, read and watched without any other change."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
from calendar_sync.connections.wiring import start_connection_services, start_connections
from calendar_sync.inbound.ports import SyncOutcome
from calendar_sync.inbound.wiring import Inbound, start_channels, start_inbound
from calendar_sync.outbound.wiring import Outbound, start_outbound
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.entry import CalendarApi, ProviderEntry
from calendar_sync.providers.oauth import AuthorizationRequest, TokenGrant, TokenSet
from calendar_sync.providers.rate_limit import RateLimit, RateLimiter
from calendar_sync.providers.registry import PROVIDERS, calendar_apis, oauth_clients
from calendar_sync.runtime import Runtime
from calendar_sync.settings import Settings
from chassis.mongo.database import open_database
from contracts.api.calendar import AuthorizationOutcome, AuthorizationResult, CompleteAuthorization, StartAuthorization
from contracts.messages.meeting_events import MeetingCanceled, MeetingCreated, MeetingUpdated
from contracts.values.enums import CalendarProvider, MeetingStatus
from contracts.values.times import utc_now
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.commands import HOST
from tests.support.connections import StandInPublisher, new_actor, settings_for
from tests.support.convergence import FakeCalendarWriter
from tests.support.inbound_fakes import FakeEventChanges, FakeNotificationChannels, seen
from tests.support.outward import meeting_state, received
from tests.support.waiting import until

pytestmark = pytest.mark.integration


class OpenDoorOAuth:
    """A login that grants everything to everybody."""

    async def start_authorization(self, *, state: str, login_hint: str) -> AuthorizationRequest:
        return AuthorizationRequest(f"https://calendar.example.com/authorize?state={state}", "verifier")

    async def exchange_code(self, *, code: str, flow_state: str) -> TokenGrant:
        assert flow_state == "verifier"
        return TokenGrant(
            await self.refresh(TokenSet("", utc_now(), "")), "subject 1", "host@example.com", ["calendar"]
        )

    async def refresh(self, token_set: TokenSet) -> TokenSet:
        return TokenSet("token", utc_now() + timedelta(hours=1), "refresh token")

    async def revoke(self, token_set: TokenSet) -> None:
        pass


@dataclass
class Service:
    """calendar-sync without Kafka, with a provider that is nothing but an entry."""

    written: FakeCalendarWriter
    read: FakeEventChanges
    channels: FakeNotificationChannels
    account: Account
    outbound: Outbound
    inbound: Inbound


@pytest.fixture
async def service(
    mongodb_uri: str, google_simulator: Google, microsoft_simulator: Microsoft, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    written, read, channels = FakeCalendarWriter({}), FakeEventChanges(), FakeNotificationChannels()

    async def open_oauth(_settings: Settings, _started: AsyncExitStack) -> OpenDoorOAuth:
        return OpenDoorOAuth()

    async def open_calendar(_settings: Settings, _started: AsyncExitStack) -> CalendarApi:
        return CalendarApi(written, read, channels)

    entry = ProviderEntry(
        job="outlook",
        rate_limit=RateLimit(burst=100, per_second=100, concurrency=2),
        open_oauth=open_oauth,
        open_calendar=open_calendar,
    )
    providers = PROVIDERS | {CalendarProvider.OUTLOOK: entry}
    settings = settings_for(mongodb_uri, google_simulator, microsoft_simulator)
    async with AsyncExitStack() as started:
        database = await started.enter_async_context(open_database(settings))
        runtime = Runtime(settings, database, StandInPublisher(), started)
        connections = await start_connections(runtime, await oauth_clients(settings, started, providers))
        apis = await calendar_apis(settings, started, providers)
        limits = {provider: known.rate_limit for provider, known in providers.items()}
        calls = AuthorizedCalls(connections.accounts, RateLimiter(limits))
        kept = await start_channels(runtime, apis, calls)
        services = await start_connection_services(runtime, connections, kept.manager)
        outbound = await start_outbound(runtime, providers, apis, connections.repository, calls)
        inbound = await start_inbound(runtime, kept, apis, outbound.lookup, calls)

        actor = new_actor()
        begun = await services.authorization.start(
            StartAuthorization(actor=actor, provider=CalendarProvider.OUTLOOK, request_id="1")
        )
        state = begun.data.authorization_url.rpartition("=")[2]
        ended = await services.authorization.complete(
            CompleteAuthorization(provider=CalendarProvider.OUTLOOK, state=state, code="code")
        )
        assert AuthorizationOutcome.model_validate(ended.data).result is AuthorizationResult.CONNECTED
        account = await connections.accounts.connected(actor.tenant_uuid, actor.user_id)
        assert account is not None
        yield Service(written, read, channels, account, outbound, inbound)


async def test_a_provider_of_one_entry_is_written(service: Service) -> None:
    owner = {"tenant_uuid": service.account.tenant_uuid, "host_uuid": service.account.user_id}
    meeting = meeting_state(**owner)

    async def shows(*titles: str) -> None:
        async def found() -> bool:
            return [event.content.title for event in service.written.shown] == list(titles)

        await until(found, what=f"the calendar shows {titles}")

    await service.outbound.projector.handle([received(MeetingCreated(actor=HOST.reference, meeting=meeting), 1)])
    await shows("Review")
    moved = meeting.model_copy(update={"title": "Moved"})
    await service.outbound.projector.handle(
        [received(MeetingUpdated(actor=HOST.reference, meeting=moved, changed=["title"], rescheduled=False), 2)]
    )
    await shows("Moved")
    canceled = moved.model_copy(update={"status": MeetingStatus.CANCELED})
    await service.outbound.projector.handle([received(MeetingCanceled(actor=HOST.reference, meeting=canceled), 3)])
    await shows()


async def test_a_provider_of_one_entry_is_read_and_watched(service: Service) -> None:
    service.read.put(seen("a"), seen("b"))
    assert await (await service.inbound.scheduler.request_run(service.account)) == SyncOutcome(2, 0, 0)
    service.read.remove("a")
    assert await (await service.inbound.scheduler.request_run(service.account)) == SyncOutcome(0, 0, 1)

    async def is_watched() -> bool:
        return len(service.channels.created) == 1

    await until(is_watched, what="a channel is open")
