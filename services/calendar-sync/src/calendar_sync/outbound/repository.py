"""The collection of mirrored meetings: one document per meeting holds its desired state, what was written, its jobs and
its outbox.

Three writers share a document, each with its own fields: the projector the desired state, guarded by the meeting's
version, the outbound worker what was written, guarded by its lease, and the inbound sync the requested rechecks. Each
provider has jobs of its own, so that a slow provider does not hold up the other's workers.
"""

from collections.abc import Sequence
from contextlib import suppress

from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import schedule
from chassis.kafka.records import event_record
from chassis.mongo.database import Collection, ConflictError, Document, Query
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from chassis.mongo.updates import Update, merge_updates
from chassis.telemetry.context import Context, use_context
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted, MirrorStatusChanged
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from calendar_sync.connections.model import connection_id
from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting, ReportedStatus
from calendar_sync.outbound.ports import MeetingUpdate
from calendar_sync.providers.registry import PROVIDERS

_PAGE = 200

CONCURRENCY_KEY = "host"
"""The field with the id of the host's connection: the jobs of one calendar share its concurrency limit."""

JOBS = {provider: entry.job for provider, entry in PROVIDERS.items()}
"""The fields of the jobs that write to each provider's calendars."""

INDEXES = [
    OUTBOX_INDEX,
    *(index for job in JOBS.values() for index in job_indexes(job, concurrency_key=CONCURRENCY_KEY)),
    IndexModel([(CONCURRENCY_KEY, ASCENDING), ("_id", ASCENDING)], name="host"),
    IndexModel([("eventKeys", ASCENDING)], name="events", partialFilterExpression={"eventKeys": {"$exists": True}}),
]
"""The shard key of a sharded cluster is {_id: 1}, the meetingUuid: every write names it."""


class MirroredMeetingRepository:
    """Reads and writes mirrored meetings for the projector."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def save(self, updates: Sequence[MeetingUpdate]) -> None:
        with suppress(
            ConflictError
        ):  # a newer state is stored: its document does not match, and the upsert conflicts with it
            await self._collection.bulk_write([_desired_state_write(update) for update in updates])

    async def request_sync(self, meeting_uuids: Sequence[str], provider: CalendarProvider) -> None:
        await self._collection.update_many({"_id": {"$in": list(meeting_uuids)}}, schedule(JOBS[provider], utc_now()))

    async def list_by_host(self, tenant_uuid: str, host_uuid: str, after: str) -> list[MirroredMeeting]:
        documents = await self._collection.find(
            {CONCURRENCY_KEY: connection_id(tenant_uuid, host_uuid), "_id": {"$gt": after}},
            sort={"_id": ASCENDING},
            limit=_PAGE,
        )
        return [to_mirrored_meeting(document) for document in documents]

    async def report_status(
        self, reports: Sequence[tuple[MirroredMeeting, ReportedStatus | None]], *, request_sync: CalendarProvider | None
    ) -> None:
        writes = [
            UpdateOne(_unreported(mirror, status), update)
            for mirror, status in reports
            if (update := self._report(mirror, status, request_sync))
        ]
        if not writes:
            return
        await self._collection.bulk_write(writes)
        ids = [mirror.meeting_uuid for mirror, status in reports if status is not None]
        await self._outbox.flush_or_defer(await self._outbox.load(ids))

    def _report(
        self, mirror: MirroredMeeting, status: ReportedStatus | None, request_sync: CalendarProvider | None
    ) -> Update:
        return merge_updates(
            {} if status is None else status_update(self._outbox, mirror, status),
            {} if request_sync is None else schedule(JOBS[request_sync], utc_now()),
        )


def _unreported(mirror: MirroredMeeting, status: ReportedStatus | None) -> Query:
    """The mirrored meeting, if this status is newer than the one that was reported last."""
    if status is None or mirror.reported_status is None:
        return {"_id": mirror.meeting_uuid}
    return {"_id": mirror.meeting_uuid, "reportedStatus.sequence": {"$lt": status.sequence}}


def _desired_state_write(update: MeetingUpdate) -> UpdateOne:
    meeting = update.meeting
    fields = {
        "meetingUuid": meeting.meeting_uuid,
        "tenantUuid": meeting.tenant_uuid,
        "hostUuid": meeting.host_uuid,
        "sequence": update.sequence,
        "desired": meeting.model_dump(),
        "correlationId": update.correlation_id,
        "traceparent": update.traceparent,
        CONCURRENCY_KEY: connection_id(meeting.tenant_uuid, meeting.host_uuid),
    }
    return UpdateOne(
        {"_id": meeting.meeting_uuid, "sequence": {"$lt": update.sequence}},
        {"$set": fields, "$setOnInsert": {"events": {}, "reportedStatus": None, "version": 1, "outbox": []}},
        upsert=True,
    )


def to_mirrored_meeting(document: Document) -> MirroredMeeting:
    """The mirrored meeting that a document holds."""
    return MirroredMeeting.model_validate(document)


def status_update(outbox: Outbox, mirror: MirroredMeeting, status: ReportedStatus) -> Update:
    """The update of a mirrored meeting that records a reported status, and publishes it."""
    event = MirrorStatusChanged(
        tenant_uuid=mirror.tenant_uuid,
        meeting_uuid=mirror.meeting_uuid,
        sequence=status.sequence,
        meeting_version=status.meeting_version,
        status=status.status,
        operation=status.operation,
        at=status.at,
        failure_code=status.failure_code,
        failure_reason=status.failure_reason,
    )
    published = event_update(outbox, mirror, event, mirror.correlation_id or mirror.meeting_uuid)
    return merge_updates({"$set": {"reportedStatus": status.model_dump()}}, published)


def event_update(
    outbox: Outbox,
    mirror: MirroredMeeting,
    event: MirrorStatusChanged | MirroredEventChanged | MirroredEventDeleted,
    correlation_id: str,
) -> Update:
    """The update of a mirrored meeting that publishes an event."""
    with use_context(Context(correlation_id=correlation_id, tenant=mirror.tenant_uuid)):
        return outbox.append(event_record(event, source=CALENDAR_SYNC, subject=mirror.meeting_uuid))


def mirrored_event_update(key: str, event: MirroredEvent) -> Update:
    """The update that stores a mirrored event, and lets it be found by its provider's id."""
    stored = {"$set": {f"events.{key}": event.model_dump()}}
    if event.event_id is None:
        return stored
    return stored | {"$addToSet": {"eventKeys": event_key(key, event.event_id)}}


def event_key(account: str, event_id: str) -> str:
    """Names an event of an account, to find its mirrored meeting."""
    return f"{account}:{event_id}"
