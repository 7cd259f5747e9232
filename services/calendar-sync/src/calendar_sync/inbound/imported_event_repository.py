"""The collection of sightings: one document per external event and connection, with what is still to be said of it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from chassis.jobs.queue import LeaseLostError
from chassis.kafka.records import encode, envelope_for
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox, outbox_entry
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from calendar_sync.inbound.imported_event import ImportedEvent
from calendar_sync.inbound.ports import ImportedEventMessage

log = structlog.get_logger()


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
    """Reads and writes sightings. Each write is guarded by the version that was read."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def known(
        self, connection_id: str, *, event_ids: Sequence[str], meeting_uuids: Sequence[str]
    ) -> list[ImportedEvent]:
        by_event = {"connectionId": connection_id, "eventId": {"$in": list(event_ids)}}
        by_meeting = {"_id": {"$in": [f"{connection_id}:{one}" for one in meeting_uuids]}}
        found = await self._collection.find({"$or": [by_event, by_meeting]}, projection={"outbox": 0})
        return [_to_sighting(document) for document in found]

    async def of_series(self, connection_id: str, series_ids: Sequence[str]) -> list[ImportedEvent]:
        found = await self._collection.find(
            {"connectionId": connection_id, "seriesId": {"$gt": "", "$in": list(series_ids)}, "gone": False},
            projection={"outbox": 0},
        )
        return [_to_sighting(document) for document in found]

    async def held(self, connection_id: str) -> AsyncIterator[Sequence[ImportedEvent]]:
        after, end = f"{connection_id}:", f"{connection_id};"  # the character that follows the colon
        while True:
            page = await self._collection.find(
                {"_id": {"$gt": after, "$lt": end}, "gone": False},
                projection={"outbox": 0},
                sort={"_id": ASCENDING},
                limit=_PAGE,
            )
            if not page:
                return
            yield [_to_sighting(document) for document in page]
            after = page[-1]["_id"]

    async def save(self, said: Sequence[tuple[ImportedEvent, Sequence[ImportedEventMessage]]]) -> None:
        if not said:
            return
        try:
            written = await self._collection.bulk_write([self._write(*one) for one in said])
        except ConflictError as error:
            raise LeaseLostError from error
        if written.matched_count + written.upserted_count < len(said):
            raise LeaseLostError
        ids = [sighting.sighting_id for sighting, _ in said]
        try:
            await self._outbox.flush(
                await self._collection.find({"_id": {"$in": ids}}, projection={"outbox": 1, "version": 1})
            )
        except KafkaError as error:
            log.warning("written but not told yet", error=type(error).__name__)

    def _write(self, sighting: ImportedEvent, news: Sequence[ImportedEventMessage]) -> UpdateOne:
        fields: dict[str, Any] = sighting.model_dump(exclude={"version"})
        if news:
            fields["outboxDueAt"] = self._outbox.due_at(utc_now())
        return UpdateOne(
            {"_id": sighting.sighting_id, "version": sighting.version},
            {
                "$set": fields,
                "$inc": {"version": 1},
                "$push": {"outbox": {"$each": [_entry(one) for one in news]}},
            },
            upsert=sighting.version == 0,
        )


def _entry(news: ImportedEventMessage) -> dict[str, Any]:
    envelope = envelope_for(news, source=CALENDAR_SYNC, subject=news.meeting_uuid, tenant=news.tenant_uuid)
    return outbox_entry(encode(Message(envelope, news), news.meeting_uuid))


def _to_sighting(document: Document) -> ImportedEvent:
    return ImportedEvent.model_validate(document)
