"""The collection ``meeting_history``: an entry for each version of a meeting. Entries are added, never changed.

An entry is born in the outbox of its meeting's document, with the event of the same version: one write, which cannot be
torn. It moves here before the outbox is cleared. Until then readers take it from the outbox.

``_id`` is the meetingUuid and the version; the shard key of a sharded cluster is {tenantUuid: 1, _id: 1}.
"""

from collections.abc import Sequence
from contextlib import suppress

from chassis.mongo.database import Collection, ConflictError, Document
from contracts.history import HistoryEntry, entry_id
from pymongo import UpdateOne

from meeting_core.adapters.meetings import PENDING_HISTORY, to_meeting
from meeting_core.application.history import RecordedMeeting


class MongoHistory:
    """Adds entries, and reads them for the query side."""

    def __init__(self, history: Collection, meetings: Collection) -> None:
        self._history = history
        self._meetings = meetings

    async def append(self, documents: Sequence[Document]) -> None:
        """Add the entries in these meetings' outboxes; those that are here already stay as they are."""
        entries = [entry for document in documents for entry in _pending(document)]
        if not entries:
            return
        with suppress(ConflictError):  # a relay was faster with some: they are the same
            await self._history.bulk_write(
                [
                    UpdateOne(
                        {"_id": entry_id(entry["meetingUuid"], entry["version"]), "tenantUuid": entry["tenantUuid"]},
                        {"$setOnInsert": entry},
                        upsert=True,
                    )
                    for entry in entries
                ]
            )

    async def find(self, tenant: str, meeting_uuid: str) -> RecordedMeeting | None:
        """The meeting, with the entries that have not moved here yet."""
        document = await self._meetings.find_one(
            {"_id": meeting_uuid, "tenantUuid": tenant}, projection={"processedCommands": 0, "externalSources": 0}
        )
        if document is None:
            return None
        return RecordedMeeting(
            to_meeting(document), [HistoryEntry.model_validate(entry) for entry in _pending(document)]
        )

    async def read(self, recorded: RecordedMeeting, first: int, last: int) -> list[HistoryEntry]:
        """The entries of these versions, both included, in order."""
        meeting = recorded.meeting
        found = await self._history.find(
            {
                "_id": {"$gte": entry_id(meeting.meeting_uuid, first), "$lte": entry_id(meeting.meeting_uuid, last)},
                "tenantUuid": meeting.tenant_uuid,
            }
        )
        entries = {entry.version: entry for entry in recorded.pending if first <= entry.version <= last}
        entries |= {entry.version: entry for entry in map(HistoryEntry.model_validate, found)}
        return [entries[version] for version in sorted(entries)]


def _pending(document: Document) -> list[Document]:
    return [entry[PENDING_HISTORY] for entry in document["outbox"]]
