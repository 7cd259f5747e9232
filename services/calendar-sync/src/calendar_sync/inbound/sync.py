"""One inbound sync of a calendar: read the changes page by page, apply them, then store the sync token.

The sync token is stored last: an interrupted sync reads the same changes again, and publishes no event twice.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from contracts.messages.calendar_events import (
    CalendarOwner,
)
from contracts.values.enums import CalendarProvider, SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.inbound.imported_event import CalendarContext
from calendar_sync.inbound.model import Counts, InboundSyncState, SyncPhase, SyncToken
from calendar_sync.inbound.ports import ImportedEvents, MirroredEvents
from calendar_sync.inbound.sync_run import SyncRun, as_list
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.authorized_calls import AuthorizedCalls, retry_in
from calendar_sync.providers.errors import (
    NO_CALENDAR,
    AlreadyExistsError,
    CallFailedError,
    Failure,
    NotFoundError,
    PreconditionFailedError,
    unavailable,
)
from calendar_sync.providers.external_event import (
    ChangesPage,
    SyncTokenExpiredError,
    Window,
)
from calendar_sync.providers.ports import CalendarAccess, EventChangesSource

log = structlog.get_logger()


_MOST_PAGES = 2_000


_FAILING = (CallFailedError, NotFoundError, PreconditionFailedError, AlreadyExistsError, SyncTokenExpiredError)
"""How a call may fail, beside what is wrong with the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """How often and how far calendars are read; seconds, days and counts."""

    rest: float = 0.5
    """At least so much is between the beginnings of two pulls."""
    interval: float = 300
    """The catch-up poll; a quarter more or less, so that not all come at once."""
    retry_initial: float = 1
    retry_max: float = 60
    report_after: int = 8
    """Failed attempts after which the connection says what stands in the way."""
    days_back: int = 30
    days_ahead: int = 180
    brake: int = 10
    """More copies that are found deleted within ten minutes are not believed to be deleted on purpose."""

    def window(self, now: datetime) -> Window:
        return Window(now - timedelta(days=self.days_back), now + timedelta(days=self.days_ahead))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A round that was read to its end: everything is written, and the feed may go on from ``cursor``."""

    cursor: SyncToken
    counts: Counts
    deletions: Sequence[datetime]
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Nothing, or not everything, was read: again in so many seconds, and not before."""

    seconds: float
    because: SyncFailureCode | None = None


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """There is nothing to read here until the user connects again."""


