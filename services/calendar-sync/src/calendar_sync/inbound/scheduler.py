"""Feeding: noting that calendars want reading, because somebody connected, a provider hinted, or a user asked.

Nothing here calls a provider. Many hints at one calendar are one wish, and a calendar that was read just now rests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from chassis.kafka.consumer import Batch
from contracts.messages.calendar_events import ConnectionChanged
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.values.enums import ConnectionStatus, NotificationKind
from contracts.values.times import utc_now

from calendar_sync.inbound.model import SyncPhase
from calendar_sync.inbound.ports import SyncOutcome, SyncStates
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, ProviderUnavailableError

_POLL, _MAX_POLL = 0.05, 0.5


_MAX_WAIT = timedelta(seconds=60)


_CHANNEL_KINDS = (NotificationKind.RENEW, NotificationKind.REMOVED)


class SyncScheduler:
    """Schedules syncs and channel checks, on connection events, on notifications and on request."""

    kinds = (ConnectionChanged, CalendarNotificationReceived)

    def __init__(
        self,
        sync_states: SyncStates,
        accounts: Accounts,
        *,
        wake_sync: Callable[[], None],
        wake_channels: Callable[[], None],
    ) -> None:
        """``wake_sync``, ``wake_channels``: called when there is such work."""
        self._sync_states = sync_states
        self._accounts = accounts
        self._wake_sync = wake_sync
        self._wake_channels = wake_channels

    async def handle(self, batch: Batch) -> None:
        notifications = [received.body for received in batch if isinstance(received.body, CalendarNotificationReceived)]
        for received in batch:
            if isinstance(received.body, ConnectionChanged):
                await self._apply_connection(received.body)
        await self._apply_notifications(notifications)

    # --- connections --------------------------------------------------------------------------------------------

    async def _apply_connection(self, change: ConnectionChanged) -> None:
        """Act on the connection as it is now: if it has changed since this event, another event follows."""
        account = await self._accounts.connected(change.tenant_uuid, change.user_id)
        if change.status is ConnectionStatus.CONNECTED:
            if account is not None and account.generation == change.generation:
                await self._sync_states.start(account)
        elif account is None:
            phase = SyncPhase.ENDED if change.error_code is None else SyncPhase.SUSPENDED
            await self._sync_states.end(change.tenant_uuid, change.user_id, phase)
        self._wake_sync()
        self._wake_channels()

    # --- notifications -------------------------------------------------------------------------------------------

    async def _apply_notifications(self, notifications: list[CalendarNotificationReceived]) -> None:
        changed_calendars = {
            notification.connection_id
            for notification in notifications
            if notification.kind is not NotificationKind.RENEW
        }
        channels_to_check = {
            notification.connection_id for notification in notifications if notification.kind in _CHANNEL_KINDS
        }
        if changed_calendars:
            await self._sync_states.request_sync(changed_calendars)
            self._wake_sync()
        if channels_to_check:
            await self._sync_states.request_channel_check(channels_to_check)
            self._wake_channels()

    # --- requests -----------------------------------------------------------------------------------------------

    async def request_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """Schedule a sync now; it happens even if this process ends.

        What is returned ends with the sync, whichever process runs it. It raises GrantRevokedError when the
        connection ends first, and ProviderUnavailableError when the sync takes very long.
        """
        run = await self._sync_states.request_run(account)
        if run is None:  # connected just now: the event that tells so is on its way
            await self._sync_states.start(account)
            run = await self._sync_states.request_run(account)
        self._wake_sync()
        return self._outcome(account, run or 0)

    async def request_full_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """As ``want``, but all of the calendar is read anew.

        Raises:
            ProviderUnavailableError: it is being read all the time, so nothing was written down.
        """
        until = utc_now() + _MAX_WAIT / 2
        if await self._sync_states.find(account.connection_id) is None:
            await self._sync_states.start(account)
        while (run := await self._sync_states.request_full_run(account)) is None:
            if utc_now() > until:
                raise ProviderUnavailableError("the calendar is being read just now")
            await asyncio.sleep(_POLL)
        self._wake_sync()
        return self._outcome(account, run)

    async def _outcome(self, account: Account, run: int) -> SyncOutcome:
        until, pause = utc_now() + _MAX_WAIT, _POLL
        while utc_now() < until:
            sync_state = await self._sync_states.find(account.connection_id)
            if (
                sync_state is None
                or sync_state.phase is not SyncPhase.OPEN
                or sync_state.generation != account.generation
            ):
                raise GrantRevokedError("the account is not connected any more")
            if sync_state.completed_run >= run:
                return SyncOutcome(sync_state.outcome.imported, sync_state.outcome.updated, sync_state.outcome.removed)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _MAX_POLL)
        raise ProviderUnavailableError("the calendar could not be read yet")
