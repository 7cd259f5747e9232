"""The wiring of calendar-sync, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import httpx
from chassis.health import Health
from chassis.http import service_app
from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import open_publisher
from chassis.leases import Leases
from chassis.mongo import Collection, open_database
from chassis.outbox import Outbox
from chassis.queries import query_routes
from chassis.workers import Workers
from contracts.calendar import BeginConsent, CompleteConsent, GetConnection
from contracts.enums import CalendarProvider
from contracts.topics import CALENDAR_COMMANDS, CALENDAR_EVENTS, CALENDAR_NOTIFICATIONS, CALENDAR_SYNC, MEETING_EVENTS
from fastapi import FastAPI

from calendar_sync.adapters.calendars.google import GoogleCalendar
from calendar_sync.adapters.calendars.microsoft import MicrosoftCalendar
from calendar_sync.adapters.clients.google import GoogleClient
from calendar_sync.adapters.clients.microsoft import GraphClient
from calendar_sync.adapters.connections import INDEXES, LEAVING, StoredConnections, to_connection
from calendar_sync.adapters.links import INDEXES as LINK_INDEXES
from calendar_sync.adapters.links import LANE, WORK, LinkBook, WritingDesk
from calendar_sync.adapters.oauth.google import GoogleOAuth
from calendar_sync.adapters.oauth.microsoft import MicrosoftOAuth
from calendar_sync.adapters.vault import TokenVault
from calendar_sync.application.accounts import ConnectedAccounts
from calendar_sync.application.calling import Calls
from calendar_sync.application.commands import CalendarCommands
from calendar_sync.application.connecting import Connecting
from calendar_sync.application.consents import Providers
from calendar_sync.application.dispatching import Dispatching
from calendar_sync.application.leaving import TakingLeave
from calendar_sync.application.noting import Noting
from calendar_sync.application.politeness import MANNERS, Politeness
from calendar_sync.application.syncing import Syncing
from calendar_sync.application.writing import Calendar, Patience, Writing
from calendar_sync.settings import Settings

_CALLBACK = "/api/v1/calendar/callback"


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it consumes while its lifespan runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            database = await started.enter_async_context(open_database(settings))
            publisher = await started.enter_async_context(open_publisher(settings))

            # Connections
            documents = database.collection("connections")
            await documents.create_indexes(INDEXES)
            outbox = Outbox(documents, publisher, grace=settings.outbox_grace)
            await started.enter_async_context(outbox.swept())
            connections = StoredConnections(documents, outbox)
            vault = TokenVault.parse(settings.token_encryption_keys.get_secret_value())
            providers = await oauth_providers(settings, started)
            accounts = ConnectedAccounts(connections, providers, vault)
            await started.enter_async_context(accounts.ending_well())
            leaving = Workers(
                Leases(documents, LEAVING, seconds=settings.leaving_lease),
                TakingLeave(connections, providers, vault, None, to_connection).work,
                concurrency=4,
                drain=settings.drain_timeout / 2,
            )
            await started.enter_async_context(leaving.running())
            connecting = Connecting(
                connections,
                providers,
                vault,
                consent_lifetime=timedelta(seconds=settings.consent_lifetime),
                wake_leaving=leaving.wake,
            )
            syncing = Syncing(accounts, None)
            await started.enter_async_context(syncing.running())
            app.include_router(
                query_routes(
                    settings,
                    {
                        GetConnection: connecting.get,
                        BeginConsent: connecting.begin,
                        CompleteConsent: connecting.complete,
                    },
                )
            )

            # Writing outwards
            links = database.collection("links")
            await links.create_indexes(LINK_INDEXES)
            link_outbox = Outbox(links, publisher, grace=settings.outbox_grace)
            await started.enter_async_context(link_outbox.swept())
            calls = Calls(accounts, Politeness())
            desks = {
                provider: writing_workers(
                    settings,
                    links,
                    link_outbox,
                    Writing(
                        provider,
                        calendar,
                        accounts,
                        calls,
                        deployment=settings.deployment,
                        patience=patience(settings),
                    ),
                )
                for provider, calendar in (await calendars(settings, started)).items()
            }
            for workers in desks.values():
                await started.enter_async_context(workers.running())
            noting = Noting(
                LinkBook(links, link_outbox), connections, accounts, wake=lambda provider: desks[provider].wake()
            )

            dispatching = Dispatching([CalendarCommands(connecting, syncing, publisher), noting])
            consumer = Consumer(
                settings,
                publisher,
                group=CALENDAR_SYNC,
                topics=[MEETING_EVENTS, CALENDAR_COMMANDS, CALENDAR_EVENTS, CALENDAR_NOTIFICATIONS],
                process=dispatching.handle,
            )
            await started.enter_async_context(consumer.running())
            health.must_live("consumer", consumer.problem)
            health.must_be_ready("mongodb", database.problem)
            yield

    return service_app(health, lifespan)


async def calendars(settings: Settings, started: AsyncExitStack) -> dict[CalendarProvider, Calendar]:
    """The providers' calendars; ``started`` closes them."""
    google = GoogleClient(
        api_url=settings.google_api_url, timeout=settings.calendar_timeout, threads=settings.writing_concurrency
    )
    started.callback(google.close)
    limits = httpx.Limits(max_connections=settings.writing_concurrency)
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.calendar_timeout, limits=limits))
    return {
        CalendarProvider.GOOGLE: GoogleCalendar(google),
        CalendarProvider.OUTLOOK: MicrosoftCalendar(GraphClient(http, graph_url=settings.microsoft_graph_url)),
    }


def writing_workers(settings: Settings, links: Collection, outbox: Outbox, writing: Writing) -> Workers:
    """The workers that write into one provider's calendars, so that the other never waits for it."""
    desk = WritingDesk(links, outbox, writing)
    return Workers(
        Leases(links, WORK[writing.provider], seconds=settings.writing_lease, lane=LANE),
        desk.work,
        told=desk.told,
        concurrency=settings.writing_concurrency,
        per_lane=MANNERS[writing.provider].at_once,
        drain=settings.drain_timeout / 2,
    )


def patience(settings: Settings) -> Patience:
    """How failed calendar writes are tried again."""
    return Patience(
        first=settings.writing_retry_first,
        most=settings.writing_retry_most,
        attempts=settings.writing_tell_after,
        doubt=timedelta(seconds=2 * settings.calendar_timeout),
    )


async def oauth_providers(settings: Settings, started: AsyncExitStack) -> Providers:
    """The providers' logins; ``started`` closes them."""
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.oauth_timeout))
    google = GoogleOAuth(
        http,
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{_CALLBACK}/google",
        accounts_url=settings.google_accounts_url,
        oauth_url=settings.google_oauth_url,
        api_url=settings.google_api_url,
        timeout=settings.oauth_timeout,
    )
    started.callback(google.close)
    microsoft = MicrosoftOAuth(
        http,
        client_id=settings.microsoft_client_id,
        client_secret=settings.microsoft_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{_CALLBACK}/outlook",
        login_url=settings.microsoft_login_url,
        graph_url=settings.microsoft_graph_url,
        authority=settings.microsoft_authority,
        timeout=settings.oauth_timeout,
    )
    started.callback(microsoft.close)
    return {CalendarProvider.GOOGLE: google, CalendarProvider.OUTLOOK: microsoft}
