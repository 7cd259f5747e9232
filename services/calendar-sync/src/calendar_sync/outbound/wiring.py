"""Starts what writes meetings into their hosts' calendars."""

from dataclasses import dataclass
from datetime import timedelta

from chassis.http.internal_queries import open_query_client
from chassis.http.meeting_passwords import MeetingPasswords
from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import Collection
from chassis.mongo.outbox import Outbox

from calendar_sync.outbound.event_lookup import MirroredEventLookup
from calendar_sync.outbound.ports import ConnectedHosts
from calendar_sync.outbound.projector import DesiredStateProjector
from calendar_sync.outbound.reconciler import OutboundReconciler, RetryPolicy
from calendar_sync.outbound.repository import CONCURRENCY_KEY, INDEXES, MirroredMeetingRepository
from calendar_sync.outbound.worker import OutboundWorker
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.registry import CalendarApis, Providers
from calendar_sync.runtime import Runtime
from calendar_sync.settings import Settings


@dataclass(frozen=True, slots=True)
class Outbound:
    """The desired states of hosts' calendars, and the lookup of what was written."""

    projector: DesiredStateProjector
    lookup: MirroredEventLookup


async def start_outbound(
    runtime: Runtime,
    providers: Providers,
    apis: CalendarApis,
    hosts: ConnectedHosts,
    calls: AuthorizedCalls,
) -> Outbound:
    """Each provider has workers of its own, so that one that is slow delays no other."""
    settings = runtime.settings
    mirrored_meetings = await runtime.collection("mirrored_meetings", INDEXES)
    outbox = await runtime.outbox(mirrored_meetings)
    core = await runtime.started.enter_async_context(
        open_query_client(settings, settings.meeting_core_url, read_timeout=settings.query_timeout)
    )
    passwords = MeetingPasswords(core)
    pools: dict[str, WorkerPool] = {}
    for provider, api in apis.items():
        reconciler = OutboundReconciler(
            provider,
            api.writer,
            calls.accounts,
            calls,
            deployment=settings.deployment,
            retry_policy=retry_policy(settings),
        )
        pools[provider] = _workers(runtime, providers, mirrored_meetings, outbox, reconciler, passwords=passwords)
        await runtime.started.enter_async_context(pools[provider].running())
    repository = MirroredMeetingRepository(mirrored_meetings, outbox)
    return Outbound(
        DesiredStateProjector(repository, hosts, calls.accounts, wake=lambda provider: pools[provider].wake()),
        MirroredEventLookup(mirrored_meetings, wake=lambda provider: pools[provider].wake()),
    )


def _workers(
    runtime: Runtime,
    providers: Providers,
    mirrored_meetings: Collection,
    outbox: Outbox,
    reconciler: OutboundReconciler,
    *,
    passwords: MeetingPasswords,
) -> WorkerPool:
    entry, settings = providers[reconciler.provider], runtime.settings
    worker = OutboundWorker(mirrored_meetings, outbox, reconciler, passwords)
    return WorkerPool(
        JobQueue(mirrored_meetings, entry.job, seconds=settings.outbound_lease, concurrency_key=CONCURRENCY_KEY),
        worker.work,
        after_commit=worker.flush_outbox,
        concurrency=settings.outbound_concurrency,
        per_key=entry.rate_limit.concurrency,
        drain=runtime.drain,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """How failed calendar writes are tried again."""
    return RetryPolicy(
        initial_delay=settings.outbound_retry_initial,
        max_delay=settings.outbound_retry_max,
        report_after=settings.outbound_failed_after_attempts,
        unconfirmed_create_timeout=timedelta(seconds=2 * settings.calendar_timeout),
    )
