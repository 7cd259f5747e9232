"""Starts what reads calendars, and what keeps notification channels."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.republisher import Republisher
from chassis.mongo.database import Collection
from contracts.transport.topics import CALENDAR_CHANNELS, CALENDAR_EVENTS

from calendar_sync.connections.ports import ConnectionRepository
from calendar_sync.inbound.channel_repository import INDEXES as CHANNEL_INDEXES
from calendar_sync.inbound.channel_repository import MongoChannelReader
from calendar_sync.inbound.channel_worker import ChannelWorker
from calendar_sync.inbound.channels import ChannelManager
from calendar_sync.inbound.imported_event_repository import INDEXES as IMPORTED_EVENT_INDEXES
from calendar_sync.inbound.imported_event_repository import MongoImportedEventRepository
from calendar_sync.inbound.on_demand import OnDemandSync
from calendar_sync.inbound.ports import MirroredEvents
from calendar_sync.inbound.republication import StateRepublisher
from calendar_sync.inbound.scheduler import SyncScheduler
from calendar_sync.inbound.state_repository import (
    CHANNEL_JOB,
    CONCURRENCY_KEY,
    SYNC_JOB,
    MongoSyncStateRepository,
    measured,
)
from calendar_sync.inbound.state_repository import INDEXES as SYNC_STATE_INDEXES
from calendar_sync.inbound.sync import InboundSync, SyncPolicy
from calendar_sync.inbound.sync_worker import InboundSyncWorker
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.registry import CalendarApis
from calendar_sync.runtime import Runtime
from calendar_sync.settings import Settings


@dataclass(frozen=True, slots=True)
class Channels:
    """The notification channels of all connected calendars; ``wake`` is called when there is work on them."""

    sync_states: Collection
    manager: ChannelManager
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Inbound:
    """What has calendars read: events, notifications and users."""

    scheduler: SyncScheduler
    on_demand: OnDemandSync


async def start_channels(runtime: Runtime, apis: CalendarApis, calls: AuthorizedCalls) -> Channels:
    """Each provider has half of the workers for itself."""
    settings = runtime.settings
    sync_states = await runtime.collection("inbound_sync_states", [*SYNC_STATE_INDEXES, *CHANNEL_INDEXES])
    manager = ChannelManager(
        {provider: api.channels for provider, api in apis.items()},
        MongoChannelReader(sync_states),
        calls.accounts,
        calls,
        runtime.publisher,
        lifetime=timedelta(seconds=settings.channel_lifetime),
    )
    workers = WorkerPool(
        JobQueue(sync_states, CHANNEL_JOB, seconds=settings.channel_lease, concurrency_key=CONCURRENCY_KEY),
        ChannelWorker(sync_states, manager).work,
        concurrency=settings.channel_concurrency,
        per_key=settings.channel_concurrency // 2,
        drain=runtime.drain,
    )
    await runtime.started.enter_async_context(workers.running())
    return Channels(sync_states, manager, workers.wake)


async def start_inbound(
    runtime: Runtime,
    channels: Channels,
    apis: CalendarApis,
    mirrored_events: MirroredEvents,
    calls: AuthorizedCalls,
) -> Inbound:
    """Each provider has half of the workers for itself."""
    settings = runtime.settings
    sync_states = MongoSyncStateRepository(channels.sync_states, min_interval=settings.inbound_min_interval)
    measures = measured(sync_states.measure, MongoChannelReader(channels.sync_states).measure)
    await runtime.started.enter_async_context(measures)
    inbound_sync = InboundSync(
        {provider: api.changes for provider, api in apis.items()},
        mirrored_events=mirrored_events,
        imported_events=await _imported_events(runtime),
        accounts=calls.accounts,
        calls=calls,
        policy=sync_policy(settings),
    )
    workers = WorkerPool(
        JobQueue(channels.sync_states, SYNC_JOB, seconds=settings.inbound_lease, concurrency_key=CONCURRENCY_KEY),
        InboundSyncWorker(inbound_sync, sync_policy(settings)).work,
        concurrency=settings.inbound_concurrency,
        per_key=settings.inbound_concurrency // 2,
        drain=runtime.drain,
    )
    await runtime.started.enter_async_context(workers.running())
    scheduler = SyncScheduler(sync_states, calls.accounts, wake_sync=workers.wake, wake_channels=channels.wake)
    on_demand = OnDemandSync(calls.accounts, scheduler)
    await runtime.started.enter_async_context(on_demand.running())
    return Inbound(scheduler, on_demand)


async def _imported_events(runtime: Runtime) -> MongoImportedEventRepository:
    documents = await runtime.collection("imported_events", IMPORTED_EVENT_INDEXES)
    return MongoImportedEventRepository(documents, await runtime.outbox(documents))


async def start_republication(runtime: Runtime, channels: Channels, connections: ConnectionRepository) -> None:
    """Completes the topics whose records the database has."""
    settings = runtime.settings
    sync_states = MongoSyncStateRepository(channels.sync_states, min_interval=settings.inbound_min_interval)
    republisher = StateRepublisher(connections, sync_states, runtime.publisher)
    topics = {
        CALENDAR_CHANNELS: republisher.republish_channels,
        CALENDAR_EVENTS: republisher.republish_connections,
    }
    await runtime.started.enter_async_context(
        Republisher(settings, runtime.database.collection("topics"), topics).running()
    )


def sync_policy(settings: Settings) -> SyncPolicy:
    """How often and how far calendars are read."""
    return SyncPolicy(
        min_interval=settings.inbound_min_interval,
        poll_interval=settings.poll_interval,
        retry_max=settings.inbound_retry_max,
        days_back=settings.window_days_back,
        days_ahead=settings.window_days_ahead,
        max_deletions=settings.mass_deletion_limit,
    )
