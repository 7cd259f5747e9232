"""Makes mirrored events equal to the desired state of their meetings, and detects host edits."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import CalendarProvider, ExternalSyncStatus, SyncFailureCode, SyncOperation
from contracts.values.times import utc_now

from calendar_sync.outbound.description import block_of
from calendar_sync.outbound.event_writer import EventWriter, GoneError, Markers
from calendar_sync.outbound.host_edits import detect_host_deletion, detect_host_edit
from calendar_sync.outbound.meeting_event import event_for
from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting, ReportedStatus
from calendar_sync.outbound.ports import WriteIntentLog
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.authorized_calls import AuthorizedCalls, retry_in
from calendar_sync.providers.errors import MANY_REMOVED, CallFailedError, Failure, unavailable
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.ports import CalendarWriter

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """What came of one attempt at one link."""

    told: ReportedStatus | None = None
    """What is to be told, if that is news."""
    key: str | None = None
    copy: MirroredEvent | None = None
    """The copy as it is now, to be kept under ``key``."""
    change: MirroredEventChanged | MirroredEventDeleted | None = None
    """What its host did to it, to be told."""
    retry_in: float | None = None
    pause_account: bool = False
    elsewhere: CalendarProvider | None = None
    """The host's calendar is at this provider now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How failed writes are tried again: pauses in seconds, doubling; told as FAILED after so many attempts."""

    first: float = 1
    most: float = 300
    attempts: int = 8
    doubt: timedelta = timedelta(seconds=60)
    """How long after a create that nobody answered the event may still appear."""
    answer: timedelta = timedelta(seconds=15)
    """How long a host's change stays although the meeting has not taken it over yet."""