class InboundSync:
    """Reads the calendars of connected users."""

    def __init__(
        self,
        changes: Mapping[CalendarProvider, EventChangesSource],
        *,
        copies: MirroredEvents,
        sightings: ImportedEvents,
        accounts: Accounts,
        calls: AuthorizedCalls,
        pace: SyncPolicy,
    ) -> None:
        self._changes = changes
        self._copies = copies
        self._sightings = sightings
        self._accounts = accounts
        self._calls = calls
        self._pace = pace

    async def attempt(self, feed: InboundSyncState, *, number: int) -> Synced | Deferred | ConnectionEnded:
        """One attempt at reading what is new; ``number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: another worker is at this feed.
        """
        now = utc_now()
        if feed.state is SyncPhase.CLOSED:
            await self._forget(feed, now)
            return ConnectionEnded()
        account = await self._accounts.connected(feed.tenant_uuid, feed.user_id)
        if account is None or account.generation != feed.generation:
            return ConnectionEnded()  # an event that tells of the change is on its way
        if feed.not_before is not None and feed.not_before > now:
            return Deferred(seconds=(feed.not_before - now).total_seconds())
        try:
            pulled = await self._pull(feed, account, now)
            await self._accounts.synced(account, now, Window(pulled.cursor.begins, pulled.cursor.ends))
        except GrantRevokedError:
            return ConnectionEnded()
        except (*_FAILING, ProviderUnavailableError) as error:
            return await self._failed(account, _failure(error), number)
        return pulled

    async def _failed(self, account: Account, failure: Failure, number: int) -> Deferred:
        """What may pass is tried again soon, and told when it does not; what will not is told and tried rarely."""
        log.info("a calendar could not be read", code=failure.code.value, reason=failure.reason, attempt=number)
        if not failure.passing or number >= self._pace.report_after:
            await self._accounts.unreadable(account, failure.code, failure.reason)
        pause = retry_in(failure, number, first=self._pace.retry_initial, most=self._pace.retry_max)
        seconds = pause if failure.passing else self._pace.interval
        return Deferred(seconds=seconds, because=failure.code)

    async def _forget(self, feed: InboundSyncState, now: datetime) -> None:
        """The user ended the connection: what was seen by it is not known any more."""
        async for page in self._sightings.held(feed.connection_id):
            await self._sightings.save([(one, as_list(one.vanish(now))) for one in page])

    async def _pull(self, feed: InboundSyncState, account: Account, now: datetime) -> Synced:
        """Go on from the feed's cursor, if it serves; else read everything."""
        window = self._pace.window(now)
        round_ = SyncRun(self._copies, self._sightings, _viewpoint(feed, account), window, now)
        if feed.cursor is not None and feed.cursor.serves(feed.generation, window):
            round_.window = Window(feed.cursor.begins, feed.cursor.ends)
            try:
                return await self._carry_out(round_, feed, account, cursor=feed.cursor.token)
            except SyncTokenExpiredError:
                log.info("a cursor does not serve any more, so everything is read again")
                round_ = round_.anew(window)
        return await self._carry_out(round_, feed, account, cursor=None)

    async def _carry_out(
        self, round_: "SyncRun", feed: InboundSyncState, account: Account, *, cursor: str | None
    ) -> Synced:
        """Read all pages, write what they bring, and only then say where the next round begins."""
        window, now = round_.window, round_.now
        async for page in self._pages(account, window, cursor=cursor):
            await round_.take_in(page)
        await round_.note_declined(lambda event_id: self._has(account, event_id))
        if cursor is None:
            await round_.reconcile()
        elif await round_.has_missing_instances():
            raise SyncTokenExpiredError
        deletions = await round_.look(feed.recent_deletions(now), brake=self._pace.brake)
        reached = SyncToken(token=round_.reached, begins=window.begins, ends=window.ends, generation=feed.generation)
        return Synced(cursor=reached, counts=round_.counts, deletions=deletions, began=now)

    async def _has(self, account: Account, event_id: str) -> bool:
        changes = self._changes[account.provider]
        return await self._calls.execute(
            account, lambda token: changes.has(CalendarAccess(token, account.calendar_id), event_id)
        )

    async def _pages(self, account: Account, window: Window, *, cursor: str | None) -> AsyncIterator[ChangesPage]:
        """All pages of a round; the last one has a cursor."""
        changes, page = self._changes[account.provider], None
        for _ in range(_MOST_PAGES):
            asked = page

            async def call(token: str, asked: str | None = asked) -> ChangesPage:
                access = CalendarAccess(token, account.calendar_id)
                return await changes.page(access, cursor=cursor, page=asked, window=window)

            answer = await self._calls.execute(account, call)
            yield answer
            if answer.cursor is not None:
                return
            if answer.next_page is None:
                break
            page = answer.next_page
        raise CallFailedError(unavailable("its list of changes has no end"))


def _failure(error: Exception) -> Failure:
    match error:
        case CallFailedError():
            return error.failure
        case ProviderUnavailableError():
            return unavailable(str(error), error.retry_after)
        case NotFoundError():
            return NO_CALENDAR
        case _:
            return unavailable("it lost what it gave us just now")


def _viewpoint(feed: InboundSyncState, account: Account) -> CalendarContext:
    owner = CalendarOwner(
        user_id=account.user_id, user_type=account.owner_type, name=account.owner_name, email=account.calendar_email
    )
    return CalendarContext(account.connection_id, account.tenant_uuid, owner, account.provider, feed.account)
