"""Writing meetings into their hosts' calendars: closing the gap between what is wanted and what was last written.

Every write can be repeated. An id that always comes out the same (Google) or a transaction id with a marker to look for
(Graph) make creates so, If-Match does it for changes, and what is asked for is saved before it is asked for, so that a
worker that finds the work of a vanished one knows what to look for.

Whoever writes a copy also looks at it when its host may have changed it, and takes that over: see ``domain.link``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import CalendarProvider, ExternalSyncStatus, SyncFailureCode, SyncOperation
from contracts.values.ids import uuid8_hex
from contracts.values.times import utc_now

from calendar_sync.application.calling import Answer, Calls, retry_in
from calendar_sync.application.ports import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.domain.description import block_of
from calendar_sync.domain.event import EventContent, copy_of
from calendar_sync.domain.failures import (
    CONFLICT,
    MANY_REMOVED,
    NO_CALENDAR,
    CallFailedError,
    Failure,
    MissingError,
    StaleError,
    TakenError,
    unavailable,
)
from calendar_sync.domain.link import Copy, Link, Told
from calendar_sync.domain.taking_over import take_over, take_over_removal

log = structlog.get_logger()

_MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Marker:
    """What says that an event is our copy of a meeting. It proves nothing to anybody: its owner can write it, too."""

    meeting_uuid: str
    deployment: str
    account: str
    number: int

    @property
    def event_id(self) -> str:
        """The same for the same copy, another for another: 32 hex digits, which Google takes for an event id."""
        return uuid8_hex("calendar event", self.deployment, self.account, self.meeting_uuid, str(self.number)).lower()


@dataclass(frozen=True, slots=True)
class Held:
    """An event as it was last seen: its id, and the entity tag of that state."""

    event_id: str
    etag: str


@dataclass(frozen=True, slots=True)
class Remote:
    """An event as the provider showed it. ``canceled``: only a tombstone of it is left."""

    held: Held
    content: EventContent
    ours: bool
    canceled: bool = False
    calendar_id: str | None = None
    """The calendar that its owner has moved it to; None for the calendar that was asked."""


@dataclass(frozen=True, slots=True)
class Access:
    """The right to use one calendar, for one call."""

    token: str = field(repr=False)
    calendar_id: str


class Calendar(Protocol):
    """One provider's calendars. Every method may raise CallFailedError and UnauthorizedError."""

    async def create(self, access: Access, marker: Marker, content: EventContent) -> Remote:
        """Make the event. Raises TakenError when its id is used up, MissingError when the calendar is not there."""

    async def find(self, access: Access, marker: Marker) -> list[Remote]:
        """The events that bear this marker, oldest first; tombstones too, where the provider shows them."""

    async def read(self, access: Access, event_id: str) -> Remote:
        """The event, or its tombstone. Raises MissingError, which proves nothing: a 404 may pass."""

    async def locate(self, access: Access, marker: Marker, event_id: str) -> Remote | None:
        """Look for an event that ``read`` did not show in the other ways that there are, other calendars included.

        None: it is in no calendar that the grant shows. Raises MissingError when the calendar cannot be asked.
        """

    async def change(self, access: Access, held: Held, content: EventContent, fields: frozenset[str]) -> Remote:
        """Write these fields of the event, if it is still as it was. Raises StaleError, MissingError."""

    async def remove(self, access: Access, held: Held) -> None:
        """Delete the event, if it is still as it was. Raises StaleError, MissingError."""


class Intentions(Protocol):
    """Where a worker writes down what it is about to do, while its lease holds."""

    async def save(self, key: str, copy: Copy) -> bool:
        """Keep the copy under its account's ``key``. False: the lease ran out, and another worker may be at it."""


class GoneError(Exception):
    """The event was removed: the provider has said so twice."""


class LeaseLostError(Exception):
    """Another worker may be at this work: whatever is done now could cross what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one attempt at one link."""

    told: Told | None = None
    """What is to be told, if that is news."""
    key: str | None = None
    copy: Copy | None = None
    """The copy as it is now, to be kept under ``key``."""
    change: MirroredEventChanged | MirroredEventDeleted | None = None
    """What its host did to it, to be told."""
    again_in: float | None = None
    pause_account: bool = False
    elsewhere: CalendarProvider | None = None
    """The host's calendar is at this provider now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failed writes are tried again: pauses in seconds, doubling; told as FAILED after so many attempts."""

    first: float = 1
    most: float = 300
    attempts: int = 8
    doubt: timedelta = timedelta(seconds=60)
    """How long after a create that nobody answered the event may still appear."""
    answer: timedelta = timedelta(seconds=15)
    """How long a host's change stays although the meeting has not taken it over yet."""


