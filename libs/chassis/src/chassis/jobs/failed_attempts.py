"""Ends the leases of attempts that failed: the job is retried, or discarded after too many attempts."""

from collections.abc import Awaitable

import structlog

from chassis.backoff import backoff
from chassis.jobs.outage_pause import OutagePause
from chassis.jobs.queue import JobQueue, LeasedJob
from chassis.outages import is_outage
from chassis.telemetry import metrics

log = structlog.get_logger()


class FailedAttempts:
    """Decides what follows a failed attempt of a queue's jobs."""

    def __init__(self, queue: JobQueue, pause: OutagePause, *, max_attempts: int) -> None:
        self._queue = queue
        self._pause = pause
        self._max_attempts = max_attempts

    async def fail(self, job: LeasedJob, error: Exception) -> None:
        """An outage pauses the pool, and the attempt does not count. Other errors are retried with growing delays."""
        if is_outage(error):
            self._pause.begin(error)
            await self._ignore_outage(self._queue.release(job, retry_in=0, attempts=job.attempt - 1, outage=error))
            return
        log.error("job failed", queue=self._queue.name, attempt=job.attempt, exc_info=error)
        if job.attempt >= self._max_attempts:
            metrics.JOB_ATTEMPTS.labels(self._queue.name, "discarded").inc()
            await self._ignore_outage(self._queue.discard(job, error))
            return
        metrics.JOB_ATTEMPTS.labels(self._queue.name, "failed").inc()
        delay = backoff(job.attempt, initial=1, maximum=300)
        await self._ignore_outage(self._queue.release(job, retry_in=delay, attempts=job.attempt))

    async def interrupt(self, job: LeasedJob, *, is_started: bool) -> None:
        """The service stops. Another worker may run the job now, and must know whether the handler was called."""
        attempts = job.attempt - (not is_started)
        await self._ignore_outage(self._queue.release(job, retry_in=0, attempts=attempts, interrupted=is_started))

    async def _ignore_outage(self, ending: Awaitable[None]) -> None:
        """End a lease; if the database is unavailable, the lease expires by itself."""
        try:
            await ending
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("job not released; its lease will expire", queue=self._queue.name)
