"""Runs leased channel jobs and stores their results."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from chassis.jobs.queue import JobResult, LeasedJob, LeaseLostError
from chassis.mongo.database import Collection
from chassis.telemetry.context import Context, use_context
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now

from calendar_sync import metrics
from calendar_sync.inbound.channel_repository import WATCHED_UNTIL
from calendar_sync.inbound.channels import ChannelMaintenance, ChannelManager
from calendar_sync.inbound.model import Channel, ChannelState
from calendar_sync.inbound.state_repository import PULL, WATCH, to_sync_state

log = structlog.get_logger()


class ChannelWorker:
    """Does the leased work of keeping channels."""

    def __init__(self, collection: Collection, watching: ChannelManager) -> None:
        self._collection = collection
        self._watching = watching

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at the channels of the feed that a leased document is about."""
        feed = to_sync_state(lease.document)
        with use_context(Context(correlation_id=uuid7_hex(), tenant=feed.tenant_uuid)):
            try:
                watched = await self._watching.attempt(
                    feed, number=lease.attempt, rows=_LeasedChannelStore(self._collection, lease)
                )
            except LeaseLostError:
                log.warning("a lease ran out before a calendar was watched")
                return JobResult()
        outcome = "watched" if watched.failure is None else watched.failure.code.value
        metrics.CHANNEL_MAINTENANCE.labels(feed.provider, outcome).inc()
        return JobResult(_written(watched), retry_in=None if watched.failure is None else watched.retry_in)


class _LeasedChannelStore:
    """Where the channels of one leased feed are written down."""

    def __init__(self, collection: Collection, lease: LeasedJob) -> None:
        self._collection = collection
        self._lease = lease

    async def save(self, channels: Sequence[Channel]) -> None:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{WATCH}.lease.token": self._lease.token},
            {"$set": {"channels": [one.model_dump() for one in channels]}},
        )
        if saved.matched_count == 0:
            raise LeaseLostError


def _written(watched: ChannelMaintenance) -> dict[str, Any]:
    now = utc_now()
    update: dict[str, Any] = {"$set": {"channels": [one.model_dump() for one in watched.channels]}}
    until = [one.expires_at for one in watched.channels if one.state is ChannelState.OPEN]
    if until:
        update["$set"][WATCHED_UNTIL] = max(until)
    else:
        update["$unset"] = {WATCHED_UNTIL: ""}
    due = {f"{WATCH}.dueAt": now + timedelta(seconds=watched.look_in)} if watched.look_in is not None else {}
    if watched.missed:
        due[f"{PULL}.dueAt"] = now
    return update | ({"$min": due} if due else {})
