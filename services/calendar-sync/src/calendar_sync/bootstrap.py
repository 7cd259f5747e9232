"""The wiring of calendar-sync, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
from chassis.health import Health
from chassis.http import service_app
from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.kafka.republisher import Republisher
from chassis.leases import Leases
from chassis.mongo import Collection, Database, open_database
from chassis.outbox import Outbox
from chassis.queries import query_routes
from chassis.workers import Workers
from contracts.api.calendar import (
    CompleteAuthorization,
    ConfirmAuthorization,
    GetConnection,
    ReencryptSecrets,
    ResyncCalendar,
    StartAuthorization,
)
from contracts.transport.topics import (
    CALENDAR_CHANNELS,
    CALENDAR_COMMANDS,
    CALENDAR_EVENTS,
    CALENDAR_NOTIFICATIONS,
    CALENDAR_SYNC,
    MEETING_EVENTS,
)
from contracts.values.enums import CalendarProvider
from fastapi import FastAPI

from calendar_sync.adapters.calendars.google import GoogleCalendar
from calendar_sync.adapters.calendars.microsoft import MicrosoftCalendar
from calendar_sync.adapters.changes.google import GoogleChanges
from calendar_sync.adapters.changes.microsoft import MicrosoftChanges
from calendar_sync.adapters.clients.google import GoogleClient
from calendar_sync.adapters.clients.microsoft import GraphClient
from calendar_sync.adapters.connections import INDEXES, LEAVING, StoredConnections, to_connection
from calendar_sync.adapters.feeds import INDEXES as FEED_INDEXES
from calendar_sync.adapters.feeds import LANE as FEED_LANE
from calendar_sync.adapters.feeds import PULL, WATCH, PullDesk, StoredFeeds, measured
from calendar_sync.adapters.links import INDEXES as LINK_INDEXES
from calendar_sync.adapters.links import LANE, WORK, CopyBook, LinkBook, WritingDesk
from calendar_sync.adapters.oauth.google import GoogleOAuth
from calendar_sync.adapters.oauth.microsoft import MicrosoftOAuth
from calendar_sync.adapters.sightings import INDEXES as SIGHTING_INDEXES
from calendar_sync.adapters.sightings import StoredSightings
from calendar_sync.adapters.vault import TokenVault
from calendar_sync.adapters.watches.desk import INDEXES as CHANNEL_INDEXES
from calendar_sync.adapters.watches.desk import StoredChannels, WatchDesk
from calendar_sync.adapters.watches.google import GoogleBell
from calendar_sync.adapters.watches.microsoft import MicrosoftBell
from calendar_sync.application.accounts import ConnectedAccounts
from calendar_sync.application.calling import Calls
from calendar_sync.application.commands import CalendarCommands
from calendar_sync.application.connecting import Connecting
from calendar_sync.application.consents import Providers
from calendar_sync.application.dispatching import Dispatching
from calendar_sync.application.feeding import Feeding
from calendar_sync.application.leaving import TakingLeave
from calendar_sync.application.noting import Noting
from calendar_sync.application.politeness import MANNERS, Politeness
from calendar_sync.application.pulling import Changes, Pace, Pulling
from calendar_sync.application.republication import StateRepublisher
from calendar_sync.application.rotating import Rotating
from calendar_sync.application.syncing import Syncing
from calendar_sync.application.watching import Bell, Watching
from calendar_sync.application.writing import Calendar, Patience, Writing
from calendar_sync.settings import Settings

_CALLBACK = "/api/v1/calendar/callback"
_WEBHOOKS = "/api/v1/webhooks"


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
            clients = await calendar_clients(settings, started)
            calls = Calls(accounts, Politeness())

            # Watching
            feed_documents = database.collection("feeds")
            await feed_documents.create_indexes([*FEED_INDEXES, *CHANNEL_INDEXES])
            channels = StoredChannels(feed_documents)
            watching = Watching(
                bells(settings, clients),
                channels,
                accounts,
                calls,
                publisher,
                lifetime=timedelta(seconds=settings.channel_lifetime),
            )
            watches = watching_workers(settings, feed_documents, watching)
            await started.enter_async_context(watches.running())

            # Connecting
            leaving = Workers(
                Leases(documents, LEAVING, seconds=settings.leaving_lease),
                TakingLeave(connections, providers, vault, watching, to_connection).work,
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

            # Writing outwards
            links = database.collection("links")
            await links.create_indexes(LINK_INDEXES)
            link_outbox = Outbox(links, publisher, grace=settings.outbox_grace)
            await started.enter_async_context(link_outbox.swept())
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
                for provider, calendar in calendars(clients).items()
            }
            for workers in desks.values():
                await started.enter_async_context(workers.running())
            noting = Noting(
                LinkBook(links, link_outbox), connections, accounts, wake=lambda provider: desks[provider].wake()
            )

            # Reading inwards
            feeds = StoredFeeds(feed_documents, rest=settings.pull_rest)
            await started.enter_async_context(measured(feeds.measure, channels.measure))
            pulls = pulling_workers(
                settings,
                feed_documents,
                Pulling(
                    changes(settings, clients),
                    copies=CopyBook(links, wake=lambda provider: desks[provider].wake()),
                    sightings=await stored_sightings(settings, database, publisher, started),
                    accounts=accounts,
                    calls=calls,
                    pace=pace(settings),
                ),
            )
            await started.enter_async_context(pulls.running())
            feeding = Feeding(feeds, accounts, wake_pulls=pulls.wake, wake_watch=watches.wake)
            topics = republisher(settings, database, StateRepublisher(connections, feeds, publisher))
            await started.enter_async_context(topics.running())
            syncing = Syncing(accounts, feeding)
            await started.enter_async_context(syncing.running())
            app.router.routes.extend(
                query_routes(
                    settings,
                    {
                        GetConnection: connecting.get,
                        StartAuthorization: connecting.begin,
                        CompleteAuthorization: connecting.complete,
                        ConfirmAuthorization: connecting.confirm,
                        ReencryptSecrets: Rotating(connections, vault).reseal,
                        ResyncCalendar: syncing.start_over,
                    },
                )
            )

            dispatching = Dispatching([CalendarCommands(connecting, syncing, publisher), noting, feeding])
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


@dataclass(frozen=True, slots=True)
class Clients:
    """How the providers' calendar APIs are called, for whatever purpose."""

    google: GoogleClient
    graph: GraphClient


