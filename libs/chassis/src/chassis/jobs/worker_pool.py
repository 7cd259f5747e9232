"""Runs jobs: claims them from a ``JobQueue``, several at once, and records their results."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from contracts.values.times import utc_now

from chassis.backoff import backoff
from chassis.jobs.queue import JobQueue, JobResult, LeasedJob
from chassis.jobs.result_writer import AfterCommit, ResultWriter
from chassis.mongo.database import Document
from chassis.outages import is_outage
from chassis.tasks import cancel_and_wait
from chassis.telemetry import metrics

log = structlog.get_logger()

_BATCH_WINDOW = 0.01
"""Seconds after a write in which results gather for the next one; the first result after a lull is written at once."""

JobHandler = Callable[[LeasedJob], Awaitable[JobResult]]


async def _do_nothing(_documents: Sequence[Document]) -> None:
    return None


@dataclass(slots=True)
class _RunningJob:
    """A claimed job of this process."""

    lease: LeasedJob
    concurrency_key: str
    uses_key: bool = True
    """Whether it counts against the limit of its concurrency key."""
    is_started: bool = False
    """Whether the handler was called; before that the job waits for a free slot."""
    deadline: asyncio.Timeout | None = None
    """While the handler runs: fires when the lease expires without an extension."""


class WorkerPool:
    """Runs jobs, at most ``concurrency`` at once and at most ``per_key`` with the same concurrency key.

    ``handler`` makes one attempt and returns its result. It may raise: during an outage (``is_outage``) the whole pool
    pauses and the attempt does not count; after any other error the job is retried with growing delays, and discarded
    after ``max_attempts``. ``after_commit`` is called with the documents whose results were just recorded, to publish
    their events.

    Jobs are prefetched, and results are written in batches: under load there are few writes, without load there is no
    added latency.
    """

    def __init__(
        self,
        queue: JobQueue,
        handler: JobHandler,
        *,
        concurrency: int,
        per_key: int | None = None,
        after_commit: AfterCommit = _do_nothing,
        poll: float = 1.0,
        max_attempts: int = 20,
        drain: float = 10.0,
    ) -> None:
        """``poll``: seconds between two looks for jobs that other processes scheduled, or left when they crashed.

        ``drain``: seconds that running jobs get to end when the service stops.
        """
        self._queue = queue
        self._handler = handler
        self._results = ResultWriter(queue, after_commit)
        self._concurrency = concurrency
        self._per_key = per_key or concurrency
        self._poll = poll
        self._max_attempts = max_attempts
        self._drain = drain
        self._wakeup = asyncio.Event()
        self._jobs: dict[asyncio.Task[None], _RunningJob] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._running_per_key: Counter[str] = Counter()
        self._paused_keys: dict[str, float] = {}
        self._paused_until = 0.0
        self._outages_in_a_row = 0

    def wake(self) -> None:
        """Look for due jobs now: this process has just scheduled some."""
        self._wakeup.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["WorkerPool"]:
        """Run jobs until left; then running ones get ``drain`` seconds to end, and the rest is released."""
        claiming = [
            asyncio.create_task(self._repeat(self._dispatch, pause=0)),
            asyncio.create_task(self._repeat(self._maintain, pause=self._poll)),
        ]
        recording = [
            asyncio.create_task(self._repeat(self._extend, pause=self._queue.seconds / 3)),
            asyncio.create_task(self._repeat(self._results.write, pause=_BATCH_WINDOW)),
            asyncio.create_task(self._repeat(self._results.publish, pause=_BATCH_WINDOW)),
        ]
        try:
            yield self
        finally:
            await cancel_and_wait(*claiming)
            if self._jobs:
                await asyncio.wait(self._jobs, timeout=self._drain)
            await cancel_and_wait(*self._jobs)
            await cancel_and_wait(*recording)

    async def _repeat(self, step: Callable[[], Awaitable[None]], *, pause: float) -> None:
        while True:
            try:
                await step()
            except Exception as error:
                if not is_outage(error):
                    log.exception("job queue maintenance failed", queue=self._queue.name)
                self._pause(error)
            await asyncio.sleep(pause)

    async def _dispatch(self) -> None:
        """Start what may be started; when that is nothing, wait until it may have changed."""
        self._wakeup.clear()
        wait = self._paused_until - _now()
        if wait <= 0:
            prefetched = sum(not job.is_started for job in self._jobs.values())
            is_full = prefetched > self._concurrency or len(self._jobs) >= 6 * self._concurrency
            if not is_full and await self._claim(2 * self._concurrency - prefetched):
                return
            wait = self._poll if is_full else await self._next_wakeup()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait, self._poll)):
                await self._wakeup.wait()

    async def _claim(self, limit: int) -> int:
        now = _now()
        self._paused_keys = {key: until for key, until in self._paused_keys.items() if until > now}
        full = [key for key, running in self._running_per_key.items() if running >= self._per_key]
        leases = await self._queue.claim(
            limit, full=[*full, *self._paused_keys], per_key=lambda key: self._per_key - self._running_per_key[key]
        )
        for lease in leases:
            self._start(lease)
        return len(leases)

    async def _next_wakeup(self) -> float:
        at = await self._queue.next_due()
        seconds = self._poll if at is None else (at - utc_now()).total_seconds()
        # A job that is due and was not claimed waits for its concurrency key, which wakes us when it is free.
        return seconds if seconds > 0 else self._poll

    def _start(self, lease: LeasedJob) -> None:
        job = _RunningJob(lease, self._queue.concurrency_key_of(lease.document))
        task = asyncio.create_task(self._run(job))
        self._jobs[task] = job
        self._running_per_key[job.concurrency_key] += 1
        metrics.JOBS_RUNNING.labels(self._queue.name).inc()
        task.add_done_callback(self._forget)

    def _free_key(self, job: _RunningJob) -> None:
        """The external call has ended, so the next job with this key may start; recording the result goes on."""
        if not job.uses_key:
            return
        job.uses_key = False
        self._running_per_key[job.concurrency_key] -= 1
        if not self._running_per_key[job.concurrency_key]:
            del self._running_per_key[job.concurrency_key]
        self._wakeup.set()

    def _forget(self, task: asyncio.Task[None]) -> None:
        job = self._jobs.pop(task)
        self._free_key(job)
        metrics.JOBS_RUNNING.labels(self._queue.name).dec()
        self._wakeup.set()

    async def _maintain(self) -> None:
        if rescued := await self._queue.rescue():
            metrics.LEASES_EXPIRED.labels(self._queue.name).inc(rescued)
            log.warning("resumed jobs with expired leases", queue=self._queue.name, count=rescued)
            self.wake()
        metrics.JOB_OVERDUE_SECONDS.labels(self._queue.name).set(await self._queue.overdue())

    async def _extend(self) -> None:
        jobs = list(self._jobs.values())
        if not jobs:
            return
        until = _now() + self._queue.seconds
        await self._queue.extend([job.lease for job in jobs])
        for job in jobs:
            if job.deadline is not None and not job.deadline.expired():
                job.deadline.reschedule(until)

    async def _run(self, job: _RunningJob) -> None:
        lease = job.lease
        deadline = asyncio.timeout(self._queue.seconds)
        try:
            async with deadline:
                job.deadline = deadline
                try:
                    await self._attempt(job)
                finally:
                    job.deadline = None
        except TimeoutError:
            log.warning("lease expired before it was extended; another worker will retry", queue=self._queue.name)
            self._count("lease-lost")
        except asyncio.CancelledError:
            # The service stops. Another worker may go on at once, but must know whether the handler was called.
            attempts = lease.attempt - (not job.is_started)
            await self._ignore_outage(
                self._queue.release(lease, retry_in=0, attempts=attempts, interrupted=job.is_started)
            )
            raise

    async def _attempt(self, job: _RunningJob) -> None:
        lease = job.lease
        async with self._slots:
            job.is_started = True
            self._wakeup.set()  # another job may be prefetched
            try:
                with metrics.JOB_SECONDS.labels(self._queue.name).time():
                    result = await self._handler(lease)
            except Exception as error:
                await self._fail(lease, error)
                return
        self._free_key(job)
        self._outages_in_a_row = 0
        if result.retry_in is not None and result.pause_key:
            self._paused_keys[job.concurrency_key] = _now() + result.retry_in
        if await self._record(lease, result):
            self._count("done" if result.retry_in is None else "snoozed")
        else:
            log.warning("lease expired before the result was recorded", queue=self._queue.name)
            self._count("lease-lost")

    async def _record(self, lease: LeasedJob, result: JobResult) -> bool:
        """Record the result, whatever outages there are: keep trying for as long as the lease is held."""
        for attempt in itertools.count(1):
            try:
                return await self._results.add(lease, result)
            except Exception as error:
                if not is_outage(error):
                    raise
                self._pause(error)
                await asyncio.sleep(backoff(attempt, initial=0.1, maximum=2))
        return False

    async def _fail(self, lease: LeasedJob, error: Exception) -> None:
        if is_outage(error):
            self._pause(error)
            await self._ignore_outage(self._queue.release(lease, retry_in=0, attempts=lease.attempt - 1, outage=error))
            return
        log.error("job failed", queue=self._queue.name, attempt=lease.attempt, exc_info=error)
        if lease.attempt >= self._max_attempts:
            self._count("discarded")
            await self._ignore_outage(self._queue.discard(lease, error))
            return
        self._count("failed")
        delay = backoff(lease.attempt, initial=1, maximum=300)
        await self._ignore_outage(self._queue.release(lease, retry_in=delay, attempts=lease.attempt))

    async def _ignore_outage(self, ending: Awaitable[None]) -> None:
        """End a lease; if the database is unavailable, the lease expires by itself."""
        try:
            await ending
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("job not released; its lease will expire", queue=self._queue.name)

    def _pause(self, error: Exception) -> None:
        """Start nothing for a while: everything would fail now. Many failures at one moment count once."""
        if self._paused_until > _now():
            return
        self._outages_in_a_row += 1
        seconds = backoff(self._outages_in_a_row, initial=0.2, maximum=15)
        self._paused_until = _now() + seconds
        metrics.OUTAGES.labels(self._queue.name).inc()
        log.warning("jobs wait for a dependency", queue=self._queue.name, error=type(error).__name__, fold=True)

    def _count(self, outcome: str) -> None:
        metrics.JOB_ATTEMPTS.labels(self._queue.name, outcome).inc()


def _now() -> float:
    return asyncio.get_running_loop().time()
