"""Finds mirrored events for the inbound sync, and requests rechecks of them."""

from collections.abc import AsyncIterator, Callable, Sequence

from chassis.jobs.queue import schedule
from chassis.mongo.database import Collection, Document
from contracts.values.enums import CalendarProvider, MeetingStatus
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pymongo import ASCENDING, UpdateOne

from calendar_sync.inbound.ports import MirroredEventRef, RecheckRequest
from calendar_sync.outbound.model import MirroredMeeting
from calendar_sync.outbound.repository import WORK, event_key, to_mirrored_meeting
from calendar_sync.providers.external_event import Window

_PAGE = 200


class MirroredEventLookup:
    """Finds copies for the pulling side, and has them looked at."""

    def __init__(self, collection: Collection, *, wake: Callable[[CalendarProvider], None]) -> None:
        """``wake`` is called when there is work for a provider's workers."""
        self._collection = collection
        self._wake = wake

    async def of_events(self, key: str, event_ids: Sequence[str]) -> dict[str, MirroredEventRef]:
        names = {event_key(key, event_id): event_id for event_id in event_ids}
        documents = await self._collection.find({"eventKeys": {"$in": list(names)}})
        return {
            names[name]: _known(to_mirrored_meeting(document), key, names[name])
            for document in documents
            for name in document["eventKeys"]
            if name in names
        }

    async def of_window(self, key: str, window: Window) -> AsyncIterator[list[MirroredEventRef]]:
        copy, after = f"events.{key}", ""
        within = {
            "eventKeys": {"$regex": f"^{key}:"},
            "desired.status": MeetingStatus.ACTIVE.value,
            f"{copy}.removed": False,
            f"{copy}.base.when.startsAt": {"$lt": window.ends},
            f"{copy}.base.when.endsAt": {"$gt": max(window.begins, utc_now())},
        }
        while documents := await self._collection.find(
            within | {"_id": {"$gt": after}}, sort={"_id": ASCENDING}, limit=_PAGE
        ):
            links = [to_mirrored_meeting(document) for document in documents]
            yield [_known(link, key, link.events[key].event_id or "") for link in links]
            after = links[-1].meeting_uuid

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}})
        return {document["_id"] for document in documents if _is_unsettled(document, key)}

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}}, projection=["_id"])
        return {document["_id"] for document in documents}

    async def look(self, looks: Sequence[RecheckRequest]) -> None:
        providers = await self._providers(looks)
        now = utc_now()
        writes = [
            UpdateOne(
                {"_id": one.meeting_uuid},
                {
                    "$set": {f"rechecks.{one.key}": {"token": uuid7_hex(), "doubted": one.doubted}},
                    **schedule(WORK[providers[one.meeting_uuid]], now),
                },
            )
            for one in looks
            if one.meeting_uuid in providers
        ]
        if writes:
            await self._collection.bulk_write(writes)
        for provider in set(providers.values()):
            self._wake(provider)

    async def _providers(self, looks: Sequence[RecheckRequest]) -> dict[str, CalendarProvider]:
        """The providers of the copies that are to be looked at, by meeting; looks at what is no copy fall out."""
        keys = {one.meeting_uuid: one.key for one in looks}
        fields = [f"events.{key}.provider" for key in set(keys.values())]
        documents = await self._collection.find({"_id": {"$in": list(keys)}}, projection=["_id", *fields])
        return {
            document["_id"]: CalendarProvider(copy["provider"])
            for document in documents
            if (copy := document.get("events", {}).get(keys[document["_id"]])) is not None
        }


def _known(link: MirroredMeeting, key: str, event_id: str) -> MirroredEventRef:
    copy = link.events[key]
    current = copy.event_id == event_id and not copy.removed
    return MirroredEventRef(
        meeting_uuid=link.meeting_uuid,
        event_id=event_id,
        base_fingerprint=copy.base_fingerprint if current else None,
        expected=current and link.is_ahead(utc_now()),
        when=copy.base.when if copy.base is not None else None,
        written_at=copy.attempted_at,
    )


def _is_unsettled(document: Document, key: str) -> bool:
    """Whether an event may be there of which the writing side does not know yet that it is the copy."""
    copy = to_mirrored_meeting(document).events.get(key)
    if copy is None:  # its worker finds it, if there is work
        return any({"dueAt", "lease"} & set(document.get(work, {})) for work in WORK.values())
    return copy.event_id is None and bool(copy.unconfirmed_writes)
