"""The workers and repositories of the inbound sync."""

from contextlib import AsyncExitStack

from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.publisher import Publisher
from chassis.kafka.republisher import Republisher
from chassis.mongo.database import Collection, Database
from chassis.mongo.outbox import Outbox
from contracts.transport.topics import (
    CALENDAR_CHANNELS,
    CALENDAR_EVENTS,
)

from calendar_sync.inbound.channel_worker import ChannelWorker
from calendar_sync.inbound.channels import ChannelManager
from calendar_sync.inbound.imported_event_repository import INDEXES as IMPORTED_EVENT_INDEXES
from calendar_sync.inbound.imported_event_repository import MongoImportedEventRepository
from calendar_sync.inbound.republication import StateRepublisher
from calendar_sync.inbound.state_repository import CHANNEL_JOB, CONCURRENCY_KEY, SYNC_JOB
from calendar_sync.inbound.sync import InboundSync, SyncPolicy
from calendar_sync.inbound.sync_worker import InboundSyncWorker
from calendar_sync.settings import Settings


def channel_workers(settings: Settings, sync_states: Collection, channel_manager: ChannelManager) -> WorkerPool:
    """The workers that keep channels open; each provider has half of them for itself."""
    return WorkerPool(
        JobQueue(sync_states, CHANNEL_JOB, seconds=settings.channel_lease, concurrency_key=CONCURRENCY_KEY),
        ChannelWorker(sync_states, channel_manager).work,
        concurrency=settings.channel_concurrency,
        per_key=settings.channel_concurrency // 2,
        drain=settings.drain_timeout / 2,
    )


def inbound_sync_workers(settings: Settings, sync_states: Collection, inbound_sync: InboundSync) -> WorkerPool:
    """The workers that read calendars; each provider has half of them for itself."""
    return WorkerPool(
        JobQueue(sync_states, SYNC_JOB, seconds=settings.inbound_lease, concurrency_key=CONCURRENCY_KEY),
        InboundSyncWorker(inbound_sync, sync_policy(settings)).work,
        concurrency=settings.inbound_concurrency,
        per_key=settings.inbound_concurrency // 2,
        drain=settings.drain_timeout / 2,
    )


async def imported_event_repository(
    settings: Settings, database: Database, publisher: Publisher, started: AsyncExitStack
) -> MongoImportedEventRepository:
    """Where sightings are kept; ``started`` stops publishing what they say."""
    imported_events = database.collection("imported_events")
    await imported_events.create_indexes(IMPORTED_EVENT_INDEXES)
    outbox = Outbox(imported_events, publisher, relay_delay=settings.outbox_relay_delay)
    await started.enter_async_context(outbox.relay())
    return MongoImportedEventRepository(imported_events, outbox)


def republisher(settings: Settings, database: Database, state_republisher: StateRepublisher) -> Republisher:
    """Completes the topics whose records the database has."""
    topics = {
        CALENDAR_CHANNELS: state_republisher.republish_channels,
        CALENDAR_EVENTS: state_republisher.republish_connections,
    }
    return Republisher(settings, database.collection("topics"), topics)


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
