"""Runs jobs: claims them from a ``JobQueue``, several at once, and records their results."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from contracts.values.times import utc_now

from chassis.backoff import backoff
from chassis.jobs.failed_attempts import FailedAttempts
from chassis.jobs.key_limits import KeyLimits
from chassis.jobs.outage_pause import OutagePause
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
        """``poll``: seconds between two queries for jobs that other processes scheduled, or left when they crashed.

        ``drain``: seconds that running jobs get to end when the service stops.
        """
        self._queue = queue
        self._handler = handler
        self._results = ResultWriter(queue, after_commit)
        self._concurrency = concurrency
        self._poll = poll
        self._drain = drain
        self._wakeup = asyncio.Event()
        self._jobs: dict[asyncio.Task[None], _RunningJob] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._keys = KeyLimits(per_key or concurrency)
        self._pause = OutagePause(queue.name)
        self._failed_attempts = FailedAttempts(queue, self._pause, max_attempts=max_attempts)

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
                self._pause.begin(error)
            await asyncio.sleep(pause)

    async def _dispatch(self) -> None:
        """Start what may be started; when that is nothing, wait until it may have changed."""
        self._wakeup.clear()
        wait = self._pause.remaining()
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
        leases = await self._queue.claim(limit, full=self._keys.full(), per_key=self._keys.free_slots)
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
        self._keys.acquire(job.concurrency_key)
        metrics.JOBS_RUNNING.labels(self._queue.name).inc()
        task.add_done_callback(self._forget)

    def _free_key(self, job: _RunningJob) -> None:
        """The external call has ended, so the next job with this key may start; recording the result goes on."""
        if not job.uses_key:
            return
        job.uses_key = False
        self._keys.release(job.concurrency_key)
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
        until = asyncio.get_running_loop().time() + self._queue.seconds
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
            await self._failed_attempts.interrupt(lease, is_started=job.is_started)
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
                await self._failed_attempts.fail(lease, error)
                return
        self._free_key(job)
        self._pause.reset()
        if result.retry_in is not None and result.pause_key:
            self._keys.pause(job.concurrency_key, seconds=result.retry_in)
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
                self._pause.begin(error)
                await asyncio.sleep(backoff(attempt, initial=0.1, maximum=2))
        return False

    def _count(self, outcome: str) -> None:
        metrics.JOB_ATTEMPTS.labels(self._queue.name, outcome).inc()
