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
    unavailable,
)
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.ports import CalendarAccess, CalendarWriter, EventRef, Marker, RemoteEvent

_MOST_ROUNDS = 6


class GoneError(Exception):
    """The event was removed: the provider has said so twice."""


@dataclass(frozen=True, slots=True)
class Markers:
    """The markers of a meeting's copies in one account."""

    meeting_uuid: str
    deployment: str
    account: str

    def of(self, copy: MirroredEvent) -> Marker:
        return Marker(self.meeting_uuid, self.deployment, self.account, copy.number)


@dataclass(slots=True)
class EventWriter:
    """One copy in hand: what is learned on the way is noted in ``copy``, also when an error ends it."""

    calls: AuthorizedCalls
    calendar: CalendarWriter
    account: Account
    copy: MirroredEvent
    markers: Markers
    intentions: WriteIntentLog
    theirs: EventContent | None = None
    """The event, if it was read in this attempt and not written since."""

    # --- making the event say what is wanted --------------------------------------------------------------------

    async def put(self, wanted: EventContent) -> None:
        """Raises CallFailedError, GrantRevokedError, ProviderUnavailableError, LeaseLostError."""
        copy = self.copy
        for _ in range(_MOST_ROUNDS):
            try:
                if copy.removed:
                    await self._restored()
                if await self._put_once(wanted):
                    return
            except (GoneError, AlreadyExistsError):
                # Its owner deleted it, or the id was used up: only another id can be made.
                copy.start_new_incarnation()
            except PreconditionFailedError:
                continue  # it is read again in the next round
        raise CallFailedError(CONFLICT)

    async def _restored(self) -> None:
        """Take the removed event, if its owner has restored it meanwhile. Raises GoneError."""
        if self.copy.event_id is None:
            raise GoneError
        await self.read()

    async def _put_once(self, wanted: EventContent) -> bool:
        """One round; False if another is needed. Raises GoneError, AlreadyExistsError, PreconditionFailedError."""
        copy = self.copy
        if self.theirs is None and (copy.unconfirmed_writes or (copy.event_id is not None and copy.etag is None)):
            await self._look()
        if copy.event_id is None:
            await self._intend(wanted, frozenset(EventContent.model_fields))
            await self._create(wanted)
            return not copy.unconfirmed_writes
        fields = copy.fields_to_write(wanted, self.theirs, utc_now())
        if fields:
            await self._intend(wanted, fields)
            await self._change(wanted, fields)
        copy.record_synced(wanted, self.theirs, utc_now())
        return True

    async def read(self) -> EventContent:
        """The event as it is now. Raises GoneError, and as ``put`` does."""
        event_id = self.copy.event_id or ""
        try:
            return self._seen(await self._call(lambda access: self.calendar.read(access, event_id)))
        except (NotFoundError, GoneError):
            return await self._locate(event_id)

    async def _locate(self, event_id: str) -> EventContent:
        """The event, which seems to be gone. Raises GoneError when it is, CallFailedError when that is not sure."""
        marker, known = self.markers.of(self.copy), self.copy.calendar_id
        try:
            found = await self._call(lambda access: self.calendar.locate(access, marker, event_id))
        except NotFoundError:
            raise CallFailedError(unavailable("404 for the calendar")) from None
        if found is None:
            raise GoneError
        content = self._seen(found)
        if (self.copy.event_id, self.copy.calendar_id) == (event_id, known):
            raise CallFailedError(unavailable("404 for an event that is there"))
        return content

    async def _look(self) -> EventContent | None:
        """The event as it is now; None when there is none yet. Raises GoneError when there will be none."""
        copy = self.copy
        if copy.event_id is not None:
            return await self.read()
        marker = self.markers.of(copy)
        try:
            found = await self._call(lambda access: self.calendar.find(access, marker))
        except NotFoundError:
            raise CallFailedError(unavailable("404 for the calendar")) from None
        if not found:
            return None
        first, *others = found
        for other in others:  # two creates that crossed; the older one stays
            await self._remove(other.held)
        if not first.ours:
            raise GoneError
        return self._seen(first)

    def _seen(self, remote: RemoteEvent) -> EventContent:
        """Raises GoneError for a tombstone."""
        if remote.canceled:
            raise GoneError
        self.copy.record_location(remote.held.event_id, remote.held.etag, remote.calendar_id)
        self.theirs = remote.content
        return remote.content

    async def _create(self, wanted: EventContent) -> None:
        marker = self.markers.of(self.copy)
        try:
            made = await self._call(lambda access: self.calendar.create(access, marker, wanted))
        except NotFoundError:
            raise CallFailedError(NO_CALENDAR) from None
        except AlreadyExistsError:
            # By an earlier attempt of ours, most likely: then the next round finds it.
            if await self._look() is None:
                raise
            return
        self.copy.record_known_content(self._seen(made))
        if not made.content.differs_from(wanted):
            self.copy.record_synced(wanted, self.theirs, utc_now())

    async def _change(self, wanted: EventContent, fields: frozenset[str]) -> None:
        copy = self.copy
        held = EventRef(copy.event_id or "", copy.etag or "")
        try:
            changed = await self._call(lambda access: self.calendar.change(access, held, wanted, fields))
        except PreconditionFailedError:
            copy.etag = self.theirs = None
            raise
        except NotFoundError:
            await self._locate(held.event_id)
            raise PreconditionFailedError from None  # it was moved, and is written there in the next round
        copy.record_known_content(self._seen(changed), fields)

    async def _intend(self, wanted: EventContent, fields: frozenset[str]) -> None:
        """Save what is about to be asked for. Raises LeaseLostError."""
        self.copy.record_intent(wanted, fields, utc_now())
        if not await self.intentions.save(self.markers.account, self.copy):
            raise LeaseLostError

    # --- removing it --------------------------------------------------------------------------------------------

    async def remove(self, doubt: timedelta) -> float:
        """Remove the event. Not zero: one may still appear, so it is to be looked for again after so many seconds.

        Raises as ``put`` does.
        """
        copy = self.copy
        if copy.removed or (copy.event_id is None and not copy.unconfirmed_writes):
            return 0
        for _ in range(_MOST_ROUNDS):
            try:
                if copy.event_id is None or copy.etag is None:
                    await self._look()
                if copy.event_id is None or copy.etag is None:
                    return self._doubt(doubt)
                await self._remove(EventRef(copy.event_id, copy.etag))
            except GoneError:
                pass
            except PreconditionFailedError:
                copy.etag = None
                continue
            copy.mark_deleted()
            return 0
        raise CallFailedError(CONFLICT)

    def _doubt(self, doubt: timedelta) -> float:
        """Nothing was found of a create that nobody answered: in a while it is sure that nothing will be."""
        since = self.copy.attempted_at or datetime.min.replace(tzinfo=utc_now().tzinfo)
        left = (since + doubt - utc_now()).total_seconds()
        if left <= 0:
            self.copy.mark_deleted()
        return max(0.0, left)

    async def _remove(self, held: EventRef) -> None:
        try:
            await self._call(lambda access: self.calendar.remove(access, held))
        except NotFoundError:
            await self._locate(held.event_id)
            raise PreconditionFailedError from None

    async def _call(self, call: Callable[[CalendarAccess], Awaitable[Answer]]) -> Answer:
        calendar_id = self.copy.calendar_id or self.account.calendar_id
        return await self.calls.execute(self.account, lambda token: call(CalendarAccess(token, calendar_id)))
