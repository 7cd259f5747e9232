"""Creates, changes and deletes one mirrored event so that every write can be repeated.

Google takes our own event id, Graph a transaction id and a marker property; changes carry If-Match. Each write is
recorded before it is sent, so that another worker knows what to look for after a crash.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.jobs.queue import LeaseLostError
from contracts.values.times import utc_now

from calendar_sync.outbound.model import MirroredEvent
from calendar_sync.outbound.ports import WriteIntentLog
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.authorized_calls import Answer, AuthorizedCalls
from calendar_sync.providers.errors import (
    CONFLICT,
    NO_CALENDAR,
    AlreadyExistsError,
    CallFailedError,
    NotFoundError,
    PreconditionFailedError,
    unavailable_failure,
)
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.ports import CalendarAccess, CalendarWriter, EventRef, Marker, RemoteEvent

_MAX_ROUNDS = 6


class GoneError(Exception):
    """The event was removed: the provider has said so twice."""


@dataclass(frozen=True, slots=True)
class Markers:
    """The markers of a meeting's mirrored events in one account."""

    meeting_uuid: str
    deployment: str
    account: str

    def marker_for(self, event: MirroredEvent) -> Marker:
        return Marker(self.meeting_uuid, self.deployment, self.account, event.incarnation)


@dataclass(slots=True)
class EventWriter:
    """Writes one mirrored event, and records in ``event`` what it learns, also when an error ends the attempt."""

    calls: AuthorizedCalls
    calendar: CalendarWriter
    account: Account
    event: MirroredEvent
    markers: Markers
    intent_log: WriteIntentLog
    observed: EventContent | None = None
    """The event, if it was read in this attempt and not written since."""

    # --- making the event say what is wanted --------------------------------------------------------------------

    async def upsert(self, desired: EventContent) -> None:
        """Raises CallFailedError, GrantRevokedError, ProviderUnavailableError, LeaseLostError."""
        event = self.event
        for _ in range(_MAX_ROUNDS):
            try:
                if event.deleted:
                    await self._adopt_restored()
                if await self._try_upsert(desired):
                    return
            except (GoneError, AlreadyExistsError):
                # Its owner deleted it, or the id was used up: only another id can be made.
                event.start_new_incarnation()
            except PreconditionFailedError:
                continue  # it is read again in the next round
        raise CallFailedError(CONFLICT)

    async def _adopt_restored(self) -> None:
        """Take the removed event, if its owner has restored it meanwhile. Raises GoneError."""
        if self.event.event_id is None:
            raise GoneError
        await self.read()

    async def _try_upsert(self, desired: EventContent) -> bool:
        """One round; False if another is needed. Raises GoneError, AlreadyExistsError, PreconditionFailedError."""
        event = self.event
        if self.observed is None and (event.unconfirmed_writes or (event.event_id is not None and event.etag is None)):
            await self._find()
        if event.event_id is None:
            await self._record_intent(desired, frozenset(EventContent.model_fields))
            await self._create(desired)
            return not event.unconfirmed_writes
        fields = event.fields_to_write(desired, self.observed, utc_now())
        if fields:
            await self._record_intent(desired, fields)
            await self._change(desired, fields)
        event.record_synced(desired, self.observed, utc_now())
        return True

    async def read(self) -> EventContent:
        """The event as it is now. Raises GoneError, and as ``upsert`` does."""
        event_id = self.event.event_id or ""
        try:
            return self._record_seen(await self._call(lambda access: self.calendar.read(access, event_id)))
        except (NotFoundError, GoneError):
            return await self._locate(event_id)

    async def _locate(self, event_id: str) -> EventContent:
        """The event, which seems to be gone. Raises GoneError when it is, CallFailedError when that is not sure."""
        marker, known = self.markers.marker_for(self.event), self.event.calendar_id
        try:
            found = await self._call(lambda access: self.calendar.locate(access, marker, event_id))
        except NotFoundError:
            raise CallFailedError(unavailable_failure("404 for the calendar")) from None
        if found is None:
            raise GoneError
        content = self._record_seen(found)
        if (self.event.event_id, self.event.calendar_id) == (event_id, known):
            raise CallFailedError(unavailable_failure("404 for an event that is there"))
        return content

    async def _find(self) -> EventContent | None:
        """The event as it is now; None when there is none yet. Raises GoneError when there will be none."""
        event = self.event
        if event.event_id is not None:
            return await self.read()
        marker = self.markers.marker_for(event)
        try:
            found = await self._call(lambda access: self.calendar.find(access, marker))
        except NotFoundError:
            raise CallFailedError(unavailable_failure("404 for the calendar")) from None
        if not found:
            return None
        first, *others = found
        for other in others:  # two creates that crossed; the older one stays
            await self._remove(other.ref)
        if not first.ours:
            raise GoneError
        return self._record_seen(first)

    def _record_seen(self, remote: RemoteEvent) -> EventContent:
        """Raises GoneError for a tombstone."""
        if remote.canceled:
            raise GoneError
        self.event.record_location(remote.ref.event_id, remote.ref.etag, remote.calendar_id)
        self.observed = remote.content
        return remote.content

    async def _create(self, desired: EventContent) -> None:
        marker = self.markers.marker_for(self.event)
        try:
            made = await self._call(lambda access: self.calendar.create(access, marker, desired))
        except NotFoundError:
            raise CallFailedError(NO_CALENDAR) from None
        except AlreadyExistsError:
            # By an earlier attempt of ours, most likely: then the next round finds it.
            if await self._find() is None:
                raise
            return
        self.event.record_known_content(self._record_seen(made))
        if not made.content.differs_from(desired):
            self.event.record_synced(desired, self.observed, utc_now())

    async def _change(self, desired: EventContent, fields: frozenset[str]) -> None:
        event = self.event
        ref = EventRef(event.event_id or "", event.etag or "")
        try:
            changed = await self._call(lambda access: self.calendar.change(access, ref, desired, fields))
        except PreconditionFailedError:
            event.etag = self.observed = None
            raise
        except NotFoundError:
            await self._locate(ref.event_id)
            raise PreconditionFailedError from None  # it was moved, and is written there in the next round
        event.record_known_content(self._record_seen(changed), fields)

    async def _record_intent(self, desired: EventContent, fields: frozenset[str]) -> None:
        """Save what is about to be asked for. Raises LeaseLostError."""
        self.event.record_intent(desired, fields, utc_now())
        if not await self.intent_log.save(self.markers.account, self.event):
            raise LeaseLostError

    # --- removing it --------------------------------------------------------------------------------------------

    async def remove(self, unconfirmed_create_timeout: timedelta) -> float:
        """Remove the event. Not zero: one may still appear, so it is to be looked for again after so many seconds.

        Raises as ``upsert`` does.
        """
        event = self.event
        if event.deleted or (event.event_id is None and not event.unconfirmed_writes):
            return 0
        for _ in range(_MAX_ROUNDS):
            try:
                if event.event_id is None or event.etag is None:
                    await self._find()
                if event.event_id is None or event.etag is None:
                    return self._seconds_unconfirmed(unconfirmed_create_timeout)
                await self._remove(EventRef(event.event_id, event.etag))
            except GoneError:
                pass
            except PreconditionFailedError:
                event.etag = None
                continue
            event.mark_deleted()
            return 0
        raise CallFailedError(CONFLICT)

    def _seconds_unconfirmed(self, unconfirmed_create_timeout: timedelta) -> float:
        """Seconds until an unanswered create that cannot be found is known to have failed."""
        since = self.event.attempted_at or datetime.min.replace(tzinfo=utc_now().tzinfo)
        left = (since + unconfirmed_create_timeout - utc_now()).total_seconds()
        if left <= 0:
            self.event.mark_deleted()
        return max(0.0, left)

    async def _remove(self, ref: EventRef) -> None:
        try:
            await self._call(lambda access: self.calendar.remove(access, ref))
        except NotFoundError:
            await self._locate(ref.event_id)
            raise PreconditionFailedError from None

    async def _call(self, call: Callable[[CalendarAccess], Awaitable[Answer]]) -> Answer:
        calendar_id = self.event.calendar_id or self.account.calendar_id
        return await self.calls.execute(self.account, lambda token: call(CalendarAccess(token, calendar_id)))
