"""What operators may know and do about jobs: counts, stuck jobs, retries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.values.times import utc_now
from pymongo import ASCENDING

from chassis.jobs.indexes import blocked_index, discarded_index, due_index, leased_index
from chassis.jobs.queue import overdue_seconds, schedule
from chassis.mongo.database import Collection, Document
from chassis.mongo.updates import merge_updates


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How many jobs of one kind there are, by state; ``overdue``: seconds that the longest due one has waited."""

    due: int
    later: int
    """Scheduled later: retries, and the next run of periodic jobs."""
    leased: int
    interrupted: int
    """Their last attempt ended without a result, and no worker has claimed them again yet."""
    blocked: int
    """Of all these: those that find a dependency unavailable."""
    discarded: int
    overdue: float


class JobAdmin:
    """Counts, lists and retries the jobs in one field of one collection's documents, whichever process runs them."""

    def __init__(self, collection: Collection, name: str) -> None:
        self.name = name
        self._collection = collection
        self._due, self._free = f"{name}.dueAt", {f"{name}.lease": {"$exists": False}}
        self._blocked = {f"{name}.blocked.since": {"$exists": True}}
        self._discarded = {f"{name}.discarded.at": {"$exists": True}, self._due: {"$exists": False}}

    async def stats(self) -> QueueStats:
        """Counts them now, as far as possible by the indexes alone."""
        now, lease_until, interrupted = utc_now(), f"{self.name}.lease.until", {f"{self.name}.interrupted": True}
        return QueueStats(
            due=await self._count_due({self._due: {"$lte": now}} | self._free),
            later=await self._count_due({self._due: {"$gt": now}} | self._free),
            leased=await self._count_leased({lease_until: {"$gt": now}}),
            interrupted=await self._count_leased({lease_until: {"$lte": now}})
            + await self._count_due({self._due: {"$exists": True}} | self._free | interrupted),
            blocked=await self._collection.count(self._blocked, hint=blocked_index(self.name)),
            discarded=await self._collection.count(self._discarded, hint=discarded_index(self.name)),
            overdue=await overdue_seconds(self._collection, self.name),
        )

    async def list_stuck(self, limit: int, *, due_before: datetime, projection: Sequence[str] = ()) -> list[Document]:
        """Up to ``limit`` documents whose job does not end by itself, or not soon.

        First discarded jobs, then blocked ones, then those due before the UTC instant ``due_before``, then those that
        failed and are retried later. They hold the job's field, and the fields in ``projection``.
        """
        retried_later = {self._due: {"$gt": utc_now()}, f"{self.name}.attempts": {"$gte": 1}} | self._free
        not_blocked = {f"{self.name}.blocked": {"$exists": False}}
        found: list[Document] = []
        for query, order in (
            (self._discarded, f"{self.name}.discarded.at"),
            (self._blocked, f"{self.name}.blocked.since"),
            ({self._due: {"$lt": due_before}} | self._free | not_blocked, self._due),
            (retried_later | not_blocked, self._due),
        ):
            if room := limit - len(found):
                found += await self._collection.find(
                    query, projection=[self.name, *projection], sort={order: ASCENDING}, limit=room
                )
        return found

    async def find(self, key: str, *, projection: Sequence[str] = ()) -> Document | None:
        """The document of this id, as in ``list_stuck``; None when there is none, or it never had such a job."""
        return await self._collection.find_one(
            {"_id": key, self.name: {"$exists": True}}, projection=[self.name, *projection]
        )

    async def retry(self, keys: Sequence[str]) -> int:
        """Make these jobs due now if they are discarded or retried later, and not leased; returns how many were."""
        stuck = {"$or": [{self._due: {"$exists": True}}, {f"{self.name}.discarded": {"$exists": True}}]}
        done = await self._collection.update_many(
            {"_id": {"$in": list(keys)}} | stuck | self._free,
            merge_updates(schedule(self.name, utc_now()), {"$unset": {f"{self.name}.discarded": ""}}),
        )
        return done.matched_count

    async def retry_discarded(self, limit: int) -> int:
        """Make up to ``limit`` discarded jobs due now; returns 0 when none are left."""
        found = await self._collection.find(self._discarded, projection=["_id"], limit=limit)
        return await self.retry([document["_id"] for document in found]) if found else 0

    async def _count_due(self, query: dict[str, Any]) -> int:
        return await self._collection.count(query, hint=due_index(self.name))

    async def _count_leased(self, query: dict[str, Any]) -> int:
        return await self._collection.count(query, hint=leased_index(self.name))
