"""Runs leased outbound jobs of one provider and stores their results."""

from collections.abc import Sequence

import structlog
from chassis.http.internal_queries import QueryUnavailableError
from chassis.http.meeting_passwords import MeetingPasswords
from chassis.jobs.queue import JobResult, LeasedJob, LeaseLostError, schedule
from chassis.mongo.database import Collection, Document
from chassis.mongo.outbox import Outbox
from chassis.mongo.updates import Update, merge_updates
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import span
from contracts.values.times import utc_now

from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting
from calendar_sync.outbound.reconciler import OutboundReconciler, ReconcileResult
from calendar_sync.outbound.repository import (
    JOBS,
    event_update,
    mirrored_event_update,
    status_update,
    to_mirrored_meeting,
)

log = structlog.get_logger()

_PASSWORD_RETRY = 2.0


class OutboundWorker:
    """Runs one leased reconciliation, and turns its result into an update of the document."""

    def __init__(
        self, collection: Collection, outbox: Outbox, reconciler: OutboundReconciler, passwords: MeetingPasswords
    ) -> None:
        self._passwords = passwords
        self._collection = collection
        self._outbox = outbox
        self._work = JOBS[reconciler.provider]
        self._reconciler = reconciler

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at the events of a leased mirrored meeting."""
        mirror = to_mirrored_meeting(lease.document)
        correlation_id = mirror.correlation_id or mirror.meeting_uuid
        context = Context(correlation_id, tenant=mirror.tenant_uuid, traceparent=mirror.traceparent)
        with use_context(context), span("write to calendar", attempt=lease.attempt):
            intent_log = _LeasedIntentLog(self._collection, self._work, lease)
            try:
                mirror.password = await self._passwords.password_of(mirror.desired, mirror.sequence)
                result = await self._reconciler.reconcile(mirror, attempt_number=lease.attempt, intent_log=intent_log)
            except QueryUnavailableError:
                log.info("calendar write deferred: the meeting's password is not available", seconds=_PASSWORD_RETRY)
                return JobResult(retry_in=_PASSWORD_RETRY)
            except LeaseLostError:
                log.warning("lease expired during a calendar write; another worker will retry")
                return JobResult()
            if result.moved_to_provider is not None:
                return JobResult(schedule(JOBS[result.moved_to_provider], utc_now()))
            return JobResult(self._update(mirror, result), retry_in=result.retry_in, pause_key=result.pause_account)

    async def flush_outbox(self, documents: Sequence[Document]) -> None:
        """Publish the events in the outboxes of these documents."""
        await self._outbox.flush(documents)

    def _update(self, mirror: MirroredMeeting, result: ReconcileResult) -> Update:
        updates: list[Update] = []
        if result.host_edit is not None:
            # No request on the platform led to it: its correlation id begins here.
            updates.append(event_update(self._outbox, mirror, result.host_edit, result.host_edit.change_id))
        elif result.status_report is not None:
            updates.append(status_update(self._outbox, mirror, result.status_report))
        if result.key is not None and result.event is not None:
            updates.append(mirrored_event_update(result.key, result.event))
        return merge_updates(*updates)


class _LeasedIntentLog:
    """Saves write intents in the leased document."""

    def __init__(self, collection: Collection, work: str, lease: LeasedJob) -> None:
        self._collection = collection
        self._work = work
        self._lease = lease

    async def save(self, key: str, event: MirroredEvent) -> bool:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{self._work}.lease.token": self._lease.token}, mirrored_event_update(key, event)
        )
        return saved.matched_count == 1
