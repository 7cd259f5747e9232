"""The collection of sync states: one document per connection holds how far its calendar was read, the channels by which
we are notified of changes, and two jobs, ``inboundSync`` and ``channelMaintenance``.

Their lane is the provider, so that one that is slow keeps no worker from the other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import schedule
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.tasks import cancel_and_wait
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import PyMongoError

from calendar_sync import metrics
from calendar_sync.connections.model import connection_id
from calendar_sync.inbound.model import InboundSyncState, SyncPhase
from calendar_sync.providers.accounts import Account

log = structlog.get_logger()


SYNC_JOB = "inboundSync"
"""The field of the leased work that reads the calendar."""


CHANNEL_JOB = "channelMaintenance"
"""The field of the leased work that keeps a push channel open. It is due whenever the feed's state or generation
changes: for a feed that is not open, all that is left to do is to close its channels."""


CONCURRENCY_KEY = "provider"


INDEXES = [
    *job_indexes(SYNC_JOB, concurrency_key=CONCURRENCY_KEY),
    *job_indexes(CHANNEL_JOB, concurrency_key=CONCURRENCY_KEY),
    IndexModel([("phase", ASCENDING), ("syncedAsOf", ASCENDING)], name="oldest"),
]
"""The shard key of a sharded cluster is {_id: 1}, the connection's id: every write names it."""


_MEASURE = 15.0


_PAGE = 200


class MongoSyncStateRepository:
    """Reads and writes sync states, but for what their jobs write."""

    def __init__(self, collection: Collection, *, min_interval: float) -> None:
        """``min_interval``: seconds between the beginnings of two syncs at least."""
        self._collection = collection
        self._min_interval = timedelta(seconds=min_interval)

    async def start(self, account: Account) -> None:
        now = utc_now()
        fields = {
            "connectionId": account.connection_id,
            "tenantUuid": account.tenant_uuid,
            "userId": account.user_id,
            "provider": account.provider,
            "account": account.key,
            "generation": account.generation,
            "phase": SyncPhase.OPEN,
            "syncedAsOf": now,
        }
        try:
            await self._collection.update_one(
                {"_id": account.connection_id, "generation": {"$not": {"$gt": account.generation}}},
                {
                    "$set": fields,
                    "$unset": {"notBefore": ""},
                    "$setOnInsert": {"channels": [], "requestedRuns": 0, "completedRun": 0, "recordedDeletions": []},
                    "$min": {f"{SYNC_JOB}.dueAt": now, f"{CHANNEL_JOB}.dueAt": now},
                },
                upsert=True,
            )
        except ConflictError:
            log.info("a sync state of a newer connection exists")

    async def end(self, tenant_uuid: str, user_id: str, phase: SyncPhase) -> None:
        now = utc_now()
        left: dict[str, Any] = {"$min": {f"{CHANNEL_JOB}.dueAt": now}}
        if phase is SyncPhase.ENDED:
            left["$min"][f"{SYNC_JOB}.dueAt"] = now  # to say that all that was seen is gone
        else:
            left["$unset"] = {f"{SYNC_JOB}.dueAt": ""}
        await self._collection.update_one(
            {"_id": connection_id(tenant_uuid, user_id)}, {"$set": {"phase": phase}, **left}
        )

    async def request_sync(self, connection_ids: Iterable[str]) -> None:
        found = await self._collection.find(
            {"_id": {"$in": list(connection_ids)}, "phase": SyncPhase.OPEN},
            projection=["notBefore", f"{SYNC_JOB}.lease.token"],
        )
        writes = [
            UpdateOne({"_id": document["_id"], "phase": SyncPhase.OPEN}, schedule(SYNC_JOB, self._due_at(document)))
            for document in found
        ]
        if writes:
            await self._collection.bulk_write(writes)

    def _due_at(self, document: Document) -> datetime:
        now = utc_now()
        if "lease" in document.get(SYNC_JOB, {}):  # being read just now: it rests afterwards
            return now + self._min_interval
        return max(now, document.get("notBefore") or now)

    async def request_channel_check(self, connection_ids: Iterable[str]) -> None:
        await self._collection.update_many(
            {"_id": {"$in": list(connection_ids)}, "phase": SyncPhase.OPEN}, schedule(CHANNEL_JOB, utc_now())
        )

    async def request_run(self, account: Account) -> int | None:
        counted = await self._collection.find_one_and_update(
            {"_id": account.connection_id, "generation": account.generation, "phase": SyncPhase.OPEN},
            {"$inc": {"requestedRuns": 1}, **schedule(SYNC_JOB, utc_now())},
            projection=["requestedRuns"],
            return_document=ReturnDocument.AFTER,
        )
        return None if counted is None else int(counted["requestedRuns"])

    async def request_full_run(self, account: Account) -> int | None:
        idle = {"generation": account.generation, "phase": SyncPhase.OPEN, f"{SYNC_JOB}.lease": {"$exists": False}}
        counted = await self._collection.find_one_and_update(
            {"_id": account.connection_id} | idle,
            {"$unset": {"syncToken": ""}, "$inc": {"requestedRuns": 1}, **schedule(SYNC_JOB, utc_now())},
            projection=["requestedRuns"],
            return_document=ReturnDocument.AFTER,
        )
        return None if counted is None else int(counted["requestedRuns"])

    async def find(self, connection_id: str) -> InboundSyncState | None:
        document = await self._collection.find_one({"_id": connection_id})
        return None if document is None else to_sync_state(document)

    async def pages(self) -> AsyncIterator[list[InboundSyncState]]:
        """Pages of the sync states that are open."""
        after = ""
        while found := await self._collection.find(
            {"_id": {"$gt": after}, "phase": SyncPhase.OPEN}, sort={"_id": ASCENDING}, limit=_PAGE
        ):
            yield [to_sync_state(document) for document in found]
            after = found[-1]["_id"]

    async def measure(self) -> None:
        """The age of what is known of the calendar that was not read for longest."""
        oldest = await self._collection.find_one(
            {"phase": SyncPhase.OPEN}, projection=["syncedAsOf"], sort={"syncedAsOf": ASCENDING}
        )
        metrics.SYNC_AGE.set((utc_now() - oldest["syncedAsOf"]).total_seconds() if oldest else 0)


@asynccontextmanager
async def measured(*measures: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Measure again and again until this is left."""
    measuring = asyncio.create_task(_measure_for_ever(measures))
    try:
        yield
    finally:
        await cancel_and_wait(measuring)


async def _measure_for_ever(measures: Sequence[Callable[[], Awaitable[None]]]) -> None:
    while True:
        try:
            for measure in measures:
                await measure()
        except PyMongoError as error:
            log.warning("sync states cannot be measured", error=type(error).__name__)
        await asyncio.sleep(_MEASURE)


def to_sync_state(document: Document) -> InboundSyncState:
    """The sync state that a document holds."""
    return InboundSyncState.model_validate(document)
