"""The collection of links: one document per meeting holds what is wanted in its host's calendar, what was written, the
work that is due, and what is still to be said about it.

Three sides write a document, and each its own fields: the noting side what is wanted, guarded by the meeting's version,
the writing side what was written, guarded by its lease, and the pulling side which copies are to be looked at. There is
work for each provider by itself, so that one that is slow keeps no worker from the other.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from chassis.context import Context, working_on
from chassis.kafka.wire import encode, envelope_for
from chassis.leases import Lease, Result, due, work_indexes
from chassis.mongo import Collection, ConflictError, Document
from chassis.outbox import OUTBOX_INDEX, Outbox, outbox_entry
from chassis.tracing import span
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted, MirrorStatusChanged
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider, MeetingStatus
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from calendar_sync.application.noting import News
from calendar_sync.application.pulling import KnownCopy, Look
from calendar_sync.application.writing import Attempt, LeaseLostError, Writing
from calendar_sync.domain.connection import connection_id
from calendar_sync.domain.external import Window
from calendar_sync.domain.link import Copy, Link, Told

log = structlog.get_logger()

LANE = "host"
"""The id of the host's connection: what writes to one calendar compete for."""
WORK = {CalendarProvider.GOOGLE: "google", CalendarProvider.OUTLOOK: "outlook"}
INDEXES = [
    OUTBOX_INDEX,
    *(index for work in WORK.values() for index in work_indexes(work, lane=LANE)),
    IndexModel([(LANE, ASCENDING), ("_id", ASCENDING)], name="host"),
    IndexModel([("eventKeys", ASCENDING)], name="events", partialFilterExpression={"eventKeys": {"$exists": True}}),
]
"""The shard key of a sharded cluster is {_id: 1}, the meetingUuid: every write names it."""

_PAGE = 200


class LinkBook:
    """Reads and writes links for the noting side."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def save(self, news: Sequence[News]) -> None:
        with suppress(ConflictError):  # newer news is known: its document does not match, and the upsert meets it
            await self._collection.bulk_write([_noted(one) for one in news])

    async def want(self, meeting_uuids: Sequence[str], provider: CalendarProvider) -> None:
        await self._collection.update_many({"_id": {"$in": list(meeting_uuids)}}, due(WORK[provider], utc_now()))

    async def links_of(self, tenant_uuid: str, host_uuid: str, after: str) -> list[Link]:
        documents = await self._collection.find(
            {LANE: connection_id(tenant_uuid, host_uuid), "_id": {"$gt": after}}, sort={"_id": ASCENDING}, limit=_PAGE
        )
        return [to_link(document) for document in documents]

    async def tell(self, told: Sequence[tuple[Link, Told | None]], *, want: CalendarProvider | None) -> None:
        writes = []
        for link, news in told:
            update: dict[str, Any] = {} if news is None else said(link, news, self._outbox.due_at(utc_now()))
            if want is not None:
                update |= due(WORK[want], utc_now())
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


def _noted(news: News) -> UpdateOne:
    meeting = news.meeting
    ought = {
        "meetingUuid": meeting.meeting_uuid,
        "tenantUuid": meeting.tenant_uuid,
        "hostUuid": meeting.host_uuid,
        "sequence": news.sequence,
        "wanted": meeting.model_dump(),
        "askedFor": news.correlation_id,
        "askedInTrace": news.traceparent,
        LANE: connection_id(meeting.tenant_uuid, meeting.host_uuid),
    }
    return UpdateOne(
        {"_id": meeting.meeting_uuid, "sequence": {"$lt": news.sequence}},
        {"$set": ought, "$setOnInsert": {"copies": {}, "told": None, "version": 1, "outbox": []}},
        upsert=True,
    )


def to_link(document: Document) -> Link:
    """The link that a document holds."""
    return Link.model_validate(document)


def said(link: Link, told: Told, outbox_due_at: datetime) -> dict[str, Any]:
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
    return _saying(event, link, link.asked_for or link.meeting_uuid, {"told": told.model_dump()}, outbox_due_at)


def _saying(
    event: MirrorStatusChanged | MirroredEventChanged | MirroredEventDeleted,
    link: Link,
    correlation_id: str,
    fields: Document,
    outbox_due_at: datetime,
) -> dict[str, Any]:
    with working_on(Context(correlation_id=correlation_id, tenant=link.tenant_uuid)):
        envelope = envelope_for(event, source=CALENDAR_SYNC, subject=link.meeting_uuid)
    return {
        "$set": fields | {"outboxDueAt": outbox_due_at},
        "$push": {"outbox": outbox_entry(encode(Message(envelope, event), link.meeting_uuid))},
        "$inc": {"version": 1},
    }


class WritingDesk:
    """Between leases and the writing side of one provider: links out of documents, what came of them into these."""

    def __init__(self, collection: Collection, outbox: Outbox, writing: Writing) -> None:
        self._collection = collection
        self._outbox = outbox
        self._work = WORK[writing.provider]
        self._writing = writing

    async def work(self, lease: Lease) -> Result:
        """One attempt at the copy that a leased document is about."""
        link = to_link(lease.document)
        asked_for = link.asked_for or link.meeting_uuid
        context = Context(asked_for, tenant=link.tenant_uuid, traceparent=link.asked_in_trace)
        with working_on(context), span("write to calendar", attempt=lease.attempt):
            intentions = _LeasedCopy(self._collection, self._work, lease)
            try:
                attempt = await self._writing.attempt(link, number=lease.attempt, intentions=intentions)
            except LeaseLostError:
                log.warning("a lease ran out before a copy was written")
                return Result()
            if attempt.elsewhere is not None:
                return Result(due(WORK[attempt.elsewhere], utc_now()))
            return Result(self._update(link, attempt), again_in=attempt.again_in, pause_lane=attempt.pause_account)

    async def told(self, documents: Sequence[Document]) -> None:
        """Publish what these documents have to say."""
        await self._outbox.flush(documents)

    def _update(self, link: Link, attempt: Attempt) -> dict[str, Any]:
        update: dict[str, Any] = {}
        if attempt.change is not None:
            # Nobody on the platform asked for it: whatever follows from it begins here.
            began = attempt.change.change_id
            update = _saying(attempt.change, link, began, {}, self._outbox.due_at(utc_now()))
        elif attempt.told is not None:
            update = said(link, attempt.told, self._outbox.due_at(utc_now()))
        if attempt.key is not None and attempt.copy is not None:
            kept = _kept(attempt.key, attempt.copy)
            update |= kept | {"$set": update.get("$set", {}) | kept["$set"]}
        return update


class _LeasedCopy:
    """Where one leased copy's intentions are saved."""

    def __init__(self, collection: Collection, work: str, lease: Lease) -> None:
        self._collection = collection
        self._work = work
        self._lease = lease

    async def save(self, key: str, copy: Copy) -> bool:
        saved = await self._collection.update_one(
            {"_id": self._lease.key, f"{self._work}.lease.token": self._lease.token}, _kept(key, copy)
        )
        return saved.matched_count == 1


