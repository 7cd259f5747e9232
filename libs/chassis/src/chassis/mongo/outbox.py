"""The transactional outbox: events are stored in the document that they are about, so that both are one write.

A document that uses it has ``version``, ``outbox`` (its unpublished events, oldest first) and, while there are any,
``outboxDueAt``: when the relay may publish them. The writer publishes right after its write; the relay
finds events only after a crash or an outage of the broker.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from aiokafka.errors import KafkaError
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import PyMongoError

from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord
from chassis.mongo.database import Collection, Document
from chassis.mongo.updates import Update, merge_updates
from chassis.outages import is_outage
from chassis.tasks import cancel_and_wait
from chassis.telemetry import metrics

log = structlog.get_logger()

OUTBOX_INDEX = IndexModel(
    [("outboxDueAt", ASCENDING)], name="outbox", partialFilterExpression={"outboxDueAt": {"$exists": True}}
)


_FLUSHED = {"outbox": 1, "version": 1}
"""The fields that are read to publish a document's events."""


async def _keep_nothing(_documents: Sequence[Document]) -> None:
    return


class Outbox:
    """Stores and publishes the pending events of one collection's documents."""

    def __init__(
        self,
        collection: Collection,
        publisher: Publisher,
        *,
        relay_delay: float,
        keep: Callable[[Sequence[Document]], Awaitable[None]] = _keep_nothing,
    ) -> None:
        """``relay_delay``: seconds that a writer has before the relay takes over.

        ``keep``: stores elsewhere what is to stay of these documents' outboxes. It is called before they are cleared,
        and again for the same entries after a crash or an error.
        """
        self._collection = collection
        self._publisher = publisher
        self._relay_delay = timedelta(seconds=relay_delay)
        self._keep = keep

    def append(self, *records: OutgoingRecord) -> Update:
        """The update that raises a document's version and adds these events, if any, to its outbox."""
        entries = [_entry(record) for record in records]
        update: Update = {"$inc": {"version": 1}, "$push": {"outbox": {"$each": entries}}}
        return merge_updates(update, {"$set": self._due_at()}) if entries else update

    def contents(self, *records: OutgoingRecord, leftover: Sequence[Document] = ()) -> Document:
        """The outbox of a document that is replaced as a whole: what it had ``leftover``, then these events."""
        entries = [*leftover, *map(_entry, records)]
        return {"outbox": entries} | (self._due_at() if entries else {})

    def _due_at(self) -> Document:
        return {"outboxDueAt": utc_now() + self._relay_delay}

    async def flush(self, documents: Sequence[Document]) -> None:
        """Publish the events in these documents' outboxes, those of each document in order, and clear the outboxes.

        Raises:
            aiokafka.errors.KafkaError: some could not be published; they stay in their outboxes.
            pymongo.errors.PyMongoError: some could not be kept or cleared; they are published again later.
        """
        pending = [document for document in documents if document["outbox"]]
        if not pending:
            return
        kept, *results = await asyncio.gather(self._keep(pending), *map(self._publish, pending), return_exceptions=True)
        if kept is not None:
            raise kept
        published = [document for document, result in zip(pending, results, strict=True) if result is None]
        if published:
            await self._collection.bulk_write([_cleared(document) for document in published])
        for result in results:
            if result is not None:
                raise result

    async def flush_or_defer(self, documents: Sequence[Document]) -> None:
        """As ``flush``, but in an outage the events are left to the relay: their documents are saved."""
        try:
            await self.flush(documents)
        except Exception as error:
            if not isinstance(error, KafkaError) and not is_outage(error):
                raise
            log.warning("document saved, event publish deferred to the outbox relay", error=type(error).__name__)

    async def load(self, ids: Sequence[str]) -> list[Document]:
        """These documents, as far as ``flush`` reads them."""
        return await self._collection.find({"_id": {"$in": list(ids)}}, projection=_FLUSHED)

    async def _publish(self, document: Document) -> None:
        await self._publisher.publish_in_order(_outgoing(entry) for entry in document["outbox"])

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[None]:
        """Run the relay in the background until left."""
        relaying = asyncio.create_task(self._relay_for_ever())
        try:
            yield
        finally:
            await cancel_and_wait(relaying)

    async def publish_overdue(self) -> int:
        """Publish all events that are overdue; returns of how many documents."""
        relayed = 0
        while (document := await self._claim()) is not None:
            await self.flush([document])
            relayed += 1
        return relayed

    async def _claim(self) -> Document | None:
        """An overdue document, ours for one relay delay: the claim is the due time moved on."""
        now = utc_now()
        return await self._collection.find_one_and_update(
            {"outboxDueAt": {"$lte": now}},
            {"$set": {"outboxDueAt": now + self._relay_delay}},
            projection=_FLUSHED,
            sort={"outboxDueAt": ASCENDING},
            return_document=ReturnDocument.AFTER,
        )

    async def _relay_for_ever(self) -> None:
        while True:
            try:
                await self._measure()
                if relayed := await self.publish_overdue():
                    metrics.OUTBOX_RELAYED.inc(relayed)
                    log.warning("outbox relay published leftover events", documents=relayed)
            except (KafkaError, PyMongoError) as error:
                log.warning("outbox relay: broker or database unavailable", error=type(error).__name__, fold=True)
            await asyncio.sleep(self._relay_delay.total_seconds() / 2)

    async def _measure(self) -> None:
        metrics.OUTBOX_OLDEST.set(await oldest_pending_age(self._collection))


async def oldest_pending_age(collection: Collection) -> float:
    """For how many seconds the oldest unpublished event of a collection has been overdue; 0 when none is."""
    oldest = await collection.find_one(
        {"outboxDueAt": {"$exists": True}}, projection={"outboxDueAt": 1}, sort={"outboxDueAt": ASCENDING}
    )
    return max(0, (utc_now() - oldest["outboxDueAt"]).total_seconds()) if oldest else 0


async def pending_count(collection: Collection) -> int:
    """How many documents of a collection have unpublished events; those being written just now are among them."""
    return await collection.count({"outboxDueAt": {"$exists": True}}, hint="outbox")


def _entry(outgoing: OutgoingRecord) -> Document:
    """A record as it waits in a document."""
    return {
        "topic": outgoing.topic,
        "key": outgoing.key,
        "value": outgoing.value,
        "headers": [[name, value] for name, value in outgoing.headers],
    }


def _outgoing(entry: Document) -> OutgoingRecord:
    return OutgoingRecord(
        entry["topic"], entry["key"], entry["value"], [(name, value) for name, value in entry["headers"]]
    )


def _cleared(document: Document) -> UpdateOne:
    """Clear the outbox unless another writer has added to it meanwhile; that writer publishes these events too."""
    return UpdateOne(
        {"_id": document["_id"], "version": document["version"]},
        {"$set": {"outbox": []}, "$unset": {"outboxDueAt": ""}},
    )
