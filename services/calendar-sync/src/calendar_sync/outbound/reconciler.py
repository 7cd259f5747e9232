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
from calendar_sync.providers.authorized_calls import AuthorizedCalls, retry_delay
from calendar_sync.providers.errors import MANY_REMOVED, CallFailedError, Failure, unavailable_failure
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.ports import CalendarWriter

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """The result of one attempt at one mirrored meeting."""

    status_report: ReportedStatus | None = None
    """The status to report, if it has changed."""
    key: str | None = None
    event: MirroredEvent | None = None
    """The copy as it is now, to be kept under ``key``."""
    host_edit: MirroredEventChanged | MirroredEventDeleted | None = None
    """The host's edit or deletion, to be published."""
    retry_in: float | None = None
    pause_account: bool = False
    moved_to_provider: CalendarProvider | None = None
    """The host's calendar is at this provider now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How failed writes are retried: pauses in seconds, which double; the status is FAILED after so many attempts."""

    initial_delay: float = 1
    max_delay: float = 300
    report_after: int = 8
    unconfirmed_create_timeout: timedelta = timedelta(seconds=60)
    """How long after an unanswered create the event may still appear."""
    host_edit_hold: timedelta = timedelta(seconds=15)
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
        retry_policy: RetryPolicy,
    ) -> None:
        """``deployment`` tells this platform's events from those of others that write to the same calendars."""
        self.provider = provider
        self._calendar = calendar
        self._accounts = accounts
        self._calls = calls
        self._deployment = deployment
        self._retry_policy = retry_policy

    async def reconcile(
        self, mirror: MirroredMeeting, *, attempt_number: int, intent_log: WriteIntentLog
    ) -> ReconcileResult:
        """One attempt at one mirrored meeting; ``attempt_number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: nothing more was done.
        """
        account = await self._accounts.connected(mirror.tenant_uuid, mirror.host_uuid)
        if account is None:
            return ReconcileResult(status_report=mirror.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        if account.provider is not self.provider:
            return ReconcileResult(moved_to_provider=account.provider)
        key = account.key
        event = mirror.events.get(key) or MirroredEvent(
            provider=account.provider, calendar_email=account.calendar_email
        )
        event.record_block(block_of(mirror.desired, mirror.password))
        task = _Task(mirror, account, key, event, event_for(mirror.desired, mirror.password), attempt_number)
        markers = Markers(mirror.meeting_uuid, self._deployment, key)
        writer = EventWriter(self._calls, self._calendar, account, event, markers, intent_log)
        operation = task.operation
        try:
            return await self._recheck(task, writer) or await self._apply_desired(task, writer)
        except GrantRevokedError:
            return await self._disconnected(task)
        except ProviderUnavailableError as error:
            return self._failed(task, operation, unavailable_failure(str(error), error.retry_after))
        except CallFailedError as error:
            await self._record_connection_error(account, error.failure, attempt_number)
            return self._failed(task, operation, error.failure)

    async def _recheck(self, task: "_Task", writer: EventWriter) -> ReconcileResult | None:
        """If somebody saw that its host may have changed the copy: what they did, if that is to be told by itself.

        The next attempt, at once, writes what else is to be written.
        """
        event, recheck = task.event, task.mirror.rechecks.get(task.key)
        if recheck is None or recheck.recheck_id == event.last_recheck_id:
            return None
        if event.event_id is None:  # whatever is found when it is made anew is known to the platform from then on
            event.last_recheck_id = recheck.recheck_id
            return None
        was_there = not event.deleted
        try:
            observed = await writer.read()
        except GoneError:
            event.last_recheck_id = recheck.recheck_id
            return self._record_missing(task, is_mass_deletion=recheck.is_mass_deletion, was_there=was_there)
        event.last_recheck_id = recheck.recheck_id
        now = utc_now()
        host_edit = detect_host_edit(task.mirror, event, observed, now, now + self._retry_policy.host_edit_hold)
        return ReconcileResult(key=task.key, event=event, host_edit=host_edit, retry_in=0) if host_edit else None

    def _record_missing(self, task: "_Task", *, is_mass_deletion: bool, was_there: bool) -> ReconcileResult | None:
        """The event is not there; ``was_there``: by its host's doing, as far as is known."""
        now = utc_now()
        if task.desired is None or not was_there:
            return None
        if is_mass_deletion:
            task.event.mark_deleted()
            status_report = task.mirror.status_to_report(
                ExternalSyncStatus.FAILED, now, operation=task.last_operation, failure=MANY_REMOVED
            )
            return ReconcileResult(key=task.key, event=task.event, status_report=status_report)
        deletion = detect_host_deletion(task.mirror, task.event, now, now + self._retry_policy.host_edit_hold)
        return ReconcileResult(
            key=task.key,
            event=task.event,
            host_edit=deletion,
            retry_in=self._retry_policy.host_edit_hold.total_seconds(),
        )

    async def _apply_desired(self, task: "_Task", writer: EventWriter) -> ReconcileResult:
        mirror, operation = task.mirror, task.operation
        if task.desired is not None:
            if task.event.deleted and not mirror.is_upcoming(utc_now()):  # its host tidied up
                status_report = mirror.status_to_report(
                    ExternalSyncStatus.SYNCED, utc_now(), operation=task.last_operation
                )
                return ReconcileResult(key=task.key, event=task.event, status_report=status_report)
            if task.hold_left and task.event.deleted:
                return ReconcileResult(retry_in=task.hold_left)
            await writer.upsert(task.desired)
            status_report = mirror.status_to_report(
                ExternalSyncStatus.SYNCED, utc_now(), operation=operation or task.last_operation
            )
            return ReconcileResult(key=task.key, event=task.event, status_report=status_report, retry_in=task.hold_left)
        unconfirmed_for = await writer.remove(self._retry_policy.unconfirmed_create_timeout)
        if unconfirmed_for > 0:
            return ReconcileResult(key=task.key, event=task.event, retry_in=unconfirmed_for)
        if operation is None and mirror.desired.external_sync_status is ExternalSyncStatus.NOT_APPLICABLE:
            return ReconcileResult(status_report=mirror.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now()))
        status_report = mirror.status_to_report(ExternalSyncStatus.SYNCED, utc_now(), operation=SyncOperation.DELETE)
        return ReconcileResult(key=task.key, event=task.event, status_report=status_report)

    async def _disconnected(self, task: "_Task") -> ReconcileResult:
        """The connection ended while we were at it; what was found out is kept for when it comes back."""
        mirror = task.mirror
        if await self._accounts.connected(mirror.tenant_uuid, mirror.host_uuid) is not None:  # connected anew meanwhile
            return ReconcileResult(key=task.key, event=task.event, retry_in=0)
        status_report = mirror.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, utc_now())
        return ReconcileResult(key=task.key, event=task.event, status_report=status_report)

    async def _record_connection_error(self, account: Account, failure: Failure, attempt_number: int) -> None:
        """Record an error that prevents every write at the connection, too; a 404 may be temporary."""
        lost = failure.code is SyncFailureCode.CALENDAR_NOT_FOUND and attempt_number >= self._retry_policy.report_after
        if lost or failure.code is SyncFailureCode.PERMISSION_DENIED:
            await self._accounts.record_error(account, failure.code, failure.reason)

    def _failed(self, task: "_Task", operation: SyncOperation | None, failure: Failure) -> ReconcileResult:
        """A retryable failure is retried for ever, and reported after a while; another one is reported and left."""
        log.info(
            "mirrored event write failed", code=failure.code.value, reason=failure.reason, attempt=task.attempt_number
        )
        failed = not failure.retryable or task.attempt_number >= self._retry_policy.report_after
        status_report = task.mirror.status_to_report(
            ExternalSyncStatus.FAILED if failed else ExternalSyncStatus.PENDING,
            utc_now(),
            operation=operation or task.last_operation,
            failure=failure if failed else None,
        )
        if not failure.retryable:
            return ReconcileResult(key=task.key, event=task.event, status_report=status_report)
        retry_policy = self._retry_policy
        return ReconcileResult(
            key=task.key,
            event=task.event,
            status_report=status_report,
            retry_in=retry_delay(
                failure, task.attempt_number, initial=retry_policy.initial_delay, maximum=retry_policy.max_delay
            ),
            pause_account=failure.retry_after is not None,
        )


@dataclass(frozen=True, slots=True)
class _Task:
    """One attempt at one mirrored meeting's event in one account."""

    mirror: MirroredMeeting
    account: Account
    key: str
    event: MirroredEvent
    desired: EventContent | None
    attempt_number: int

    @property
    def operation(self) -> SyncOperation | None:
        """What the host will read of it; None: nothing has to be done."""
        desired, event = self.desired, self.event
        there = event.event_id is not None and not event.deleted
        if desired is None:
            return SyncOperation.DELETE if there or event.unconfirmed_writes or event.deleted else None
        if not there:
            return SyncOperation.CREATE
        done = (
            not event.unconfirmed_writes
            and event.last_written is not None
            and not event.fields_to_write(desired, None, utc_now())
        )
        return None if done else SyncOperation.UPDATE

    @property
    def hold_left(self) -> float | None:
        """For so many seconds, at most, an answer to what the host did is waited for; None when it is not."""
        left = self.event.remaining_hold(self.desired, utc_now()).total_seconds() if self.desired else 0
        return left if left > 0 else None

    @property
    def last_operation(self) -> SyncOperation | None:
        reported = self.mirror.reported_status
        return reported.operation if reported else None