def _kept(key: str, copy: Copy) -> dict[str, Any]:
    """The update that keeps a copy, and lets its event be found."""
    update: dict[str, Any] = {"$set": {f"copies.{key}": copy.model_dump()}}
    if copy.event_id is not None:
        update["$addToSet"] = {"eventKeys": event_key(key, copy.event_id)}
    return update


class CopyBook:
    """Finds copies for the pulling side, and has them looked at."""

    def __init__(self, collection: Collection, *, wake: Callable[[CalendarProvider], None]) -> None:
        """``wake`` is called when there is work for a provider's workers."""
        self._collection = collection
        self._wake = wake

    async def of_events(self, key: str, event_ids: Sequence[str]) -> dict[str, KnownCopy]:
        names = {event_key(key, event_id): event_id for event_id in event_ids}
        documents = await self._collection.find({"eventKeys": {"$in": list(names)}})
        return {
            names[name]: _known(to_link(document), key, names[name])
            for document in documents
            for name in document["eventKeys"]
            if name in names
        }

    async def of_window(self, key: str, window: Window) -> AsyncIterator[list[KnownCopy]]:
        copy, after = f"copies.{key}", ""
        within = {
            "eventKeys": {"$regex": f"^{key}:"},
            "wanted.status": MeetingStatus.ACTIVE.value,
            f"{copy}.removed": False,
            f"{copy}.returned.when.startsAt": {"$lt": window.ends},
            f"{copy}.returned.when.endsAt": {"$gt": max(window.begins, utc_now())},
        }
        while documents := await self._collection.find(
            within | {"_id": {"$gt": after}}, sort={"_id": ASCENDING}, limit=_PAGE
        ):
            links = [to_link(document) for document in documents]
            yield [_known(link, key, link.copies[key].event_id or "") for link in links]
            after = links[-1].meeting_uuid

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}})
        return {document["_id"] for document in documents if _is_unsettled(document, key)}

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}}, projection=["_id"])
        return {document["_id"] for document in documents}

    async def look(self, looks: Sequence[Look]) -> None:
        providers = await self._providers(looks)
        now = utc_now()
        writes = [
            UpdateOne(
                {"_id": one.meeting_uuid},
                {
                    "$set": {f"look.{one.key}": {"token": uuid7_hex(), "doubted": one.doubted}},
                    **due(WORK[providers[one.meeting_uuid]], now),
                },
            )
            for one in looks
            if one.meeting_uuid in providers
        ]
        if writes:
            await self._collection.bulk_write(writes)
        for provider in set(providers.values()):
            self._wake(provider)

    async def _providers(self, looks: Sequence[Look]) -> dict[str, CalendarProvider]:
        """The providers of the copies that are to be looked at, by meeting; looks at what is no copy fall out."""
        keys = {one.meeting_uuid: one.key for one in looks}
        fields = [f"copies.{key}.provider" for key in set(keys.values())]
        documents = await self._collection.find({"_id": {"$in": list(keys)}}, projection=["_id", *fields])
        return {
            document["_id"]: CalendarProvider(copy["provider"])
            for document in documents
            if (copy := document.get("copies", {}).get(keys[document["_id"]])) is not None
        }


def _known(link: Link, key: str, event_id: str) -> KnownCopy:
    copy = link.copies[key]
    current = copy.event_id == event_id and not copy.removed
    return KnownCopy(
        meeting_uuid=link.meeting_uuid,
        event_id=event_id,
        echo=copy.echo if current else None,
        expected=current and link.is_ahead(utc_now()),
        when=copy.returned.when if copy.returned is not None else None,
        written_at=copy.attempted_at,
    )


def _is_unsettled(document: Document, key: str) -> bool:
    """Whether an event may be there of which the writing side does not know yet that it is the copy."""
    copy = to_link(document).copies.get(key)
    if copy is None:  # its worker finds it, if there is work
        return any({"dueAt", "lease"} & set(document.get(work, {})) for work in WORK.values())
    return copy.event_id is None and bool(copy.asking)


def event_key(account: str, event_id: str) -> str:
    """Names an event of an account, to find the link that it is a copy of."""
    return f"{account}:{event_id}"
