"""The collection of notices to hosts: each document has a notice and the job that mails it."""

from collections.abc import Awaitable, Callable

import structlog
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import JobResult, LeasedJob, schedule
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import SpanKind, span
from prometheus_client import Counter
from pymongo import InsertOne, UpdateOne

from invitations.application.host_notices import NoticeUpdate
from invitations.application.mail_sender import Deferred, Mail, Refused
from invitations.domain.host_notice import GuestNotice, HostNotice, MeetingNotice, NoticeTopic

log = structlog.get_logger()

HOST_MAILS = Counter("host_mails", "Mails to hosts by topic and how an attempt ended", ["topic", "outcome"])
HOST_WORK = "hostMail"
HOST_CONCURRENCY_KEY = "domain"
INDEXES = job_indexes(HOST_WORK, concurrency_key=HOST_CONCURRENCY_KEY)
"""The shard key of a sharded cluster is {_id: 1}: every write names it."""
_WRITTEN_BY_WORKER = {"settled_sequence", "mailed_answer", "mailed"}


class HostNoticeRepository:
    """Reads and writes notices for their projector."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def load(self, notice_ids: set[str]) -> dict[str, HostNotice]:
        documents = await self._collection.find({"_id": {"$in": list(notice_ids)}})
        return {document["_id"]: to_notice(document) for document in documents}

    async def save(self, updates: list[NoticeUpdate]) -> None:
        if not updates:
            return
        result = await self._collection.bulk_write([_write(update) for update in updates])
        if result.inserted_count + result.matched_count != len(updates):
            raise ConflictError


def to_notice(document: Document) -> HostNotice:
    """The notice that a document holds."""
    kind = MeetingNotice if document["topic"] == NoticeTopic.MEETING else GuestNotice
    return kind.model_validate(document)


def _write(update: NoticeUpdate) -> InsertOne[Document] | UpdateOne:
    notice = update.notice
    domain = (notice.meeting.host_email or "").rpartition("@")[2].casefold()
    fields = notice.model_dump(exclude=_WRITTEN_BY_WORKER) | {HOST_CONCURRENCY_KEY: domain}
    if update.stored_sequence is None:
        return InsertOne({"_id": notice.notice_id, **fields, HOST_WORK: {"dueAt": update.mail_at}})
    return UpdateOne(
        {"_id": notice.notice_id, "sequence": update.stored_sequence},
        {"$set": fields, **schedule(HOST_WORK, update.mail_at)},
    )


class HostMailWorker:
    """Runs the jobs: reads the notice from the leased document, and writes into it what the host was mailed."""

    def __init__(self, deliver: Callable[..., Awaitable[Mail | Refused | Deferred | None]]) -> None:
        """``deliver`` is ``HostMailDelivery.deliver``."""
        self._deliver = deliver

    async def deliver(self, lease: LeasedJob) -> JobResult:
        """One attempt at the mail that a leased document is about."""
        notice = to_notice(lease.document)
        context = Context(notice.correlation_id, tenant=notice.tenant_uuid, traceparent=notice.traceparent)
        with use_context(context), span("deliver host mail", SpanKind.CLIENT, attempt=lease.attempt):
            outcome = await self._deliver(notice, number=lease.attempt)
        settled = {"$set": {"settledSequence": notice.sequence}}
        match outcome:
            case Mail():
                HOST_MAILS.labels(notice.topic, "delivered").inc()
                return JobResult({"$set": settled["$set"] | notice.mailed_fields()})
            case Refused(code):
                HOST_MAILS.labels(notice.topic, "failed").inc()
                log.warning("a host cannot be mailed", meeting=notice.meeting_uuid, code=code)
                return JobResult(settled)
            case Deferred(retry_in, reason=reason, held_back=held_back):
                HOST_MAILS.labels(notice.topic, "held-back" if held_back else "deferred").inc()
                log.info("a host mail is deferred", meeting=notice.meeting_uuid, reason=reason, seconds=round(retry_in))
                return JobResult(retry_in=retry_in)
            case None:
                return JobResult()
