"""Runs leased outbound jobs of one provider and stores their results."""

from collections.abc import Sequence
from typing import Any

import structlog
from chassis.jobs.queue import JobResult, LeasedJob, LeaseLostError, schedule
from chassis.mongo.database import Collection, Document
from chassis.mongo.outbox import Outbox
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import span
from contracts.values.times import utc_now

from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting
from calendar_sync.outbound.reconciler import OutboundReconciler, ReconcileResult
from calendar_sync.outbound.repository import WORK, event_update, mirrored_event_update, said, to_mirrored_meeting

log = structlog.get_logger()


class OutboundWorker:
    """Between leases and the writing side of one provider: links out of documents, what came of them into these."""

    def __init__(self, collection: Collection, outbox: Outbox, writing: OutboundReconciler) -> None:
        self._collection = collection
        self._outbox = outbox
        self._work = WORK[writing.provider]
        self._writing = writing

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at the copy that a leased document is about."""
        link = to_mirrored_meeting(lease.document)
        asked_for = link.correlation_id or link.meeting_uuid
        context = Context(asked_for, tenant=link.tenant_uuid, traceparent=link.traceparent)
        with use_context(context), span("write to calendar", attempt=lease.attempt):
            intentions = _LeasedIntentLog(self._collection, self._work, lease)
            try:
                attempt = await self._writing.attempt(link, number=lease.attempt, intentions=intentions)
            except LeaseLostError:
                log.warning("a lease ran out before a copy was written")
                return JobResult()
            if attempt.elsewhere is not None:
                return JobResult(schedule(WORK[attempt.elsewhere], utc_now()))
            return JobResult(self._update(link, attempt), retry_in=attempt.retry_in, pause_key=attempt.pause_account)

    async def told(self, documents: Sequence[Document]) -> None:
        """Publish what these documents have to say."""
        await self._outbox.flush(documents)

    def _update(self, link: MirroredMeeting, attempt: ReconcileResult) -> dict[str, Any]:
        update: dict[str, Any] = {}
        if attempt.change is not None:
            # Nobody on the platform asked for it: whatever follows from it begins here.
            began = attempt.change.change_id
            update = event_update(attempt.change, link, began, {}, self._outbox.due_at(utc_now()))
        elif attempt.told is not None:
            update = said(link, attempt.told, self._outbox.due_at(utc_now()))
        if attempt.key is not None and attempt.copy is not None:
            flow_state = mirrored_event_update(attempt.key, attempt.copy)
            update |= flow_state | {"$set": update.get("$set", {}) | flow_state["$set"]}
        return update


class _LeasedIntentLog:
    """Where one leased copy's intentions are saved."""

    def __init__(self, collection: Collection, work: str, lease: LeasedJob) -> None:
        self._collection = collection
        self._work = work
        self._lease = lease

    async def save(self, key: str, copy: MirroredEvent) -> bool:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{self._work}.lease.token": self._lease.token}, mirrored_event_update(key, copy)
        )
        return saved.matched_count == 1
