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
from calendar_sync.inbound.state_repository import CHANNEL_JOB, SYNC_JOB, to_sync_state

log = structlog.get_logger()


class ChannelWorker:
    """Does the leased work of keeping channels."""

    def __init__(self, collection: Collection, channel_manager: ChannelManager) -> None:
        self._collection = collection
        self._channel_manager = channel_manager

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at the channels of a leased sync state."""
        sync_state = to_sync_state(lease.document)
        with use_context(Context(correlation_id=uuid7_hex(), tenant=sync_state.tenant_uuid)):
            try:
                maintenance = await self._channel_manager.maintain(
                    sync_state, attempt_number=lease.attempt, store=_LeasedChannelStore(self._collection, lease)
                )
            except LeaseLostError:
                log.warning("lease expired during channel maintenance; another worker will retry")
                return JobResult()
        outcome = "maintained" if maintenance.failure is None else maintenance.failure.code.value
        metrics.CHANNEL_MAINTENANCE.labels(sync_state.provider, outcome).inc()
        return JobResult(_update(maintenance), retry_in=None if maintenance.failure is None else maintenance.retry_in)


class _LeasedChannelStore:
    """Saves the channels of one leased sync state."""

    def __init__(self, collection: Collection, lease: LeasedJob) -> None:
        self._collection = collection
        self._lease = lease

    async def save(self, channels: Sequence[Channel]) -> None:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{CHANNEL_JOB}.lease.token": self._lease.token},
            {"$set": {"channels": [channel.model_dump() for channel in channels]}},
        )
        if saved.matched_count == 0:
            raise LeaseLostError


def _update(maintenance: ChannelMaintenance) -> dict[str, Any]:
    now = utc_now()
    update: dict[str, Any] = {"$set": {"channels": [channel.model_dump() for channel in maintenance.channels]}}
    expirations = [channel.expires_at for channel in maintenance.channels if channel.state is ChannelState.OPEN]
    if expirations:
        update["$set"][WATCHED_UNTIL] = max(expirations)
    else:
        update["$unset"] = {WATCHED_UNTIL: ""}
    due = (
        {f"{CHANNEL_JOB}.dueAt": now + timedelta(seconds=maintenance.next_check_in)}
        if maintenance.next_check_in is not None
        else {}
    )
    if maintenance.has_gap:
        due[f"{SYNC_JOB}.dueAt"] = now
    return update | ({"$min": due} if due else {})
