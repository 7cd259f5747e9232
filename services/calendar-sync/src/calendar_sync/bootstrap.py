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
from calendar_sync.inbound.state_repository import INDEXES as SYNC_STATE_INDEXES
from calendar_sync.inbound.state_repository import MongoSyncStateRepository, measured
from calendar_sync.inbound.sync import InboundSync
from calendar_sync.inbound.wiring import (
    channel_workers,
    imported_event_repository,
    inbound_sync_workers,
    republisher,
    sync_policy,
)
from calendar_sync.outbound.event_lookup import MirroredEventLookup
from calendar_sync.outbound.projector import DesiredStateProjector
from calendar_sync.outbound.reconciler import OutboundReconciler
from calendar_sync.outbound.repository import INDEXES as MIRRORED_MEETING_INDEXES
from calendar_sync.outbound.repository import MirroredMeetingRepository
from calendar_sync.outbound.wiring import outbound_workers, retry_policy
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import calendar_clients, calendars, changes, notification_channels, oauth_clients
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
            await started.enter_async_context(accounts.draining())
            clients = await calendar_clients(settings, started)
            calls = AuthorizedCalls(accounts, RateLimiter())

            # Watching
            sync_state_documents = database.collection("inbound_sync_states")
            await sync_state_documents.create_indexes([*SYNC_STATE_INDEXES, *CHANNEL_INDEXES])
            channels = MongoChannelReader(sync_state_documents)
            channel_manager = ChannelManager(
                notification_channels(settings, clients),
                channels,
                accounts,
                calls,
                publisher,
                lifetime=timedelta(seconds=settings.channel_lifetime),
            )
            channel_pool = channel_workers(settings, sync_state_documents, channel_manager)
            await started.enter_async_context(channel_pool.running())

            # Connecting
            leaving = WorkerPool(
                JobQueue(documents, REVOCATION, seconds=settings.revocation_lease),
                GrantRevoker(connections, providers, vault, channel_manager, to_connection).work,
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
            mirrored_meetings = database.collection("mirrored_meetings")
            await mirrored_meetings.create_indexes(MIRRORED_MEETING_INDEXES)
            mirrored_meetings_outbox = Outbox(mirrored_meetings, publisher, relay_delay=settings.outbox_relay_delay)
            await started.enter_async_context(mirrored_meetings_outbox.relay())
            outbound = {
                provider: outbound_workers(
                    settings,
                    mirrored_meetings,
                    mirrored_meetings_outbox,
                    OutboundReconciler(
                        provider,
                        calendar,
                        accounts,
                        calls,
                        deployment=settings.deployment,
                        retry_policy=retry_policy(settings),
                    ),
                )
                for provider, calendar in calendars(clients).items()
            }
            for workers in outbound.values():
                await started.enter_async_context(workers.running())
            projector = DesiredStateProjector(
                MirroredMeetingRepository(mirrored_meetings, mirrored_meetings_outbox),
                connections,
                accounts,
                wake=lambda provider: outbound[provider].wake(),
            )

            # Reading inwards
            sync_states = MongoSyncStateRepository(sync_state_documents, min_interval=settings.inbound_min_interval)
            await started.enter_async_context(measured(sync_states.measure, channels.measure))
            inbound_workers = inbound_sync_workers(
                settings,
                sync_state_documents,
                InboundSync(
                    changes(settings, clients),
                    mirrored_events=MirroredEventLookup(
                        mirrored_meetings, wake=lambda provider: outbound[provider].wake()
                    ),
                    imported_events=await imported_event_repository(settings, database, publisher, started),
                    accounts=accounts,
                    calls=calls,
                    policy=sync_policy(settings),
                ),
            )
            await started.enter_async_context(inbound_workers.running())
            scheduler = SyncScheduler(
                sync_states, accounts, wake_sync=inbound_workers.wake, wake_channels=channel_pool.wake
            )
            topics = republisher(settings, database, StateRepublisher(connections, sync_states, publisher))
            await started.enter_async_context(topics.running())
            on_demand = OnDemandSync(accounts, scheduler)
            await started.enter_async_context(on_demand.running())
            app.router.routes.extend(
                query_routes(
                    settings,
                    {
                        GetConnection: connecting.get,
                        StartAuthorization: connecting.start,
                        CompleteAuthorization: connecting.complete,
                        ConfirmAuthorization: connecting.confirm,
                        ReencryptSecrets: KeyRotation(connections, vault).reencrypt,
                        ResyncCalendar: on_demand.resync,
                    },
                )
            )

            dispatching = MessageRouter([CalendarCommands(connecting, on_demand, publisher), projector, scheduler])
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
