"""Reads the notification channels of all sync states."""

from collections.abc import Sequence

import structlog
from chassis.mongo.database import Collection
from contracts.values.enums import CalendarProvider
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel

from calendar_sync import metrics
from calendar_sync.inbound.model import Channel, SyncPhase
from calendar_sync.inbound.state_repository import to_sync_state

log = structlog.get_logger()


_REMOTE, WATCHED_UNTIL = "channels.remoteId", "watchedUntil"


INDEXES = [
    IndexModel([(_REMOTE, ASCENDING)], name="remote", partialFilterExpression={_REMOTE: {"$exists": True}}),
    IndexModel([("provider", ASCENDING), ("phase", ASCENDING), (WATCHED_UNTIL, ASCENDING)], name="watched"),
]


class MongoChannelReader:
    """Reads the channels of sync states."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def of(self, connection_id: str) -> Sequence[Channel]:
        found = await self._collection.find_one({"_id": connection_id})
        return [] if found is None else to_sync_state(found).channels

    async def known(self, remote_ids: Sequence[str]) -> set[str]:
        found = await self._collection.find({_REMOTE: {"$in": list(remote_ids)}}, projection=[_REMOTE])
        return {
            channel["remoteId"] for document in found for channel in document["channels"] if channel.get("remoteId")
        }

    async def measure(self) -> None:
        """How many calendars are watched now and how many are not; in how many seconds the first channel ends."""
        now = utc_now()
        for provider in CalendarProvider:
            is_open = {"provider": provider, "phase": SyncPhase.OPEN}
            watched, unwatched = (
                is_open | {WATCHED_UNTIL: {"$gt": now}},
                is_open | {WATCHED_UNTIL: {"$not": {"$gt": now}}},
            )
            next_to_end = await self._collection.find_one(
                watched, projection=[WATCHED_UNTIL], sort={WATCHED_UNTIL: ASCENDING}
            )
            metrics.CHANNELS_OPEN.labels(provider.value).set(await self._collection.count(watched, hint="watched"))
            unwatched_count = await self._collection.count(unwatched, hint="watched")
            metrics.CHANNELS_MISSING.labels(provider.value).set(unwatched_count)
            metrics.CHANNEL_EXPIRES_IN.labels(provider.value).set(
                (next_to_end[WATCHED_UNTIL] - now).total_seconds() if next_to_end else 0
            )
