"""The wiring of calendar-sync, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from chassis.http.app import service_app
from chassis.http.internal_queries import query_routes
from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import open_publisher
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from chassis.telemetry.health import Health
from contracts.api.calendar import (
    CompleteAuthorization,
    ConfirmAuthorization,
    GetConnection,
    ReencryptSecrets,
    ResyncCalendar,
    StartAuthorization,
)
from contracts.transport.topics import (
    CALENDAR_COMMANDS,
    CALENDAR_EVENTS,
    CALENDAR_NOTIFICATIONS,
    CALENDAR_SYNC,
    MEETING_EVENTS,
)
from fastapi import FastAPI

from calendar_sync.connections.access_tokens import AccessTokenProvider
from calendar_sync.connections.authorization import AuthorizationService
from calendar_sync.connections.key_rotation import KeyRotation
from calendar_sync.connections.repository import INDEXES, REVOCATION, MongoConnectionRepository, to_connection
from calendar_sync.connections.revocation import GrantRevoker
from calendar_sync.connections.vault import AesGcmTokenVault
from calendar_sync.handlers import CalendarCommands, MessageRouter
from calendar_sync.inbound.channel_repository import INDEXES as CHANNEL_INDEXES
from calendar_sync.inbound.channel_repository import MongoChannelReader
from calendar_sync.inbound.channels import ChannelManager
from calendar_sync.inbound.on_demand import OnDemandSync
from calendar_sync.inbound.republication import StateRepublisher
from calendar_sync.inbound.scheduler import SyncScheduler
from calendar_sync.inbound.state_repository import INDEXES as FEED_INDEXES
from calendar_sync.inbound.state_repository import MongoSyncStateRepository, measured
from calendar_sync.inbound.sync import InboundSync
from calendar_sync.inbound.wiring import (
    channel_workers,
    imported_event_repository,
    inbound_sync_workers,
    pace,
    republisher,
)
from calendar_sync.outbound.event_lookup import MirroredEventLookup
from calendar_sync.outbound.projector import DesiredStateProjector
from calendar_sync.outbound.reconciler import OutboundReconciler
from calendar_sync.outbound.repository import INDEXES as LINK_INDEXES
from calendar_sync.outbound.repository import MirroredMeetingRepository
from calendar_sync.outbound.wiring import outbound_workers, patience
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import bells, calendar_clients, calendars, changes, oauth_clients
from calendar_sync.settings import Settings


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
            outbox = Outbox(documents, publisher, relay_delay=settings.outbox_relay_delay)
            await started.enter_async_context(outbox.relay())
            connections = MongoConnectionRepository(documents, outbox)
            vault = AesGcmTokenVault.parse(settings.token_encryption_keys.get_secret_value())
            providers = await oauth_clients(settings, started)
            accounts = AccessTokenProvider(connections, providers, vault)
            await started.enter_async_context(accounts.ending_well())
            clients = await calendar_clients(settings, started)
            calls = AuthorizedCalls(accounts, RateLimiter())

            # Watching
            feed_documents = database.collection("inbound_sync_states")
            await feed_documents.create_indexes([*FEED_INDEXES, *CHANNEL_INDEXES])
            channels = MongoChannelReader(feed_documents)
            watching = ChannelManager(
                bells(settings, clients),
                channels,
                accounts,
                calls,
                publisher,
                lifetime=timedelta(seconds=settings.channel_lifetime),
            )
            watches = channel_workers(settings, feed_documents, watching)
            await started.enter_async_context(watches.running())

            # Connecting
            leaving = WorkerPool(
                JobQueue(documents, REVOCATION, seconds=settings.revocation_lease),
                GrantRevoker(connections, providers, vault, watching, to_connection).work,
                concurrency=4,
                drain=settings.drain_timeout / 2,
            )
            await started.enter_async_context(leaving.running())
            connecting = AuthorizationService(
                connections,
                providers,
                vault,
                authorization_lifetime=timedelta(seconds=settings.authorization_lifetime),
                wake_revocation=leaving.wake,
            )

            # Writing outwards
            links = database.collection("mirrored_meetings")
            await links.create_indexes(LINK_INDEXES)
            link_outbox = Outbox(links, publisher, relay_delay=settings.outbox_relay_delay)
            await started.enter_async_context(link_outbox.relay())
            desks = {
                provider: outbound_workers(
                    settings,
                    links,
                    link_outbox,
                    OutboundReconciler(
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
            noting = DesiredStateProjector(
                MirroredMeetingRepository(links, link_outbox),
                connections,
                accounts,
                wake=lambda provider: desks[provider].wake(),
            )

            # Reading inwards
            feeds = MongoSyncStateRepository(feed_documents, rest=settings.inbound_min_interval)
            await started.enter_async_context(measured(feeds.measure, channels.measure))
            pulls = inbound_sync_workers(
                settings,
                feed_documents,
                InboundSync(
                    changes(settings, clients),
                    copies=MirroredEventLookup(links, wake=lambda provider: desks[provider].wake()),
                    sightings=await imported_event_repository(settings, database, publisher, started),
                    accounts=accounts,
                    calls=calls,
                    pace=pace(settings),
                ),
            )
            await started.enter_async_context(pulls.running())
            feeding = SyncScheduler(feeds, accounts, wake_pulls=pulls.wake, wake_watch=watches.wake)
            topics = republisher(settings, database, StateRepublisher(connections, feeds, publisher))
            await started.enter_async_context(topics.running())
            syncing = OnDemandSync(accounts, feeding)
            await started.enter_async_context(syncing.running())
            app.router.routes.extend(
                query_routes(
                    settings,
                    {
                        GetConnection: connecting.get,
                        StartAuthorization: connecting.begin,
                        CompleteAuthorization: connecting.complete,
                        ConfirmAuthorization: connecting.confirm,
                        ReencryptSecrets: KeyRotation(connections, vault).reencrypt_page,
                        ResyncCalendar: syncing.start_over,
                    },
                )
            )

            dispatching = MessageRouter([CalendarCommands(connecting, syncing, publisher), noting, feeding])
            consumer = Consumer(
                settings,
                publisher,
                group=CALENDAR_SYNC,
                topics=[MEETING_EVENTS, CALENDAR_COMMANDS, CALENDAR_EVENTS, CALENDAR_NOTIFICATIONS],
                handler=dispatching.handle,
            )
            await started.enter_async_context(consumer.running())
            health.add_liveness_check("consumer", consumer.problem)
            health.add_readiness_check("mongodb", database.problem)
            yield

    return service_app(health, lifespan)
