"""What guests reply, written into their documents together with the event that tells of it."""

from typing import Any

from chassis.kafka.records import event_record
from chassis.mongo.database import Collection
from chassis.mongo.outbox import Outbox
from chassis.mongo.updates import merge_updates
from chassis.telemetry.context import Context, current_context, use_context
from contracts.messages.invitation_events import GuestProposedNewTime, GuestReplied, MailFailed
from contracts.transport.topics import INVITATIONS
from pymongo import ASCENDING, IndexModel, ReturnDocument

from invitations.adapters.guests import to_guest
from invitations.domain.guest import Failure, Guest

INDEXES = [IndexModel([("meetingUuid", ASCENDING)], name="guests of a meeting")]
_MAX_GUESTS = 500


class ReplyRepository:
    """Reads guests, and records what they reply. A write is acknowledged by a majority before anything else is."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def find(self, participant_uuid: str) -> Guest | None:
        document = await self._collection.find_one({"_id": participant_uuid})
        return None if document is None else to_guest(document)

    async def find_by_meeting(self, meeting_uuid: str) -> list[Guest]:
        return list(map(to_guest, await self._collection.find({"meetingUuid": meeting_uuid}, limit=_MAX_GUESTS)))

    async def record_reply(self, guest: Guest, reply: GuestReplied | GuestProposedNewTime) -> bool:
        return await self._record(
            guest, {"lastReplyId": {"$ne": reply.reply_id}}, {"lastReplyId": reply.reply_id}, reply
        )

    async def record_bounce(self, guest: Guest, failure: Failure) -> bool:
        event = MailFailed(
            meeting_uuid=guest.meeting_uuid,
            participant_uuid=guest.participant_uuid,
            kind=failure.kind,
            sequence=failure.sequence,
            at=failure.at,
            failure_code=failure.code,
            failure_reason=failure.reason,
        )
        is_news = {"lastMail.sequence": failure.sequence, "failure": None}
        return await self._record(guest, is_news, {"failure": failure.model_dump()}, event)

    async def _record(self, guest: Guest, condition: dict[str, Any], fields: dict[str, Any], event: Any) -> bool:
        with use_context(Context(current_context().correlation_id, tenant=guest.tenant_uuid)):
            record = event_record(event, source=INVITATIONS, subject=guest.meeting_uuid)
        document = await self._collection.find_one_and_update(
            {"_id": guest.participant_uuid} | condition,
            merge_updates({"$set": fields}, self._outbox.append(record)),
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            return False
        await self._outbox.flush_or_defer([document])
        return True
