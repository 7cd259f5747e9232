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


def outbound_workers(
    settings: Settings, mirrored_meetings: Collection, outbox: Outbox, reconciler: OutboundReconciler
) -> WorkerPool:
    """The workers that write into one provider's calendars, so that the other never waits for it."""
    worker = OutboundWorker(mirrored_meetings, outbox, reconciler)
    return WorkerPool(
        JobQueue(
            mirrored_meetings,
            WORK[reconciler.provider],
            seconds=settings.outbound_lease,
            concurrency_key=CONCURRENCY_KEY,
        ),
        worker.work,
        after_commit=worker.flush_outbox,
        concurrency=settings.outbound_concurrency,
        per_key=RATE_LIMITS[reconciler.provider].concurrency,
        drain=settings.drain_timeout / 2,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """How failed calendar writes are tried again."""
    return RetryPolicy(
        initial_delay=settings.outbound_retry_initial,
        max_delay=settings.outbound_retry_max,
        report_after=settings.outbound_failed_after_attempts,
        unconfirmed_create_timeout=timedelta(seconds=2 * settings.calendar_timeout),
    )
