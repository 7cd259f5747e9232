"""A job queue inside MongoDB documents, for calls to mail servers and calendar providers.

A producer schedules a job by setting ``dueAt`` in the same write as the data that the job concerns. Workers claim due
jobs, run them and record the result. A result counts only while the lease is held, so the job of a crashed worker is
run again by another.

A job is one sub-document, the ``field``, of a document:

- ``dueAt``: run the job from this instant on. A claim removes it; if it is there afterwards, the job was scheduled
  again meanwhile.
- ``lease``: ``{owner, token, until}`` while a worker has the job. Each lease has a new token, which guards its writes.
- ``attempts``: begun since the last success, the running one included.
- ``lastRecordedLease``: the token of the last lease whose result was recorded.
- ``interrupted``: the last attempt ended without a result, so its effects are not known.
- ``blocked``: ``{since, error}`` while every attempt finds a dependency unavailable; such attempts do not count.
- ``discarded``: ``{at, error}`` after too many failures. Only an operator, or new work, schedules the job again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pymongo import ASCENDING, UpdateOne

from chassis.mongo.database import Collection, Document
from chassis.mongo.updates import Update, merge_updates
from chassis.redaction import describe_error

_CANDIDATES_PER_CLAIM = 4
"""How many due jobs are read for each that is wanted, since many may have the same concurrency key."""


def schedule(name: str, at: datetime) -> Update:
    """The part of a write that schedules the job in field ``name`` at an instant, unless it is due earlier."""
    return {"$min": {f"{name}.dueAt": at}}


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job that this process may run. ``document`` is as it was at the claim."""

    document: Document
    token: str
    attempt: int
    """1 for the first since the last success."""
    interrupted: bool
    """The attempt before ended without a result: it may have had its effects."""

    @property
    def key(self) -> Any:
        return self.document["_id"]


@dataclass(frozen=True, slots=True)
class JobResult:
    """The outcome of an attempt: done, or to be run again ``retry_in`` seconds from now.

    ``update`` is written to the document together with the end of the lease. ``pause_key``: until then no other job
    with the same concurrency key is started (a provider's Retry-After, a mail domain that defers).
    """

    update: Update = field(default_factory=dict)
    retry_in: float | None = None
    pause_key: bool = False


