"""Meetings' histories as meeting-core stores them, read and checked without it.

The names of collections and fields belong to meeting-core; that they are still these, the tests of this package check.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from chassis.mongo.database import Collection, Document
from contracts.history import HistoryCheck, HistoryEntry, entry_id
from pydantic import ValidationError

_PAGE = 200
_FIELDS = ["tenantUuid", "version", "historyHash", "outbox.history"]


@dataclass(frozen=True, slots=True)
class RecordedMeeting:
    """What a meeting's document says of its history: version and hash of the last entry, and entries on their way."""

    meeting_uuid: str
    tenant_uuid: str
    version: int
    last_hash: str
    pending: dict[int, Document]


class Histories:
    """The histories in one database."""

    def __init__(self, meetings: Collection, entries: Collection) -> None:
        self._meetings = meetings
        self._entries = entries

    async def find(self, meeting_uuid: str) -> RecordedMeeting | None:
        document = await self._meetings.find_one({"_id": meeting_uuid}, projection=_FIELDS)
        return None if document is None else _recorded(document)

    async def meetings(self, tenant: str | None) -> AsyncIterator[RecordedMeeting]:
        """All meetings, or those of one tenant, by their ids."""
        last, of_tenant = "", {} if tenant is None else {"tenantUuid": tenant}
        while page := await self._meetings.find(
            {"_id": {"$gt": last}} | of_tenant, projection=_FIELDS, sort={"_id": 1}, limit=_PAGE
        ):
            for document in page:
                yield _recorded(document)
            last = page[-1]["_id"]

    async def entries(self, meeting: RecordedMeeting) -> AsyncIterator[Document]:
        """The entries up to the meeting's version, in order, as they are stored."""
        for first in range(1, meeting.version + 1, _PAGE):
            last = min(first + _PAGE - 1, meeting.version)
            ids = {"$gte": entry_id(meeting.meeting_uuid, first), "$lte": entry_id(meeting.meeting_uuid, last)}
            stored = {document["_id"]: document for document in await self._entries.find({"_id": ids})}
            for version in range(first, last + 1):
                entry = stored.get(entry_id(meeting.meeting_uuid, version), meeting.pending.get(version))
                if entry is not None:
                    yield entry

    async def problems(self, meeting: RecordedMeeting) -> list[str]:
        """What is missing in the meeting's history, or was changed; empty when all of it is as it was written."""
        check = HistoryCheck()
        found = [problem async for entry in self.entries(meeting) for problem in _problems(check, meeting, entry)]
        return [*found, *check.problems_at_end(meeting.version, meeting.last_hash)]


def _problems(check: HistoryCheck, meeting: RecordedMeeting, document: Document) -> Iterator[str]:
    try:
        entry = HistoryEntry.model_validate(document)
    except ValidationError:
        yield f"{document.get('_id', 'an entry')} cannot be read"
        return
    key = document.get("_id", entry_id(meeting.meeting_uuid, entry.version))
    if key != entry_id(entry.meeting_uuid, entry.version) or entry.tenant_uuid != meeting.tenant_uuid:
        yield f"{key} is the entry of another meeting or version"
    yield from check.problems_of(entry)


def _recorded(document: dict[str, Any]) -> RecordedMeeting:
    pending = [entry["history"] for entry in document.get("outbox", ())]
    return RecordedMeeting(
        meeting_uuid=document["_id"],
        tenant_uuid=document["tenantUuid"],
        version=document["version"],
        last_hash=document["historyHash"],
        pending={entry["version"]: entry for entry in pending},
    )
