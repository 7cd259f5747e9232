"""The collection of guests: one document per guest holds what they should know, the last mail, the pending mail and an
outbox.

Two writers share a document, each with its own fields: the projector what the guest should know, guarded by the
sequence it has read; the delivery worker the last mail, guarded by its lease.
"""

import re
from collections.abc import Awaitable, Callable, Sequence

import structlog
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import JobResult, LeasedJob, schedule
from chassis.kafka.records import event_record
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from chassis.mongo.updates import Update, merge_updates
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import SpanKind, span
from contracts.messages.invitation_events import DeliveryEvent, MailDelivered, MailFailed
from contracts.transport.topics import INVITATIONS
from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel, InsertOne, UpdateOne

from invitations.application.delivery import Delivered, Outcome
from invitations.application.guest_projector import GuestUpdate
from invitations.application.mail_sender import Deferred
from invitations.domain.guest import Failure, Guest

log = structlog.get_logger()

MAILS = Counter("mails", "Mails to guests by what they are about and how an attempt ended", ["kind", "outcome"])
WORK = "delivery"
CONCURRENCY_KEY = "domain"
ORDER = "startAt"
HELD_BACK = "heldBack"
"""Whether the mail that is due waits because its mailbox has had too many."""
INDEXES = [
    OUTBOX_INDEX,
    *job_indexes(WORK, concurrency_key=CONCURRENCY_KEY, order=ORDER),
    IndexModel([(HELD_BACK, ASCENDING)], name="held back", partialFilterExpression={HELD_BACK: True}),
]
"""The shard key of a sharded cluster is {_id: 1}, the participantUuid: every write names it."""

_PROJECTED_FIELDS = {
    "sequence",
    "meeting",
    "person",
    "removed",
    "changed_in_version",
    "requested_in_version",
    "requested_at",
    "correlation_id",
    "traceparent",
}
_ADDRESS = re.compile(r"\S+@\S+")
"""Mail servers repeat it in their answers, and logs hold no personal data."""


class GuestRepository:
    """Reads and writes guests for the projector."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def load(self, participant_uuids: set[str]) -> dict[str, Guest]:
        documents = await self._collection.find({"_id": {"$in": list(participant_uuids)}})
        return {document["_id"]: to_guest(document) for document in documents}

    async def save(self, updates: list[GuestUpdate]) -> None:
        if not updates:
            return
        result = await self._collection.bulk_write([_write(update) for update in updates])
        if result.inserted_count + result.matched_count != len(updates):
            raise ConflictError


def to_guest(document: Document) -> Guest:
    """The guest that a document holds."""
    return Guest.model_validate(document)


def _write(update: GuestUpdate) -> InsertOne[Document] | UpdateOne:
    guest = update.guest
    asked = {} if update.mail_at is None else schedule(WORK, update.mail_at)
    place = {CONCURRENCY_KEY: _domain(guest.address)} | ({} if update.start_at is None else {ORDER: update.start_at})
    if update.stored_sequence is None:
        work = {} if update.mail_at is None else {WORK: {"dueAt": update.mail_at}}
        new = {"_id": guest.participant_uuid, "version": 1, "outbox": []}
        return InsertOne(guest.model_dump() | place | work | new)
    projected = guest.model_dump(include=_PROJECTED_FIELDS) | place
    return UpdateOne(
        {"_id": guest.participant_uuid, "sequence": update.stored_sequence},
        {"$set": projected, **asked},
    )


def _domain(address: str | None) -> str:
    return (address or "").rpartition("@")[2].casefold()


class DeliveryWorker:
    """Runs delivery jobs: reads the guest from the leased document, and writes the outcome and its event into it."""

    def __init__(self, deliver: Callable[..., Awaitable[Outcome]], outbox: Outbox) -> None:
        """``deliver`` is ``MailDelivery.deliver``."""
        self._deliver = deliver
        self._outbox = outbox

    async def deliver(self, lease: LeasedJob) -> JobResult:
        """One attempt at the mail that a leased document is about."""
        guest = to_guest(lease.document)
        may_have_been_sent = guest.may_have_been_sent or lease.interrupted
        context = Context(guest.correlation_id, tenant=guest.tenant_uuid, traceparent=guest.traceparent)
        with use_context(context), span("deliver mail", SpanKind.CLIENT, attempt=lease.attempt):
            known = guest.model_copy(update={"may_have_been_sent": may_have_been_sent})
            outcome = await self._deliver(known, number=lease.attempt)
            match outcome:
                case Delivered(mail):
                    MAILS.labels(mail.kind, "delivered").inc()
                    event: DeliveryEvent = MailDelivered(
                        meeting_uuid=guest.meeting_uuid,
                        participant_uuid=guest.participant_uuid,
                        kind=mail.kind,
                        sequence=mail.sequence,
                        at=mail.at,
                    )
                    fields = {"lastMail": mail.model_dump(), "failure": None, "mayHaveBeenSent": False}
                    return JobResult(self._update_with(event, fields))
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
                    fields = {"failure": outcome.model_dump(), "mayHaveBeenSent": may_have_been_sent}
                    return JobResult(self._update_with(event, fields))
                case Deferred():
                    MAILS.labels(guest.pending_mail(), "held-back" if outcome.held_back else "deferred").inc()
                    log.info(
                        "a mail is deferred",
                        participant=guest.participant_uuid,
                        reason=outcome.reason,
                        seconds=round(outcome.retry_in),
                        attempt=lease.attempt,
                    )
                    uncertain = may_have_been_sent or outcome.may_have_been_sent
                    state = {"mayHaveBeenSent": uncertain, HELD_BACK: outcome.held_back}
                    return JobResult({"$set": state}, retry_in=outcome.retry_in)
                case None:
                    return JobResult({"$set": {HELD_BACK: False}})

    async def publish(self, documents: Sequence[Document]) -> None:
        """Publish the events in the outboxes of these documents."""
        await self._outbox.flush(documents)

    def _update_with(self, event: DeliveryEvent, fields: Document) -> Update:
        record = event_record(event, source=INVITATIONS, subject=event.meeting_uuid)
        return merge_updates({"$set": fields | {HELD_BACK: False}}, self._outbox.append(record))
