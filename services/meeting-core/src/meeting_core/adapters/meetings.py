"""The collection of meetings: a document holds a meeting's state, version, processed commands, outbox and last hash."""

from collections.abc import Sequence

from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from contracts.messages.command import Command
from pymongo import InsertOne, ReplaceOne

from meeting_core.adapters.availability import BUSY_INDEX, duration_bucket
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.search import CALENDAR_INDEXES
from meeting_core.application.message_handler import MeetingMessage
from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.domain.derived import busy_user_ids, duration_minutes, is_on_external_calendar
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import ATTENDEES_OF_HIDDEN_LIST

INDEXES = [OUTBOX_INDEX, *CALENDAR_INDEXES, BUSY_INDEX]
"""The shard key of a sharded cluster is {tenantUuid: 1, _id: 1}: every query but a guest's answer names the tenant."""

PENDING_HISTORY = "history"
"""The field of an outbox entry that holds the entry of the meeting's history for the same version."""

_STATE = {"outbox": 0, "processedCommands": 0, "externalSources": 0}  # what only the command side needs


class MongoMeetingRepository:
    """Reads and writes meetings for the command side."""

    def __init__(self, collection: Collection, outbox: Outbox, archive: CommandArchive) -> None:
        self._collection = collection
        self._outbox = outbox
        self._archive = archive

    async def load(self, messages: Sequence[MeetingMessage]) -> dict[str, UnitOfWork]:
        units = {message.meeting_uuid: UnitOfWork() for message in messages}
        for document in await self._collection.find({"_id": {"$in": list(units)}}):
            units[document["_id"]] = UnitOfWork(
                meeting=to_meeting(document),
                stored_version=document["version"],
                stored_outbox=document["outbox"],
                last_hash=document["historyHash"],
            )
        command_ids: dict[str, list[str]] = {}
        for message in messages:
            if isinstance(message, Command):
                command_ids.setdefault(message.meeting_uuid, []).append(message.command_id)
        await self._archive.recall(
            (meeting.processed_commands, ids)
            for meeting_uuid, ids in command_ids.items()
            if (meeting := units[meeting_uuid].meeting) is not None
        )
        return units

    async def save(self, units: list[UnitOfWork]) -> None:
        touched = [(uow.meeting, uow) for uow in units if uow.meeting is not None and uow.is_dirty]
        if not touched:
            return
        await self._archive.save(meeting.processed_commands for meeting, _ in touched)
        documents = [self._document(meeting, uow) for meeting, uow in touched]
        writes = [_write(document, uow) for document, (_, uow) in zip(documents, touched, strict=True)]
        result = await self._collection.bulk_write(writes)
        if result.inserted_count + result.matched_count != len(writes):
            raise ConflictError
        for document, (_, uow) in zip(documents, touched, strict=True):
            uow.stored_outbox = document["outbox"]

    async def publish(self, units: list[UnitOfWork]) -> None:
        await self._outbox.flush(
            [
                {"_id": uow.meeting.meeting_uuid, "version": uow.meeting.version, "outbox": uow.stored_outbox}
                for uow in units
                if uow.meeting is not None
            ]
        )

    def _document(self, meeting: Meeting, uow: UnitOfWork) -> Document:
        """The meeting, and the events that are still to be published, each new one with its entry of the history."""
        pending = self._outbox.contents(*uow.new_records, leftover=uow.stored_outbox)
        new = pending["outbox"][len(uow.stored_outbox) :]
        for record, entry in zip(new, uow.new_entries, strict=True):
            record[PENDING_HISTORY] = entry.model_dump()
        return to_document(meeting) | pending | {"historyHash": uow.last_hash}


def _write(document: Document, uow: UnitOfWork) -> InsertOne[Document] | ReplaceOne[Document]:
    if uow.stored_version is None:
        return InsertOne(document)
    return ReplaceOne({"_id": document["_id"], "version": uow.stored_version}, document)


def to_meeting(document: Document) -> Meeting:
    """The aggregate that a document holds."""
    return Meeting.model_validate(document)


def to_document(meeting: Meeting) -> Document:
    """The aggregate's state, and what queries look at and the aggregate can always compute."""
    schedule = meeting.content.schedule
    return {
        "_id": meeting.meeting_uuid,
        **meeting.model_dump(),
        "startsAt": schedule.starts_at,
        "endsAt": schedule.ends_at,
        "busy": busy_user_ids(meeting),
        "durationBucket": duration_bucket(schedule.duration),
        "durationMinutes": duration_minutes(meeting),
        # Filters and sort orders must not tell guests what they do not see.
        "attendeeCount": ATTENDEES_OF_HIDDEN_LIST if meeting.guests_hidden else len(meeting.participants),
        "participantCount": len(meeting.participants),
        "showExternalCalendarIcon": is_on_external_calendar(meeting),
    }


class MongoMeetingReader:
    """Reads meetings for the query side, from the primary: reads follow writes."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def find(self, tenant: str, meeting_uuid: str) -> Meeting | None:
        document = await self._collection.find_one({"_id": meeting_uuid, "tenantUuid": tenant}, projection=_STATE)
        return None if document is None else to_meeting(document)

    async def find_anywhere(self, meeting_uuid: str) -> Meeting | None:
        document = await self._collection.find_one({"_id": meeting_uuid}, projection=_STATE)
        return None if document is None else to_meeting(document)