class JobQueue:
    """Claims and ends jobs in one field of one collection's documents, for one process."""

    def __init__(
        self,
        collection: Collection,
        name: str,
        *,
        seconds: float,
        concurrency_key: str | None = None,
        order: str | None = None,
    ) -> None:
        """``name``: the field. ``seconds``: how long a lease lasts unless it is extended.

        ``concurrency_key``: a field; jobs with the same value of it share a limit, such as those of one mail domain or
        one provider account. ``order``: a field with an instant; of the due jobs the one with the earliest is claimed
        first, and a job that is retried is moved behind those that are due by then. Default: the longest due first.
        """
        self.name = name
        self.seconds = seconds
        self._collection = collection
        self._concurrency_key = concurrency_key
        self._order = order
        self._owner = uuid7_hex()

    def concurrency_key_of(self, document: Document) -> str:
        """The concurrency key of this document's job; empty when the queue has none."""
        return str(document.get(self._concurrency_key, "")) if self._concurrency_key else ""

    async def claim(self, limit: int, *, full: Sequence[str], per_key: Callable[[str], int]) -> list[LeasedJob]:
        """Lease up to ``limit`` due jobs, in order; of those equal in that, in the order of their ids.

        None of the ``full`` concurrency keys; of another key at most ``per_key(key)``.
        """
        claimable = {f"{self.name}.dueAt": {"$lte": utc_now()}, f"{self.name}.lease": {"$exists": False}}
        not_full = {self._concurrency_key: {"$nin": list(full)}} if self._concurrency_key and full else {}
        candidates = await self._collection.find(
            claimable | not_full,
            projection=[self._concurrency_key] if self._concurrency_key else ["_id"],
            sort={self._order or f"{self.name}.dueAt": ASCENDING, "_id": ASCENDING},
            limit=limit if self._concurrency_key is None else _CANDIDATES_PER_CLAIM * limit,
        )
        chosen = self._within(candidates, per_key)[:limit]
        if not chosen:
            return []
        token = uuid7_hex()
        await self._collection.update_many(
            {"_id": {"$in": chosen}} | claimable,
            {
                "$set": {f"{self.name}.lease": {"owner": self._owner, "token": token, "until": self._until()}},
                "$unset": {f"{self.name}.dueAt": "", f"{self.name}.discarded": ""},
                "$inc": {f"{self.name}.attempts": 1},
            },
        )
        claimed = await self._collection.find({"_id": {"$in": chosen}, f"{self.name}.lease.token": token})
        leased = {document["_id"]: self._leased_job(document, token) for document in claimed}
        return [leased[key] for key in chosen if key in leased]

    async def extend(self, jobs: Sequence[LeasedJob]) -> None:
        """Hold these leases for another full time. Those that expired already stay lost."""
        tokens = list({job.token for job in jobs})
        await self._collection.update_many(
            {"_id": {"$in": [job.key for job in jobs]}, f"{self.name}.lease.token": {"$in": tokens}},
            {"$set": {f"{self.name}.lease.until": self._until()}},
        )

    async def record(self, ended: Sequence[tuple[LeasedJob, JobResult]]) -> list[Document | None]:
        """Write these results and end their leases, all in one bulk write.

        Returns for each the document after that, or None when its lease had expired, so that its result is dropped.
        """
        await self._collection.bulk_write([self._ending(job, self._recorded(job, result)) for job, result in ended])
        found = await self._collection.find({"_id": {"$in": [job.key for job, _ in ended]}})
        documents = {document["_id"]: document for document in found}
        return [
            document
            if (document := documents.get(job.key)) and document[self.name].get("lastRecordedLease") == job.token
            else None
            for job, _ in ended
        ]

    async def release(
        self,
        job: LeasedJob,
        *,
        retry_in: float,
        attempts: int,
        interrupted: bool = False,
        outage: BaseException | None = None,
    ) -> None:
        """End the lease without a result. ``attempts``: those that count. ``outage``: the dependency's error."""
        interruption = {f"{self.name}.interrupted": True} if interrupted else {}
        counted = {"$set": {f"{self.name}.attempts": attempts} | interruption}
        blocked: Update = {}
        if outage is not None:
            since, error = f"{self.name}.blocked.since", f"{self.name}.blocked.error"
            blocked = {"$min": {since: utc_now()}, "$set": {error: describe_error(outage)}}
        ending = merge_updates(self._scheduled(_in(retry_in)), counted, blocked)
        await self._collection.bulk_write([self._ending(job, ending)])

    async def discard(self, job: LeasedJob, error: Exception) -> None:
        """End the lease and do not retry; the error is kept until the job is scheduled again."""
        discarded = {"at": utc_now(), "error": describe_error(error)}
        ended: Update = {
            "$set": {f"{self.name}.discarded": discarded, f"{self.name}.attempts": 0},
            "$unset": {f"{self.name}.blocked": ""},
        }
        await self._collection.bulk_write([self._ending(job, ended)])

    def _recorded(self, job: LeasedJob, result: JobResult) -> Update:
        retry = {} if result.retry_in is None else self._scheduled(_in(result.retry_in))
        ended: Update = {
            "$unset": {f"{self.name}.interrupted": "", f"{self.name}.blocked": ""},
            "$set": {
                f"{self.name}.attempts": job.attempt if retry else 0,
                f"{self.name}.lastRecordedLease": job.token,
            },
        }
        return merge_updates(ended, retry, result.update)

    def _scheduled(self, at: datetime) -> Update:
        """Due again, and not before what is in order by then."""
        return merge_updates(schedule(self.name, at), {"$max": {self._order: at}} if self._order else {})

    def _ending(self, job: LeasedJob, update: Update) -> UpdateOne:
        """The write that ends a lease, if it is still held."""
        held = {"_id": job.key, f"{self.name}.lease.token": job.token}
        return UpdateOne(held, merge_updates({"$unset": {f"{self.name}.lease": ""}}, update))

    async def rescue(self) -> int:
        """Make jobs due again whose leases expired because their workers crashed; returns how many."""
        now = utc_now()
        done = await self._collection.update_many(
            {f"{self.name}.lease.until": {"$lte": now}},
            {
                "$unset": {f"{self.name}.lease": ""},
                "$set": {f"{self.name}.interrupted": True},
                "$min": {f"{self.name}.dueAt": now},
            },
        )
        return done.modified_count

    async def overdue(self) -> float:
        """For how many seconds the job that waits longest has been due or blocked; 0 if none is."""
        return await overdue_seconds(self._collection, self.name)

    async def next_due(self) -> datetime | None:
        """When the next job that is not leased is due."""
        found = await self._collection.find_one(
            {f"{self.name}.dueAt": {"$exists": True}, f"{self.name}.lease": {"$exists": False}},
            projection=[f"{self.name}.dueAt"],
            sort={f"{self.name}.dueAt": ASCENDING},
        )
        at: datetime | None = found[self.name]["dueAt"] if found else None
        return at

    def _within(self, candidates: Sequence[Document], per_key: Callable[[str], int]) -> list[Any]:
        counts: Counter[str] = Counter()
        chosen = []
        for candidate in candidates:
            key = self.concurrency_key_of(candidate)
            if counts[key] < per_key(key):
                counts[key] += 1
                chosen.append(candidate["_id"])
        return chosen

    def _leased_job(self, document: Document, token: str) -> LeasedJob:
        job = document[self.name]
        return LeasedJob(document, token, attempt=job["attempts"], interrupted=job.get("interrupted", False))

    def _until(self) -> datetime:
        return _in(self.seconds)


async def overdue_seconds(collection: Collection, name: str) -> float:
    """For how many seconds the job in field ``name`` that waits longest has been due or blocked; 0 if none is."""
    due_at, since = f"{name}.dueAt", f"{name}.blocked.since"
    first_due = await collection.find_one(
        {due_at: {"$exists": True}, f"{name}.lease": {"$exists": False}}, projection=[due_at], sort={due_at: ASCENDING}
    )
    first_blocked = await collection.find_one({since: {"$exists": True}}, projection=[since], sort={since: ASCENDING})
    begun: list[datetime] = [first_due[name]["dueAt"]] if first_due else []
    begun += [first_blocked[name]["blocked"]["since"]] if first_blocked else []
    return max([0.0, *((utc_now() - at).total_seconds() for at in begun)])


def _in(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)


class LeaseLostError(Exception):
    """The lease of the running job expired: another worker may run the job now, so this one must stop."""