class OutboundReconciler:
    """Closes gaps in the calendars of one provider."""

    def __init__(
        self,
        provider: CalendarProvider,
        calendar: CalendarWriter,
        accounts: Accounts,
        calls: AuthorizedCalls,
        *,
        deployment: str,
        patience: RetryPolicy,
    ) -> None:
        """``deployment`` tells this platform's events from those of others that write to the same calendars."""
        self.provider = provider
        self._calendar = calendar
        self._accounts = accounts
        self._calls = calls
        self._deployment = deployment
        self._patience = patience

    async def attempt(self, link: MirroredMeeting, *, number: int, intentions: WriteIntentLog) -> ReconcileResult:
        """One attempt at one link; ``number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: nothing more was done.
        """
        account = await self._accounts.connected(link.tenant_uuid, link.host_uuid)
        if account is None:
            return ReconcileResult(told=link.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        if account.provider is not self.provider:
            return ReconcileResult(elsewhere=account.provider)
        key = account.key
        copy = link.events.get(key) or MirroredEvent(provider=account.provider, calendar_email=account.calendar_email)
        copy.remember_block(block_of(link.desired))
        work = _Work(link, account, key, copy, event_for(link.desired), number)
        markers = Markers(link.meeting_uuid, self._deployment, key)
        gap = EventWriter(self._calls, self._calendar, account, copy, markers, intentions)
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

    async def _look(self, work: "_Work", gap: "EventWriter") -> ReconcileResult | None:
        """If somebody saw that its host may have changed the copy: what they did, if that is to be told by itself.

        The next attempt, at once, writes what else is to be written.
        """
        copy, look = work.copy, work.link.rechecks.get(work.key)
        if look is None or look.token == copy.last_recheck_id:
            return None
        if copy.event_id is None:  # whatever is found when it is made anew is known to the platform from then on
            copy.last_recheck_id = look.token
            return None
        was_there = not copy.removed
        try:
            theirs = await gap.read()
        except GoneError:
            copy.last_recheck_id = look.token
            return self._missing(work, doubted=look.doubted, news=was_there)
        copy.last_recheck_id = look.token
        now = utc_now()
        change = detect_host_edit(work.link, copy, theirs, now, now + self._patience.answer)
        return ReconcileResult(key=work.key, copy=copy, change=change, retry_in=0) if change else None

    def _missing(self, work: "_Work", *, doubted: bool, news: bool) -> ReconcileResult | None:
        """The event is not there; ``news``: by its host's doing, as far as is known."""
        now = utc_now()
        if work.wanted is None or not news:
            return None
        if doubted:
            work.copy.mark_deleted()
            told = work.link.status_to_report(
                ExternalSyncStatus.FAILED, now, operation=work.last_operation, failure=MANY_REMOVED
            )
            return ReconcileResult(key=work.key, copy=work.copy, told=told)
        removal = detect_host_deletion(work.link, work.copy, now, now + self._patience.answer)
        return ReconcileResult(
            key=work.key, copy=work.copy, change=removal, retry_in=self._patience.answer.total_seconds()
        )

    async def _close(self, work: "_Work", gap: "EventWriter") -> ReconcileResult:
        link, operation = work.link, work.operation
        if work.wanted is not None:
            if work.copy.removed and not link.is_ahead(utc_now()):  # its host tidied up
                told = link.status_to_report(ExternalSyncStatus.SYNCED, utc_now(), operation=work.last_operation)
                return ReconcileResult(key=work.key, copy=work.copy, told=told)
            if work.waits and work.copy.removed:
                return ReconcileResult(retry_in=work.waits)
            await gap.put(work.wanted)
            told = link.status_to_report(
                ExternalSyncStatus.SYNCED, utc_now(), operation=operation or work.last_operation
            )
            return ReconcileResult(key=work.key, copy=work.copy, told=told, retry_in=work.waits)
        doubt = await gap.remove(self._patience.doubt)
        if doubt > 0:
            return ReconcileResult(key=work.key, copy=work.copy, retry_in=doubt)
        if operation is None and link.desired.external_sync_status is ExternalSyncStatus.NOT_APPLICABLE:
            return ReconcileResult(told=link.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        told = link.status_to_report(ExternalSyncStatus.SYNCED, utc_now(), operation=SyncOperation.DELETE)
        return ReconcileResult(key=work.key, copy=work.copy, told=told)

    async def _let_go(self, work: "_Work") -> ReconcileResult:
        """The connection ended while we were at it; what was found out is kept for when it comes back."""
        link = work.link
        if await self._accounts.connected(link.tenant_uuid, link.host_uuid) is not None:  # connected anew meanwhile
            return ReconcileResult(key=work.key, copy=work.copy, retry_in=0)
        told = link.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now())
        return ReconcileResult(key=work.key, copy=work.copy, told=told)

    async def _tell_owner(self, account: Account, failure: Failure, number: int) -> None:
        """What stands in the way of every write is the connection's trouble, too; a 404 may pass."""
        lost = failure.code is SyncFailureCode.CALENDAR_NOT_FOUND and number >= self._patience.attempts
        if lost or failure.code is SyncFailureCode.PERMISSION_DENIED:
            await self._accounts.trouble(account, failure.code, failure.reason)

    def _failed(self, work: "_Work", operation: SyncOperation | None, failure: Failure) -> ReconcileResult:
        """What can pass is tried again for ever, and after a while told; what cannot is told and left."""
        log.info("a copy could not be written", code=failure.code.value, reason=failure.reason, attempt=work.number)
        failed = not failure.passing or work.number >= self._patience.attempts
        told = work.link.status_to_report(
            ExternalSyncStatus.FAILED if failed else ExternalSyncStatus.PENDING,
            utc_now(),
            operation=operation or work.last_operation,
            failure=failure if failed else None,
        )
        if not failure.passing:
            return ReconcileResult(key=work.key, copy=work.copy, told=told)
        patience = self._patience
        return ReconcileResult(
            key=work.key,
            copy=work.copy,
            told=told,
            retry_in=retry_in(failure, work.number, first=patience.first, most=patience.most),
            pause_account=failure.retry_after is not None,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """One attempt at one link's copy in one account."""

    link: MirroredMeeting
    account: Account
    key: str
    copy: MirroredEvent
    wanted: EventContent | None
    number: int

    @property
    def operation(self) -> SyncOperation | None:
        """What the host will read of it; None: nothing has to be done."""
        wanted, copy = self.wanted, self.copy
        there = copy.event_id is not None and not copy.removed
        if wanted is None:
            return SyncOperation.DELETE if there or copy.unconfirmed_writes or copy.removed else None
        if not there:
            return SyncOperation.CREATE
        done = (
            not copy.unconfirmed_writes
            and copy.last_written is not None
            and not copy.fields_to_write(wanted, None, utc_now())
        )
        return None if done else SyncOperation.UPDATE

    @property
    def waits(self) -> float | None:
        """For so many seconds, at most, an answer to what the host did is waited for; None when it is not."""
        left = self.copy.remaining_hold(self.wanted, utc_now()).total_seconds() if self.wanted else 0
        return left if left > 0 else None

    @property
    def last_operation(self) -> SyncOperation | None:
        return self.link.told.operation if self.link.told else None
