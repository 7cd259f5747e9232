"""Runs leased inbound sync jobs and stores their results."""

import random
from datetime import datetime, timedelta
from typing import Any

import structlog
from chassis.jobs.queue import JobResult, LeasedJob, LeaseLostError, schedule
from chassis.telemetry.context import Context, use_context
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now

from calendar_sync import metrics
from calendar_sync.inbound.model import InboundSyncState
from calendar_sync.inbound.state_repository import SYNC_JOB, to_sync_state
from calendar_sync.inbound.sync import ConnectionEnded, Deferred, InboundSync, Synced, SyncPolicy

log = structlog.get_logger()


class InboundSyncWorker:
    """Runs one leased sync, and turns its result into an update of the document."""

    def __init__(self, inbound_sync: InboundSync, policy: SyncPolicy) -> None:
        self._inbound_sync = inbound_sync
        self._policy = policy

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at reading the calendar that a leased document is about."""
        sync_state = to_sync_state(lease.document)
        with use_context(Context(correlation_id=uuid7_hex(), tenant=sync_state.tenant_uuid)):
            try:
                result = await self._inbound_sync.run(sync_state, attempt_number=lease.attempt)
            except LeaseLostError:
                log.warning("lease expired during sync; another worker will retry")
                metrics.SYNCS.labels(sync_state.provider, "lost").inc()
                return JobResult(retry_in=self._policy.retry_initial)
        match result:
            case Synced():
                metrics.SYNCS.labels(sync_state.provider, "read").inc()
                return JobResult(self._update(sync_state, result))
            case Deferred():
                if result.failure_code is None:
                    return JobResult(retry_in=result.seconds)
                metrics.SYNCS.labels(sync_state.provider, result.failure_code.value).inc()
                return JobResult({"$set": {"notBefore": _in(result.seconds)}}, retry_in=result.seconds)
            case ConnectionEnded():
                return JobResult()

    def _update(self, sync_state: InboundSyncState, synced: Synced) -> dict[str, Any]:
        fraction = random.uniform(0.75, 1.25)  # noqa: S311 spreads load, guards nothing
        return {
            "$set": {
                "syncToken": synced.sync_token.model_dump(),
                "outcome": synced.counts.model_dump(),
                "completedRun": sync_state.requested_runs,
                "syncedAsOf": synced.began,
                "recordedDeletions": list(synced.recorded_deletions),
                "notBefore": synced.began + timedelta(seconds=self._policy.min_interval),
            },
            **schedule(SYNC_JOB, _in(fraction * self._policy.poll_interval)),
        }


def _in(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)
