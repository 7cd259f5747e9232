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
from calendar_sync.inbound.state_repository import PULL, to_sync_state
from calendar_sync.inbound.sync import ConnectionEnded, Deferred, InboundSync, Synced, SyncPolicy

log = structlog.get_logger()


class InboundSyncWorker:
    """Between leases and pulling: feeds out of documents, what came of them into these."""

    def __init__(self, pulling: InboundSync, pace: SyncPolicy) -> None:
        self._pulling = pulling
        self._pace = pace

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at reading the calendar that a leased document is about."""
        feed = to_sync_state(lease.document)
        with use_context(Context(correlation_id=uuid7_hex(), tenant=feed.tenant_uuid)):
            try:
                ended = await self._pulling.attempt(feed, number=lease.attempt)
            except LeaseLostError:
                log.warning("a lease ran out before a calendar was read")
                metrics.SYNCS.labels(feed.provider, "lost").inc()
                return JobResult(retry_in=self._pace.retry_initial)
        match ended:
            case Synced():
                metrics.SYNCS.labels(feed.provider, "read").inc()
                return JobResult(self._read(feed, ended))
            case Deferred():
                if ended.because is None:
                    return JobResult(retry_in=ended.seconds)
                metrics.SYNCS.labels(feed.provider, ended.because.value).inc()
                return JobResult({"$set": {"notBefore": _in(ended.seconds)}}, retry_in=ended.seconds)
            case ConnectionEnded():
                return JobResult()

    def _read(self, feed: InboundSyncState, pulled: Synced) -> dict[str, Any]:
        share = random.uniform(0.75, 1.25)  # noqa: S311 spreads load, guards nothing
        return {
            "$set": {
                "cursor": pulled.cursor.model_dump(),
                "outcome": pulled.counts.model_dump(),
                "answered": feed.asked,
                "syncedAsOf": pulled.began,
                "deletions": list(pulled.deletions),
                "notBefore": pulled.began + timedelta(seconds=self._pace.rest),
            },
            **schedule(PULL, _in(share * self._pace.interval)),
        }


def _in(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)
