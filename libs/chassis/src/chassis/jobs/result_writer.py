"""Records the results of jobs in batches, and publishes what the recorded documents have in their outboxes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from chassis.jobs.queue import JobQueue, JobResult, LeasedJob
from chassis.mongo.database import Document
from chassis.outages import is_outage

log = structlog.get_logger()

AfterCommit = Callable[[Sequence[Document]], Awaitable[None]]
"""Called with the documents whose results were just recorded."""


@dataclass(frozen=True, slots=True)
class _PendingResult:
    """A result that is to be recorded; ``recorded`` is whether it counted."""

    job: LeasedJob
    result: JobResult
    recorded: asyncio.Future[bool]


class ResultWriter:
    """Writes all results that came in since the last write in one go, then calls ``after_commit`` with them."""

    def __init__(self, queue: JobQueue, after_commit: AfterCommit) -> None:
        self._queue = queue
        self._after_commit = after_commit
        self._pending: list[_PendingResult] = []
        self._has_pending = asyncio.Event()
        self._committed: list[Document] = []
        self._has_committed = asyncio.Event()

    async def add(self, job: LeasedJob, result: JobResult) -> bool:
        """Record a result; returns whether it counts, because its lease was still held."""
        pending = _PendingResult(job, result, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._has_pending.set()
        return await pending.recorded

    async def write(self) -> None:
        """Wait for results and record them. An error of the write is raised by ``add`` for each of them."""
        await self._has_pending.wait()
        self._has_pending.clear()
        batch, self._pending = self._pending, []
        try:
            documents = await self._queue.record([(pending.job, pending.result) for pending in batch])
        except Exception as error:  # each caller of add decides what it means
            for pending in batch:
                if not pending.recorded.done():
                    pending.recorded.set_exception(error)
            return
        for pending, document in zip(batch, documents, strict=True):
            if not pending.recorded.done():  # its caller may have been cancelled
                pending.recorded.set_result(document is not None)
        self._committed += [document for document in documents if document is not None]
        self._has_committed.set()

    async def publish(self) -> None:
        """Wait for recorded results and call ``after_commit``; in an outage the outbox relay publishes them later."""
        await self._has_committed.wait()
        self._has_committed.clear()
        committed, self._committed = self._committed, []
        try:
            await self._after_commit(committed)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("result saved, publish deferred", queue=self._queue.name, error=type(error).__name__)