async def calendar_clients(settings: Settings, started: AsyncExitStack) -> Clients:
    """The clients of the calendar APIs; ``started`` closes them."""
    at_once = settings.writing_concurrency + settings.pull_concurrency
    google = GoogleClient(api_url=settings.google_api_url, timeout=settings.calendar_timeout, threads=at_once)
    started.callback(google.close)
    limits = httpx.Limits(max_connections=at_once)
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.calendar_timeout, limits=limits))
    return Clients(google, GraphClient(http, graph_url=settings.microsoft_graph_url))


def calendars(clients: Clients) -> dict[CalendarProvider, Calendar]:
    """The calendars that are written."""
    return {
        CalendarProvider.GOOGLE: GoogleCalendar(clients.google),
        CalendarProvider.OUTLOOK: MicrosoftCalendar(clients.graph),
    }


def changes(settings: Settings, clients: Clients) -> dict[CalendarProvider, Changes]:
    """The calendars that are read."""
    return {
        CalendarProvider.GOOGLE: GoogleChanges(clients.google, deployment=settings.deployment),
        CalendarProvider.OUTLOOK: MicrosoftChanges(clients.graph, deployment=settings.deployment),
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


def bells(settings: Settings, clients: Clients) -> dict[CalendarProvider, Bell]:
    """How the providers tell of changes."""
    return {
        CalendarProvider.GOOGLE: GoogleBell(clients.google, address=f"{settings.webhook_base_url}{_WEBHOOKS}/google"),
        CalendarProvider.OUTLOOK: MicrosoftBell(
            clients.graph, address=f"{settings.webhook_base_url}{_WEBHOOKS}/outlook"
        ),
    }


def watching_workers(settings: Settings, feeds: Collection, watching: Watching) -> Workers:
    """The workers that keep channels open; each provider has half of them for itself."""
    return Workers(
        Leases(feeds, WATCH, seconds=settings.watch_lease, lane=FEED_LANE),
        WatchDesk(feeds, watching).work,
        concurrency=settings.watch_concurrency,
        per_lane=settings.watch_concurrency // 2,
        drain=settings.drain_timeout / 2,
    )


def pulling_workers(settings: Settings, feeds: Collection, pulling: Pulling) -> Workers:
    """The workers that read calendars; each provider has half of them for itself."""
    return Workers(
        Leases(feeds, PULL, seconds=settings.pull_lease, lane=FEED_LANE),
        PullDesk(pulling, pace(settings)).work,
        concurrency=settings.pull_concurrency,
        per_lane=settings.pull_concurrency // 2,
        drain=settings.drain_timeout / 2,
    )


async def stored_sightings(
    settings: Settings, database: Database, publisher: Publisher, started: AsyncExitStack
) -> StoredSightings:
    """Where sightings are kept; ``started`` stops publishing what they say."""
    sightings = database.collection("sightings")
    await sightings.create_indexes(SIGHTING_INDEXES)
    outbox = Outbox(sightings, publisher, grace=settings.outbox_grace)
    await started.enter_async_context(outbox.swept())
    return StoredSightings(sightings, outbox)


def republisher(settings: Settings, database: Database, state: StateRepublisher) -> Republisher:
    """Completes the topics whose records the database has."""
    topics = {CALENDAR_CHANNELS: state.republish_channels, CALENDAR_EVENTS: state.republish_connections}
    return Republisher(settings, database.collection("topics"), topics)


def pace(settings: Settings) -> Pace:
    """How often and how far calendars are read."""
    return Pace(
        rest=settings.pull_rest,
        interval=settings.poll_interval,
        retry_most=settings.pull_retry_most,
        days_back=settings.window_days_back,
        days_ahead=settings.window_days_ahead,
        brake=settings.mass_deletion_brake,
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
