"""The collection of imported events: one document per external event and connection, with its outbox."""

from collections.abc import AsyncIterator, Sequence

from chassis.jobs.queue import LeaseLostError
from chassis.kafka.records import OutgoingRecord, event_record
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from chassis.mongo.updates import merge_updates
from contracts.transport.topics import CALENDAR_SYNC
from pymongo import ASCENDING, IndexModel, UpdateOne

from calendar_sync.inbound.imported_event import ImportedEvent
from calendar_sync.inbound.ports import ImportedEventMessage

INDEXES = [
    OUTBOX_INDEX,
    IndexModel([("connectionId", ASCENDING), ("eventId", ASCENDING)], name="events"),
    IndexModel(
        [("connectionId", ASCENDING), ("seriesId", ASCENDING)],
        name="series",
        partialFilterExpression={"seriesId": {"$gt": ""}},
    ),
]
"""The shard key of a sharded cluster is {_id: 1}, which begins with the connection's id: every write names it."""


_PAGE = 200


class MongoImportedEventRepository:
    """Reads and writes imported events. Each write is guarded by the version that was read."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def find(
        self, connection_id: str, *, event_ids: Sequence[str], meeting_uuids: Sequence[str]
    ) -> list[ImportedEvent]:
        by_event = {"connectionId": connection_id, "eventId": {"$in": list(event_ids)}}
        by_meeting = {"_id": {"$in": [f"{connection_id}:{meeting_uuid}" for meeting_uuid in meeting_uuids]}}
        found = await self._collection.find({"$or": [by_event, by_meeting]}, projection={"outbox": 0})
        return [_to_imported_event(document) for document in found]

    async def of_series(self, connection_id: str, series_ids: Sequence[str]) -> list[ImportedEvent]:
        found = await self._collection.find(
            {"connectionId": connection_id, "seriesId": {"$gt": "", "$in": list(series_ids)}, "deleted": False},
            projection={"outbox": 0},
        )
        return [_to_imported_event(document) for document in found]

    async def iterate(self, connection_id: str) -> AsyncIterator[Sequence[ImportedEvent]]:
        after, end = f"{connection_id}:", f"{connection_id};"  # the character that follows the colon
        while True:
            page = await self._collection.find(
                {"_id": {"$gt": after, "$lt": end}, "deleted": False},
                projection={"outbox": 0},
                sort={"_id": ASCENDING},
                limit=_PAGE,
            )
            if not page:
                return
            yield [_to_imported_event(document) for document in page]
            after = page[-1]["_id"]

    async def save(self, changes: Sequence[tuple[ImportedEvent, Sequence[ImportedEventMessage]]]) -> None:
        if not changes:
            return
        try:
            written = await self._collection.bulk_write([self._write(*change) for change in changes])
        except ConflictError as error:
            raise LeaseLostError from error
        if written.matched_count + written.upserted_count < len(changes):
            raise LeaseLostError
        ids = [imported_event.imported_event_id for imported_event, _ in changes]
        await self._outbox.flush_or_defer(await self._outbox.load(ids))

    def _write(self, imported_event: ImportedEvent, messages: Sequence[ImportedEventMessage]) -> UpdateOne:
        fields = {"$set": imported_event.model_dump(exclude={"version"})}
        return UpdateOne(
            {"_id": imported_event.imported_event_id, "version": imported_event.version},
            merge_updates(fields, self._outbox.append(*map(_record, messages))),
            upsert=imported_event.version == 0,
        )


def _record(message: ImportedEventMessage) -> OutgoingRecord:
    return event_record(message, source=CALENDAR_SYNC, subject=message.meeting_uuid, tenant=message.tenant_uuid)


def _to_imported_event(document: Document) -> ImportedEvent:
    return ImportedEvent.model_validate(document)
