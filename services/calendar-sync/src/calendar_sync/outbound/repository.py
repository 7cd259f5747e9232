"""The collection of links: one document per meeting holds what is wanted in its host's calendar, what was written, the
work that is due, and what is still to be said about it.

Three sides write a document, and each its own fields: the noting side what is wanted, guarded by the meeting's version,
the writing side what was written, guarded by its lease, and the pulling side which copies are to be looked at. There is
work for each provider by itself, so that one that is slow keeps no worker from the other.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import schedule
from chassis.kafka.records import encode, envelope_for
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox, outbox_entry
from chassis.telemetry.context import Context, use_context
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted, MirrorStatusChanged
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from calendar_sync.connections.model import connection_id
from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting, ReportedStatus
from calendar_sync.outbound.ports import MeetingUpdate

_PAGE = 200


log = structlog.get_logger()


CONCURRENCY_KEY = "host"
"""The id of the host's connection: what writes to one calendar compete for."""


WORK = {CalendarProvider.GOOGLE: "google", CalendarProvider.OUTLOOK: "outlook"}


INDEXES = [
    OUTBOX_INDEX,
    *(index for work in WORK.values() for index in job_indexes(work, concurrency_key=CONCURRENCY_KEY)),
    IndexModel([(CONCURRENCY_KEY, ASCENDING), ("_id", ASCENDING)], name="host"),
    IndexModel([("eventKeys", ASCENDING)], name="events", partialFilterExpression={"eventKeys": {"$exists": True}}),
]
"""The shard key of a sharded cluster is {_id: 1}, the meetingUuid: every write names it."""


class MirroredMeetingRepository:
    """Reads and writes links for the noting side."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def save(self, news: Sequence[MeetingUpdate]) -> None:
        with suppress(ConflictError):  # newer news is known: its document does not match, and the upsert meets it
            await self._collection.bulk_write([_noted(one) for one in news])

    async def want(self, meeting_uuids: Sequence[str], provider: CalendarProvider) -> None:
        await self._collection.update_many({"_id": {"$in": list(meeting_uuids)}}, schedule(WORK[provider], utc_now()))

    async def links_of(self, tenant_uuid: str, host_uuid: str, after: str) -> list[MirroredMeeting]:
        documents = await self._collection.find(
            {CONCURRENCY_KEY: connection_id(tenant_uuid, host_uuid), "_id": {"$gt": after}},
            sort={"_id": ASCENDING},
            limit=_PAGE,
        )
        return [to_mirrored_meeting(document) for document in documents]

    async def tell(
        self, told: Sequence[tuple[MirroredMeeting, ReportedStatus | None]], *, want: CalendarProvider | None
    ) -> None:
        writes = []
        for link, news in told:
            update: dict[str, Any] = {} if news is None else said(link, news, self._outbox.due_at(utc_now()))
            if want is not None:
                update |= schedule(WORK[want], utc_now())
            known = {} if news is None or link.told is None else {"told.sequence": {"$lt": news.sequence}}
            if update:
                writes.append(UpdateOne({"_id": link.meeting_uuid} | known, update))
        if not writes:
            return
        await self._collection.bulk_write(writes)
        ids = [link.meeting_uuid for link, news in told if news is not None]
        try:
            await self._outbox.flush(
                await self._collection.find({"_id": {"$in": ids}}, projection={"outbox": 1, "version": 1})
            )
        except KafkaError as error:
            log.warning("written but not told yet", error=type(error).__name__)


def _noted(news: MeetingUpdate) -> UpdateOne:
    meeting = news.meeting
    ought = {
        "meetingUuid": meeting.meeting_uuid,
        "tenantUuid": meeting.tenant_uuid,
        "hostUuid": meeting.host_uuid,
        "sequence": news.sequence,
        "desired": meeting.model_dump(),
        "correlationId": news.correlation_id,
        "traceparent": news.traceparent,
        CONCURRENCY_KEY: connection_id(meeting.tenant_uuid, meeting.host_uuid),
    }
    return UpdateOne(
        {"_id": meeting.meeting_uuid, "sequence": {"$lt": news.sequence}},
        {"$set": ought, "$setOnInsert": {"events": {}, "told": None, "version": 1, "outbox": []}},
        upsert=True,
    )


def to_mirrored_meeting(document: Document) -> MirroredMeeting:
    """The link that a document holds."""
    return MirroredMeeting.model_validate(document)


def said(link: MirroredMeeting, told: ReportedStatus, outbox_due_at: datetime) -> dict[str, Any]:
    """The update that takes what is told into a link's document, and the event that tells it into its outbox."""
    event = MirrorStatusChanged(
        tenant_uuid=link.tenant_uuid,
        meeting_uuid=link.meeting_uuid,
        sequence=told.sequence,
        meeting_version=told.meeting_version,
        status=told.status,
        operation=told.operation,
        at=told.at,
        failure_code=told.failure_code,
        failure_reason=told.failure_reason,
    )
    return event_update(
        event, link, link.correlation_id or link.meeting_uuid, {"told": told.model_dump()}, outbox_due_at
    )


def event_update(
    event: MirrorStatusChanged | MirroredEventChanged | MirroredEventDeleted,
    link: MirroredMeeting,
    correlation_id: str,
    fields: Document,
    outbox_due_at: datetime,
) -> dict[str, Any]:
    with use_context(Context(correlation_id=correlation_id, tenant=link.tenant_uuid)):
        envelope = envelope_for(event, source=CALENDAR_SYNC, subject=link.meeting_uuid)
    return {
        "$set": fields | {"outboxDueAt": outbox_due_at},
        "$push": {"outbox": outbox_entry(encode(Message(envelope, event), link.meeting_uuid))},
        "$inc": {"version": 1},
    }


def mirrored_event_update(key: str, copy: MirroredEvent) -> dict[str, Any]:
    """The update that keeps a copy, and lets its event be found."""
    update: dict[str, Any] = {"$set": {f"events.{key}": copy.model_dump()}}
    if copy.event_id is not None:
        update["$addToSet"] = {"eventKeys": event_key(key, copy.event_id)}
    return update


def event_key(account: str, event_id: str) -> str:
    """Names an event of an account, to find the link that it is a copy of."""
    return f"{account}:{event_id}"
