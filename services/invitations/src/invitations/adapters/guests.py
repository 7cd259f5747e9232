"""The collection of guests: one document per guest holds what they ought to know, what they were told, the mail that is
due, and what is still to be said about it.

Two sides write a document, and each its own fields: the listening side what the guest ought to know, guarded by the
sequence it has read, the delivering side what they were told, guarded by its lease.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from chassis.jobs.queue import LeasedJob, Result, due, job_indexes
from chassis.kafka.records import encode, envelope_for
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox, outbox_entry
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import SpanKind, span
from contracts.messages.invitation_events import DeliveryEvent, MailDelivered, MailFailed
from contracts.transport.envelope import Message
from contracts.transport.topics import INVITATIONS
from contracts.values.times import utc_now
from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel, InsertOne, UpdateOne

from invitations.application.delivering import Delivered, NotNow, Outcome
from invitations.application.listening import Heard
from invitations.domain.guest import Failure, Guest

log = structlog.get_logger()

MAILS = Counter("mails", "Mails to guests by what they are about and how an attempt ended", ["kind", "outcome"])
WORK = "delivery"
LANE = "domain"
ORDER = "startAt"
HELD_BACK = "heldBack"
"""Whether the mail that is due waits because its mailbox has had too many."""
INDEXES = [
    OUTBOX_INDEX,
    *job_indexes(WORK, lane=LANE, order=ORDER),
    IndexModel([(HELD_BACK, ASCENDING)], name="held back", partialFilterExpression={HELD_BACK: True}),
]
"""The shard key of a sharded cluster is {_id: 1}, the participantUuid: every write names it."""

_OUGHT = {
    "sequence",
    "meeting",
    "person",
    "removed",
    "changed_in",
    "asked_in",
    "asked_at",
    "asked_for",
    "asked_in_trace",
}
_ADDRESS = re.compile(r"\S+@\S+")
"""Mail servers like to repeat it, and logs hold no personal data."""


class GuestBook:
    """Reads and writes guests for the listening side."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def load(self, participant_uuids: set[str]) -> dict[str, Guest]:
        documents = await self._collection.find({"_id": {"$in": list(participant_uuids)}})
        return {document["_id"]: to_guest(document) for document in documents}

    async def save(self, heard: list[Heard]) -> None:
        if not heard:
            return
        result = await self._collection.bulk_write([_write(one) for one in heard])
        if result.inserted_count + result.matched_count != len(heard):
            raise ConflictError


def to_guest(document: Document) -> Guest:
    """The guest that a document holds."""
    return Guest.model_validate(document)


def _write(heard: Heard) -> InsertOne[Document] | UpdateOne:
    guest = heard.guest
    asked = {} if heard.mail_at is None else due(WORK, heard.mail_at)
    place = {LANE: _domain(guest.address)} | ({} if heard.start_at is None else {ORDER: heard.start_at})
    if heard.stored_sequence is None:
        work = {} if heard.mail_at is None else {WORK: {"dueAt": heard.mail_at}}
        new = {"_id": guest.participant_uuid, "version": 1, "outbox": []}
        return InsertOne(guest.model_dump() | place | work | new)
    ought = guest.model_dump(include=_OUGHT) | place
    return UpdateOne(
        {"_id": guest.participant_uuid, "sequence": heard.stored_sequence},
        {"$set": ought, **asked},
    )


def _domain(address: str | None) -> str:
    return (address or "").rpartition("@")[2].casefold()


class DeliveryDesk:
    """Between leases and the delivering side: guests out of documents, outcomes and their events into them."""

    def __init__(self, attempt: Callable[..., Awaitable[Outcome]], outbox: Outbox) -> None:
        """``attempt`` is ``Delivering.attempt``."""
        self._attempt = attempt
        self._outbox = outbox

    async def work(self, lease: LeasedJob) -> Result:
        """One attempt at the mail that a leased document is about."""
        guest = to_guest(lease.document)
        uncertain = guest.uncertain or lease.abandoned
        context = Context(guest.asked_for, tenant=guest.tenant_uuid, traceparent=guest.asked_in_trace)
        with use_context(context), span("deliver mail", SpanKind.CLIENT, attempt=lease.attempt):
            outcome = await self._attempt(guest.model_copy(update={"uncertain": uncertain}), number=lease.attempt)
            match outcome:
                case Delivered(told):
                    MAILS.labels(told.kind, "delivered").inc()
                    event: DeliveryEvent = MailDelivered(
                        meeting_uuid=guest.meeting_uuid,
                        participant_uuid=guest.participant_uuid,
                        kind=told.kind,
                        sequence=told.sequence,
                        at=told.at,
                    )
                    return Result(self._said(event, {"told": told.model_dump(), "failure": None, "uncertain": False}))
                case Failure():
                    MAILS.labels(outcome.kind, "failed").inc()
                    log.warning("a guest cannot be mailed", participant=guest.participant_uuid, code=outcome.code)
                    event = MailFailed(
                        meeting_uuid=guest.meeting_uuid,
                        participant_uuid=guest.participant_uuid,
                        kind=outcome.kind,
                        sequence=outcome.sequence,
                        at=outcome.at,
                        failure_code=outcome.code,
                        failure_reason=_ADDRESS.sub("…", outcome.reason),
                    )
                    return Result(self._said(event, {"failure": outcome.model_dump(), "uncertain": uncertain}))
                case NotNow():
                    MAILS.labels(outcome.kind, "held-back" if outcome.held_back else "deferred").inc()
                    log.info(
                        "a mail is put off",
                        participant=guest.participant_uuid,
                        reason=outcome.reason,
                        seconds=round(outcome.again_in),
                        attempt=lease.attempt,
                    )
                    doubt = {"uncertain": uncertain or outcome.uncertain, HELD_BACK: outcome.held_back}
                    return Result({"$set": doubt}, again_in=outcome.again_in)
                case None:
                    return Result({"$set": {HELD_BACK: False}})

    async def told(self, documents: Sequence[Document]) -> None:
        """Publish what these documents have to say."""
        await self._outbox.flush(documents)

    def _said(self, event: DeliveryEvent, fields: dict[str, Any]) -> dict[str, dict[str, Any]]:
        envelope = envelope_for(event, source=INVITATIONS, subject=event.meeting_uuid)
        entry = outbox_entry(encode(Message(envelope, event), event.meeting_uuid))
        return {
            "$set": fields | {HELD_BACK: False, "outboxDueAt": self._outbox.due_at(utc_now())},
            "$push": {"outbox": entry},
            "$inc": {"version": 1},
        }
