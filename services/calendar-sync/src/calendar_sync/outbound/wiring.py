"""The workers of the outbound sync."""

from datetime import timedelta

from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import Collection
from chassis.mongo.outbox import Outbox

from calendar_sync.outbound.reconciler import OutboundReconciler, RetryPolicy
from calendar_sync.outbound.repository import CONCURRENCY_KEY, WORK
from calendar_sync.outbound.worker import OutboundWorker
from calendar_sync.providers.rate_limit import RATE_LIMITS
from calendar_sync.settings import Settings


def outbound_workers(settings: Settings, links: Collection, outbox: Outbox, writing: OutboundReconciler) -> WorkerPool:
    """The workers that write into one provider's calendars, so that the other never waits for it."""
    desk = OutboundWorker(links, outbox, writing)
    return WorkerPool(
        JobQueue(links, WORK[writing.provider], seconds=settings.outbound_lease, concurrency_key=CONCURRENCY_KEY),
        desk.work,
        after_commit=desk.told,
        concurrency=settings.outbound_concurrency,
        per_key=RATE_LIMITS[writing.provider].at_once,
        drain=settings.drain_timeout / 2,
    )


def patience(settings: Settings) -> RetryPolicy:
    """How failed calendar writes are tried again."""
    return RetryPolicy(
        first=settings.outbound_retry_initial,
        most=settings.outbound_retry_max,
        attempts=settings.outbound_failed_after_attempts,
        doubt=timedelta(seconds=2 * settings.calendar_timeout),
    )
