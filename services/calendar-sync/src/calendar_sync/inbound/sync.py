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

from calendar_sync.inbound.event_importer import as_list
from calendar_sync.inbound.imported_event import CalendarContext
from calendar_sync.inbound.model import Counts, InboundSyncState, SyncPhase, SyncToken
from calendar_sync.inbound.ports import ImportedEvents, MirroredEvents
from calendar_sync.inbound.sync_run import SyncRun
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.authorized_calls import AuthorizedCalls, retry_delay
from calendar_sync.providers.errors import (
    NO_CALENDAR,
    AlreadyExistsError,
    CallFailedError,
    Failure,
    NotFoundError,
    PreconditionFailedError,
    unavailable_failure,
)
from calendar_sync.providers.external_event import (
    ChangesPage,
    SyncTokenExpiredError,
    Window,
)
from calendar_sync.providers.ports import CalendarAccess, EventChangesSource

log = structlog.get_logger()


_MAX_PAGES = 2_000


_FAILING = (CallFailedError, NotFoundError, PreconditionFailedError, AlreadyExistsError, SyncTokenExpiredError)
"""How a call may fail, beside what is wrong with the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """How often and how far calendars are read; seconds, days and counts."""

    min_interval: float = 0.5
    """At least so much is between the beginnings of two pulls."""
    poll_interval: float = 300
    """The catch-up poll; a quarter more or less, so that not all come at once."""
    retry_initial: float = 1
    retry_max: float = 60
    report_after: int = 8
    """Failed attempts after which the connection shows the error."""
    days_back: int = 30
    days_ahead: int = 180
    max_deletions: int = 10
    """More copies that are found deleted within ten minutes are not believed to be deleted on purpose."""

    def window(self, now: datetime) -> Window:
        return Window(now - timedelta(days=self.days_back), now + timedelta(days=self.days_ahead))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A complete sync: everything is saved, and the next one continues from ``sync_token``."""

    sync_token: SyncToken
    counts: Counts
    recorded_deletions: Sequence[datetime]
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Nothing, or not everything, was read: again in so many seconds, and not before."""

    seconds: float
    failure_code: SyncFailureCode | None = None


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """There is nothing to read here until the user connects again."""


class InboundSync:
    """Reads the calendars of connected users."""

    def __init__(
        self,
        changes: Mapping[CalendarProvider, EventChangesSource],
        *,
        mirrored_events: MirroredEvents,
        imported_events: ImportedEvents,
        accounts: Accounts,
        calls: AuthorizedCalls,
        policy: SyncPolicy,
    ) -> None:
        self._changes = changes
        self._mirrored_events = mirrored_events
        self._imported_events = imported_events
        self._accounts = accounts
        self._calls = calls
        self._policy = policy

    async def run(self, sync_state: InboundSyncState, *, attempt_number: int) -> Synced | Deferred | ConnectionEnded:
        """One attempt at reading what is new; ``number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: another worker syncs this calendar.
        """
        now = utc_now()
        if sync_state.phase is SyncPhase.ENDED:
            await self._forget(sync_state, now)
            return ConnectionEnded()
        account = await self._accounts.connected(sync_state.tenant_uuid, sync_state.user_id)
        if account is None or account.generation != sync_state.generation:
            return ConnectionEnded()  # an event that tells of the change is on its way
        if sync_state.not_before is not None and sync_state.not_before > now:
            return Deferred(seconds=(sync_state.not_before - now).total_seconds())
        try:
            synced = await self._sync(sync_state, account, now)
            await self._accounts.record_synced(account, now, Window(synced.sync_token.begins, synced.sync_token.ends))
        except GrantRevokedError:
            return ConnectionEnded()
        except (*_FAILING, ProviderUnavailableError) as error:
            return await self._failed(account, _failure(error), attempt_number)
        return synced

    async def _failed(self, account: Account, failure: Failure, attempt_number: int) -> Deferred:
        """What may pass is retried soon, and reported when it lasts; what will not is reported and retried rarely."""
        log.info("a calendar could not be read", code=failure.code.value, reason=failure.reason, attempt=attempt_number)
        if not failure.retryable or attempt_number >= self._policy.report_after:
            await self._accounts.record_unreadable(account, failure.code, failure.reason)
        pause = retry_delay(failure, attempt_number, initial=self._policy.retry_initial, maximum=self._policy.retry_max)
        seconds = pause if failure.retryable else self._policy.poll_interval
        return Deferred(seconds=seconds, failure_code=failure.code)

    async def _forget(self, sync_state: InboundSyncState, now: datetime) -> None:
        """The user ended the connection: what was seen by it is not known any more."""
        async for page in self._imported_events.iterate(sync_state.connection_id):
            await self._imported_events.save([(event, as_list(event.record_deleted(now))) for event in page])

    async def _sync(self, sync_state: InboundSyncState, account: Account, now: datetime) -> Synced:
        """Continue from the sync token, if it is valid; else read everything."""
        window = self._policy.window(now)
        context = _context(sync_state, account)
        sync_run = SyncRun.begin(self._mirrored_events, self._imported_events, context, window, now)
        if sync_state.sync_token is not None and sync_state.sync_token.is_valid_for(sync_state.generation, window):
            sync_run.importer.window = Window(sync_state.sync_token.begins, sync_state.sync_token.ends)
            try:
                return await self._apply_changes(sync_run, sync_state, account, sync_token=sync_state.sync_token.token)
            except SyncTokenExpiredError:
                log.info("a sync token has expired, so everything is read again")
                sync_run = sync_run.restart(window)
        return await self._apply_changes(sync_run, sync_state, account, sync_token=None)

    async def _apply_changes(
        self, sync_run: SyncRun, sync_state: InboundSyncState, account: Account, *, sync_token: str | None
    ) -> Synced:
        """Read and apply all pages, and only then return the token of the next sync."""
        importer = sync_run.importer
        window, now = importer.window, importer.now
        async for page in self._pages(account, window, sync_token=sync_token):
            await sync_run.apply_page(page)
        await importer.record_declined_invitations(lambda event_id: self._exists(account, event_id))
        if sync_token is None:
            await sync_run.reconcile()
        elif await importer.has_missing_instances():
            raise SyncTokenExpiredError
        recorded_deletions = await sync_run.request_rechecks(
            sync_state.deletions_in_window(now), max_deletions=self._policy.max_deletions
        )
        reached = SyncToken(
            token=sync_run.sync_token, begins=window.begins, ends=window.ends, generation=sync_state.generation
        )
        return Synced(sync_token=reached, counts=importer.counts, recorded_deletions=recorded_deletions, began=now)

    async def _exists(self, account: Account, event_id: str) -> bool:
        changes = self._changes[account.provider]
        return await self._calls.execute(
            account, lambda token: changes.exists(CalendarAccess(token, account.calendar_id), event_id)
        )

    async def _pages(self, account: Account, window: Window, *, sync_token: str | None) -> AsyncIterator[ChangesPage]:
        """All pages of a sync; the last one has a sync token."""
        changes, page = self._changes[account.provider], None
        for _ in range(_MAX_PAGES):
            current = page

            async def call(token: str, current: str | None = current) -> ChangesPage:
                access = CalendarAccess(token, account.calendar_id)
                return await changes.fetch_page(access, sync_token=sync_token, page=current, window=window)

            answer = await self._calls.execute(account, call)
            yield answer
            if answer.sync_token is not None:
                return
            if answer.next_page is None:
                break
            page = answer.next_page
        raise CallFailedError(unavailable_failure("its list of changes has no end"))


def _failure(error: Exception) -> Failure:
    match error:
        case CallFailedError():
            return error.failure
        case ProviderUnavailableError():
            return unavailable_failure(str(error), error.retry_after)
        case NotFoundError():
            return NO_CALENDAR
        case _:
            return unavailable_failure("it lost what it gave us just now")


def _context(sync_state: InboundSyncState, account: Account) -> CalendarContext:
    owner = CalendarOwner(
        user_id=account.user_id, user_type=account.owner_type, name=account.owner_name, email=account.calendar_email
    )
    return CalendarContext(account.connection_id, account.tenant_uuid, owner, account.provider, sync_state.account)
