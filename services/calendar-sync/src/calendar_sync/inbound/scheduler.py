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

_POLL, _LONGEST_POLL = 0.05, 0.5


_LONGEST_WAIT = timedelta(seconds=60)


_WATCHED = (NotificationKind.RENEW, NotificationKind.REMOVED)


class SyncScheduler:
    """Takes note of connections, hints and wishes."""

    kinds = (ConnectionChanged, CalendarNotificationReceived)

    def __init__(
        self, feeds: SyncStates, accounts: Accounts, *, wake_pulls: Callable[[], None], wake_watch: Callable[[], None]
    ) -> None:
        """``wake_pulls``, ``wake_watch``: called when there is such work."""
        self._feeds = feeds
        self._accounts = accounts
        self._wake_pulls = wake_pulls
        self._wake_watch = wake_watch

    async def handle(self, batch: Batch) -> None:
        hinted = [received.body for received in batch if isinstance(received.body, CalendarNotificationReceived)]
        for received in batch:
            if isinstance(received.body, ConnectionChanged):
                await self._note_connection(received.body)
        await self._note_hints(hinted)

    # --- connections --------------------------------------------------------------------------------------------

    async def _note_connection(self, change: ConnectionChanged) -> None:
        """What counts is how the connection stands now: if that is newer, another event tells of it."""
        account = await self._accounts.connected(change.tenant_uuid, change.user_id)
        if change.status is ConnectionStatus.CONNECTED:
            if account is not None and account.generation == change.generation:
                await self._feeds.open(account)
        elif account is None:
            state = SyncPhase.CLOSED if change.error_code is None else SyncPhase.PARKED
            await self._feeds.end(change.tenant_uuid, change.user_id, state)
        self._wake_pulls()
        self._wake_watch()

    # --- hints --------------------------------------------------------------------------------------------------

    async def _note_hints(self, hints: list[CalendarNotificationReceived]) -> None:
        changed = {hint.connection_id for hint in hints if hint.kind is not NotificationKind.RENEW}
        unwatched = {hint.connection_id for hint in hints if hint.kind in _WATCHED}
        if changed:
            await self._feeds.want(changed)
            self._wake_pulls()
        if unwatched:
            await self._feeds.request_channel_check(unwatched)
            self._wake_watch()

    # --- wishes -------------------------------------------------------------------------------------------------

    async def want(self, account: Account) -> Awaitable[SyncOutcome]:
        """Write down that a pull is wanted now; it happens even if this process ends.

        What is returned ends with the pull, whichever process carries it out. It raises GrantRevokedError when the
        connection ends first, and ProviderUnavailableError when the pull takes very long.
        """
        number = await self._feeds.ask(account)
        if number is None:  # connected just now: the event that tells so is on its way
            await self._feeds.open(account)
            number = await self._feeds.ask(account)
        self._wake_pulls()
        return self._answer(account, number or 0)

    async def start_over(self, account: Account) -> Awaitable[SyncOutcome]:
        """As ``want``, but all of the calendar is read anew.

        Raises:
            ProviderUnavailableError: it is being read all the time, so nothing was written down.
        """
        until = utc_now() + _LONGEST_WAIT / 2
        if await self._feeds.find(account.connection_id) is None:
            await self._feeds.open(account)
        while (number := await self._feeds.start_over(account)) is None:
            if utc_now() > until:
                raise ProviderUnavailableError("the calendar is being read just now")
            await asyncio.sleep(_POLL)
        self._wake_pulls()
        return self._answer(account, number)

    async def _answer(self, account: Account, number: int) -> SyncOutcome:
        until, pause = utc_now() + _LONGEST_WAIT, _POLL
        while utc_now() < until:
            feed = await self._feeds.find(account.connection_id)
            if feed is None or feed.state is not SyncPhase.OPEN or feed.generation != account.generation:
                raise GrantRevokedError("the account is not connected any more")
            if feed.answered >= number:
                return SyncOutcome(feed.outcome.imported, feed.outcome.updated, feed.outcome.removed)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_POLL)
        raise ProviderUnavailableError("the calendar could not be read yet")