class Writing:
    """Closes gaps in the calendars of one provider."""

    def __init__(
        self,
        provider: CalendarProvider,
        calendar: Calendar,
        accounts: Accounts,
        calls: Calls,
        *,
        deployment: str,
        patience: Patience,
    ) -> None:
        """``deployment`` tells this platform's events from those of others that write to the same calendars."""
        self.provider = provider
        self._calendar = calendar
        self._accounts = accounts
        self._calls = calls
        self._deployment = deployment
        self._patience = patience

    async def attempt(self, link: Link, *, number: int, intentions: Intentions) -> Attempt:
        """One attempt at one link; ``number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: nothing more was done.
        """
        account = await self._accounts.connected(link.tenant_uuid, link.host_uuid)
        if account is None:
            return Attempt(told=link.tell(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        if account.provider is not self.provider:
            return Attempt(elsewhere=account.provider)
        key = account.key
        copy = link.copies.get(key) or Copy(provider=account.provider, calendar_email=account.calendar_email)
        copy.remember_block(block_of(link.wanted))
        work = _Work(link, account, key, copy, copy_of(link.wanted), number)
        markers = _Markers(link.meeting_uuid, self._deployment, key)
        gap = _Gap(self._calls, self._calendar, account, copy, markers, intentions)
        operation = work.operation
        try:
            return await self._look(work, gap) or await self._close(work, gap)
        except GrantRevokedError:
            return await self._let_go(work)
        except ProviderUnavailableError as error:
            return self._failed(work, operation, unavailable(str(error), error.retry_after))
        except CallFailedError as error:
            await self._tell_owner(account, error.failure, number)
            return self._failed(work, operation, error.failure)

    async def _look(self, work: "_Work", gap: "_Gap") -> Attempt | None:
        """If somebody saw that its host may have changed the copy: what they did, if that is to be told by itself.

        The next attempt, at once, writes what else is to be written.
        """
        copy, look = work.copy, work.link.look.get(work.key)
        if look is None or look.token == copy.looked:
            return None
        if copy.event_id is None:  # whatever is found when it is made anew is known to the platform from then on
            copy.looked = look.token
            return None
        was_there = not copy.removed
        try:
            theirs = await gap.read()
        except GoneError:
            copy.looked = look.token
            return self._missing(work, doubted=look.doubted, news=was_there)
        copy.looked = look.token
        now = utc_now()
        change = take_over(work.link, copy, theirs, now, now + self._patience.answer)
        return Attempt(key=work.key, copy=copy, change=change, again_in=0) if change else None

    def _missing(self, work: "_Work", *, doubted: bool, news: bool) -> Attempt | None:
        """The event is not there; ``news``: by its host's doing, as far as is known."""
        now = utc_now()
        if work.wanted is None or not news:
            return None
        if doubted:
            work.copy.gone()
            told = work.link.tell(ExternalSyncStatus.FAILED, now, operation=work.last_operation, failure=MANY_REMOVED)
            return Attempt(key=work.key, copy=work.copy, told=told)
        removal = take_over_removal(work.link, work.copy, now, now + self._patience.answer)
        return Attempt(key=work.key, copy=work.copy, change=removal, again_in=self._patience.answer.total_seconds())

    async def _close(self, work: "_Work", gap: "_Gap") -> Attempt:
        link, operation = work.link, work.operation
        if work.wanted is not None:
            if work.copy.removed and not link.is_ahead(utc_now()):  # its host tidied up
                told = link.tell(ExternalSyncStatus.SYNCED, utc_now(), operation=work.last_operation)
                return Attempt(key=work.key, copy=work.copy, told=told)
            if work.waits and work.copy.removed:
                return Attempt(again_in=work.waits)
            await gap.put(work.wanted)
            told = link.tell(ExternalSyncStatus.SYNCED, utc_now(), operation=operation or work.last_operation)
            return Attempt(key=work.key, copy=work.copy, told=told, again_in=work.waits)
        doubt = await gap.remove(self._patience.doubt)
        if doubt > 0:
            return Attempt(key=work.key, copy=work.copy, again_in=doubt)
        if operation is None and link.wanted.external_sync_status is ExternalSyncStatus.NOT_APPLICABLE:
            return Attempt(told=link.tell(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        told = link.tell(ExternalSyncStatus.SYNCED, utc_now(), operation=SyncOperation.DELETE)
        return Attempt(key=work.key, copy=work.copy, told=told)

    async def _let_go(self, work: "_Work") -> Attempt:
        """The connection ended while we were at it; what was found out is kept for when it comes back."""
        link = work.link
        if await self._accounts.connected(link.tenant_uuid, link.host_uuid) is not None:  # connected anew meanwhile
            return Attempt(key=work.key, copy=work.copy, again_in=0)
        told = link.tell(ExternalSyncStatus.NOT_APPLICABLE, utc_now())
        return Attempt(key=work.key, copy=work.copy, told=told)

    async def _tell_owner(self, account: Account, failure: Failure, number: int) -> None:
        """What stands in the way of every write is the connection's trouble, too; a 404 may pass."""
        lost = failure.code is SyncFailureCode.CALENDAR_NOT_FOUND and number >= self._patience.attempts
        if lost or failure.code is SyncFailureCode.PERMISSION_DENIED:
            await self._accounts.trouble(account, failure.code, failure.reason)

    def _failed(self, work: "_Work", operation: SyncOperation | None, failure: Failure) -> Attempt:
        """What can pass is tried again for ever, and after a while told; what cannot is told and left."""
        log.info("a copy could not be written", code=failure.code.value, reason=failure.reason, attempt=work.number)
        failed = not failure.passing or work.number >= self._patience.attempts
        told = work.link.tell(
            ExternalSyncStatus.FAILED if failed else ExternalSyncStatus.PENDING,
            utc_now(),
            operation=operation or work.last_operation,
            failure=failure if failed else None,
        )
        if not failure.passing:
            return Attempt(key=work.key, copy=work.copy, told=told)
        patience = self._patience
        return Attempt(
            key=work.key,
            copy=work.copy,
            told=told,
            again_in=retry_in(failure, work.number, first=patience.first, most=patience.most),
            pause_account=failure.retry_after is not None,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """One attempt at one link's copy in one account."""

    link: Link
    account: Account
    key: str
    copy: Copy
    wanted: EventContent | None
    number: int

    @property
    def operation(self) -> SyncOperation | None:
        """What the host will read of it; None: nothing has to be done."""
        wanted, copy = self.wanted, self.copy
        there = copy.event_id is not None and not copy.removed
        if wanted is None:
            return SyncOperation.DELETE if there or copy.asking or copy.removed else None
        if not there:
            return SyncOperation.CREATE
        done = not copy.asking and copy.asked is not None and not copy.ours_in(wanted, None, utc_now())
        return None if done else SyncOperation.UPDATE

    @property
    def waits(self) -> float | None:
        """For so many seconds, at most, an answer to what the host did is waited for; None when it is not."""
        left = self.copy.waits(self.wanted, utc_now()).total_seconds() if self.wanted else 0
        return left if left > 0 else None

    @property
    def last_operation(self) -> SyncOperation | None:
        return self.link.told.operation if self.link.told else None


@dataclass(frozen=True, slots=True)
class _Markers:
    """The markers of a meeting's copies in one account."""

    meeting_uuid: str
    deployment: str
    account: str

    def of(self, copy: Copy) -> Marker:
        return Marker(self.meeting_uuid, self.deployment, self.account, copy.number)


@dataclass(slots=True)
class _Gap:
    """One copy in hand: what is learned on the way is noted in ``copy``, also when an error ends it."""

    calls: Calls
    calendar: Calendar
    account: Account
    copy: Copy
    markers: _Markers
    intentions: Intentions
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
            except (GoneError, TakenError):
                # Its owner deleted it, or the id was used up: only another id can be made.
                copy.anew()
            except StaleError:
                continue  # it is read again in the next round
        raise CallFailedError(CONFLICT)

    async def _restored(self) -> None:
        """Take the removed event, if its owner has restored it meanwhile. Raises GoneError."""
        if self.copy.event_id is None:
            raise GoneError
        await self.read()

    async def _put_once(self, wanted: EventContent) -> bool:
        """One round; False when another one is needed. Raises GoneError, TakenError, StaleError."""
        copy = self.copy
        if self.theirs is None and (copy.asking or (copy.event_id is not None and copy.etag is None)):
            await self._look()
        if copy.event_id is None:
            await self._intend(wanted, frozenset(EventContent.model_fields))
            await self._create(wanted)
            return not copy.asking
        fields = copy.ours_in(wanted, self.theirs, utc_now())
        if fields:
            await self._intend(wanted, fields)
            await self._change(wanted, fields)
        copy.settled(wanted, self.theirs, utc_now())
        return True

    async def read(self) -> EventContent:
        """The event as it is now. Raises GoneError, and as ``put`` does."""
        event_id = self.copy.event_id or ""
        try:
            return self._seen(await self._call(lambda access: self.calendar.read(access, event_id)))
        except (MissingError, GoneError):
            return await self._locate(event_id)

    async def _locate(self, event_id: str) -> EventContent:
        """The event, which seems to be gone. Raises GoneError when it is, CallFailedError when that is not sure."""
        marker, known = self.markers.of(self.copy), self.copy.calendar_id
        try:
            found = await self._call(lambda access: self.calendar.locate(access, marker, event_id))
        except MissingError:
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
        except MissingError:
            raise CallFailedError(unavailable("404 for the calendar")) from None
        if not found:
            return None
        first, *others = found
        for other in others:  # two creates that crossed; the older one stays
            await self._remove(other.held)
        if not first.ours:
            raise GoneError
        return self._seen(first)

    def _seen(self, remote: Remote) -> EventContent:
        """Raises GoneError for a tombstone."""
        if remote.canceled:
            raise GoneError
        self.copy.is_at(remote.held.event_id, remote.held.etag, remote.calendar_id)
        self.theirs = remote.content
        return remote.content

    async def _create(self, wanted: EventContent) -> None:
        marker = self.markers.of(self.copy)
        try:
            made = await self._call(lambda access: self.calendar.create(access, marker, wanted))
        except MissingError:
            raise CallFailedError(NO_CALENDAR) from None
        except TakenError:
            # By an earlier attempt of ours, most likely: then the next round finds it.
            if await self._look() is None:
                raise
            return
        self.copy.says(self._seen(made))
        if not made.content.differs_from(wanted):
            self.copy.settled(wanted, self.theirs, utc_now())

    async def _change(self, wanted: EventContent, fields: frozenset[str]) -> None:
        copy = self.copy
        held = Held(copy.event_id or "", copy.etag or "")
        try:
            changed = await self._call(lambda access: self.calendar.change(access, held, wanted, fields))
        except StaleError:
            copy.etag = self.theirs = None
            raise
        except MissingError:
            await self._locate(held.event_id)
            raise StaleError from None  # it was moved, and is written there in the next round
        copy.says(self._seen(changed), fields)

    async def _intend(self, wanted: EventContent, fields: frozenset[str]) -> None:
        """Save what is about to be asked for. Raises LeaseLostError."""
        self.copy.asks(wanted, fields, utc_now())
        if not await self.intentions.save(self.markers.account, self.copy):
            raise LeaseLostError

    # --- removing it --------------------------------------------------------------------------------------------

    async def remove(self, doubt: timedelta) -> float:
        """Remove the event. Not zero: one may still appear, so it is to be looked for again after so many seconds.

        Raises as ``put`` does.
        """
        copy = self.copy
        if copy.removed or (copy.event_id is None and not copy.asking):
            return 0
        for _ in range(_MOST_ROUNDS):
            try:
                if copy.event_id is None or copy.etag is None:
                    await self._look()
                if copy.event_id is None or copy.etag is None:
                    return self._doubt(doubt)
                await self._remove(Held(copy.event_id, copy.etag))
            except GoneError:
                pass
            except StaleError:
                copy.etag = None
                continue
            copy.gone()
            return 0
        raise CallFailedError(CONFLICT)

    def _doubt(self, doubt: timedelta) -> float:
        """Nothing was found of a create that nobody answered: in a while it is sure that nothing will be."""
        since = self.copy.attempted_at or datetime.min.replace(tzinfo=utc_now().tzinfo)
        left = (since + doubt - utc_now()).total_seconds()
        if left <= 0:
            self.copy.gone()
        return max(0.0, left)

    async def _remove(self, held: Held) -> None:
        try:
            await self._call(lambda access: self.calendar.remove(access, held))
        except MissingError:
            await self._locate(held.event_id)
            raise StaleError from None

    async def _call(self, call: Callable[[Access], Awaitable[Answer]]) -> Answer:
        calendar_id = self.copy.calendar_id or self.account.calendar_id
        return await self.calls.make(self.account, lambda token: call(Access(token, calendar_id)))
