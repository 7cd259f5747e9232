"""Between feeds and watching: channels out of documents, what came of them into these."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from chassis import metrics
from chassis.context import Context, working_on
from chassis.leases import Lease, Result
from chassis.mongo import Collection
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel

from calendar_sync.adapters.feeds import PULL, WATCH, to_feed
from calendar_sync.application.watching import Watched, Watching
from calendar_sync.application.writing import LeaseLostError
from calendar_sync.domain.feed import Channel, ChannelState, FeedState

log = structlog.get_logger()

_REMOTE, _UNTIL = "channels.remoteId", "watchedUntil"
INDEXES = [
    IndexModel([(_REMOTE, ASCENDING)], name="remote", partialFilterExpression={_REMOTE: {"$exists": True}}),
    IndexModel([("provider", ASCENDING), ("state", ASCENDING), (_UNTIL, ASCENDING)], name="watched"),
]


class StoredChannels:
    """Reads the channels of feeds."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def of(self, connection_id: str) -> Sequence[Channel]:
        found = await self._collection.find_one({"_id": connection_id})
        return [] if found is None else to_feed(found).channels

    async def known(self, remote_ids: Sequence[str]) -> set[str]:
        found = await self._collection.find({_REMOTE: {"$in": list(remote_ids)}}, projection=[_REMOTE])
        return {channel["remoteId"] for one in found for channel in one["channels"] if channel.get("remoteId")}

    async def measure(self) -> None:
        """How many calendars are watched now and how many are not; in how many seconds the first channel ends."""
        now = utc_now()
        for provider in CalendarProvider:
            is_open = {"provider": provider, "state": FeedState.OPEN}
            watched, unwatched = is_open | {_UNTIL: {"$gt": now}}, is_open | {_UNTIL: {"$not": {"$gt": now}}}
            first = await self._collection.find_one(watched, projection=[_UNTIL], sort={_UNTIL: ASCENDING})
            metrics.CHANNELS_OPEN.labels(provider.value).set(await self._collection.count(watched, hint="watched"))
            missing = await self._collection.count(unwatched, hint="watched")
            metrics.CHANNELS_MISSING.labels(provider.value).set(missing)
            metrics.CHANNEL_ENDS.labels(provider.value).set((first[_UNTIL] - now).total_seconds() if first else 0)


class WatchDesk:
    """Does the leased work of keeping channels."""

    def __init__(self, collection: Collection, watching: Watching) -> None:
        self._collection = collection
        self._watching = watching

    async def work(self, lease: Lease) -> Result:
        """One attempt at the channels of the feed that a leased document is about."""
        feed = to_feed(lease.document)
        with working_on(Context(correlation_id=uuid7_hex(), tenant=feed.tenant_uuid)):
            try:
                watched = await self._watching.attempt(
                    feed, number=lease.attempt, rows=_LeasedRows(self._collection, lease)
                )
            except LeaseLostError:
                log.warning("a lease ran out before a calendar was watched")
                return Result()
        outcome = "watched" if watched.failure is None else watched.failure.code.value
        metrics.WATCHES.labels(feed.provider, outcome).inc()
        return Result(_written(watched), again_in=None if watched.failure is None else watched.retry_in)


class _LeasedRows:
    """Where the channels of one leased feed are written down."""

    def __init__(self, collection: Collection, lease: Lease) -> None:
        self._collection = collection
        self._lease = lease

    async def save(self, channels: Sequence[Channel]) -> None:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{WATCH}.lease.token": self._lease.token},
            {"$set": {"channels": [one.model_dump() for one in channels]}},
        )
        if saved.matched_count == 0:
            raise LeaseLostError


def _written(watched: Watched) -> dict[str, Any]:
    now = utc_now()
    update: dict[str, Any] = {"$set": {"channels": [one.model_dump() for one in watched.channels]}}
    until = [one.expires_at for one in watched.channels if one.state is ChannelState.OPEN]
    if until:
        update["$set"][_UNTIL] = max(until)
    else:
        update["$unset"] = {_UNTIL: ""}
    due = {f"{WATCH}.dueAt": now + timedelta(seconds=watched.look_in)} if watched.look_in is not None else {}
    if watched.missed:
        due[f"{PULL}.dueAt"] = now
    return update | ({"$min": due} if due else {})
