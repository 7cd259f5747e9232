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
from calendar_sync.outbound.repository import JOBS, event_key, to_mirrored_meeting
from calendar_sync.providers.external_event import Window

_PAGE = 200


class MirroredEventLookup:
    """Finds mirrored events by their provider's ids or their time, and requests rechecks of them."""

    def __init__(self, collection: Collection, *, wake: Callable[[CalendarProvider], None]) -> None:
        """``wake`` is called when there is work for a provider's workers."""
        self._collection = collection
        self._wake = wake

    async def of_events(self, key: str, event_ids: Sequence[str]) -> dict[str, MirroredEventRef]:
        names = {event_key(key, event_id): event_id for event_id in event_ids}
        documents = await self._collection.find({"eventKeys": {"$in": list(names)}})
        return {
            names[name]: _to_ref(to_mirrored_meeting(document), key, names[name])
            for document in documents
            for name in document["eventKeys"]
            if name in names
        }

    async def of_window(self, key: str, window: Window) -> AsyncIterator[list[MirroredEventRef]]:
        event, after = f"events.{key}", ""
        within = {
            "eventKeys": {"$regex": f"^{key}:"},
            "desired.status": MeetingStatus.ACTIVE.value,
            f"{event}.deleted": False,
            f"{event}.base.when.startsAt": {"$lt": window.ends},
            f"{event}.base.when.endsAt": {"$gt": max(window.begins, utc_now())},
        }
        while documents := await self._collection.find(
            within | {"_id": {"$gt": after}}, sort={"_id": ASCENDING}, limit=_PAGE
        ):
            mirrors = [to_mirrored_meeting(document) for document in documents]
            yield [_to_ref(mirror, key, mirror.events[key].event_id or "") for mirror in mirrors]
            after = mirrors[-1].meeting_uuid

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}})
        return {document["_id"] for document in documents if _is_unsettled(document, key)}

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        documents = await self._collection.find({"_id": {"$in": list(meeting_uuids)}}, projection=["_id"])
        return {document["_id"] for document in documents}

    async def request_rechecks(self, requests: Sequence[RecheckRequest]) -> None:
        providers = await self._providers(requests)
        now = utc_now()
        writes = [
            UpdateOne(
                {"_id": request.meeting_uuid},
                {
                    "$set": {
                        f"rechecks.{request.key}": {
                            "recheckId": uuid7_hex(),
                            "isMassDeletion": request.is_mass_deletion,
                        }
                    },
                    **schedule(JOBS[providers[request.meeting_uuid]], now),
                },
            )
            for request in requests
            if request.meeting_uuid in providers
        ]
        if writes:
            await self._collection.bulk_write(writes)
        for provider in set(providers.values()):
            self._wake(provider)

    async def _providers(self, requests: Sequence[RecheckRequest]) -> dict[str, CalendarProvider]:
        """The providers of the events to recheck, by meeting; a request without a mirrored event is left out."""
        keys = {request.meeting_uuid: request.key for request in requests}
        fields = [f"events.{key}.provider" for key in set(keys.values())]
        documents = await self._collection.find({"_id": {"$in": list(keys)}}, projection=["_id", *fields])
        return {
            document["_id"]: CalendarProvider(event["provider"])
            for document in documents
            if (event := document.get("events", {}).get(keys[document["_id"]])) is not None
        }


def _to_ref(mirror: MirroredMeeting, key: str, event_id: str) -> MirroredEventRef:
    event = mirror.events[key]
    current = event.event_id == event_id and not event.deleted
    return MirroredEventRef(
        meeting_uuid=mirror.meeting_uuid,
        event_id=event_id,
        base_fingerprint=event.base_fingerprint if current else None,
        expected=current and mirror.is_upcoming(utc_now()),
        when=event.base.when if event.base is not None else None,
        written_at=event.attempted_at,
    )


def _is_unsettled(document: Document, key: str) -> bool:
    """Whether an event may exist that the outbound worker has created and not recorded yet."""
    event = to_mirrored_meeting(document).events.get(key)
    if event is None:  # its worker finds it, if there is work
        return any({"dueAt", "lease"} & set(document.get(job, {})) for job in JOBS.values())
    return event.event_id is None and bool(event.unconfirmed_writes)
