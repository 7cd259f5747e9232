"""Pulling at a user's or an operator's request: the pull is written down, and the caller is answered when it has ended.

Nothing waits here that other messages stand behind. When this process ends before the pull, it still happens, and the
caller was answered that it is in progress.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from chassis.tasks import cancel_and_wait
from contracts.api.calendar import CalendarSyncResult, ResyncCalendar, SyncRunStatus
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import SyncCalendar
from contracts.messages.replies import Outcome, Reply, ReplyError

from calendar_sync.inbound.ports import SyncOutcome, SyncRequests
from calendar_sync.providers.accounts import Accounts, GrantRevokedError, ProviderUnavailableError

log = structlog.get_logger()


Answer = Callable[[Reply], Awaitable[None]]


class OnDemandSync:
    """Pulls a user's calendar when they ask for it."""

    def __init__(self, accounts: Accounts, sync_requests: SyncRequests) -> None:
        self._accounts = accounts
        self._sync_requests = sync_requests
        self._waiting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Callers are answered until this is left."""
        try:
            yield
        finally:
            await cancel_and_wait(*self._waiting)

    async def sync(self, command: SyncCalendar, answer: Answer) -> None:
        """Have the user's calendar pulled, and ``answer`` when that is done."""
        actor = command.actor
        account = await self._accounts.connected(actor.tenant_uuid, actor.user_id)
        if account is None:
            await answer(_refused(ErrorCode.CALENDAR_NOT_CONNECTED))
            return
        task = asyncio.create_task(self._answer(await self._sync_requests.request_run(account), answer))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def resync(self, query: ResyncCalendar) -> Reply:
        """Have all of a user's calendar read anew, and answer when that is done or takes long.

        Raises:
            ApiError: 409 when none is connected, 503 when it could not be begun.
        """
        account = await self._accounts.connected(query.tenant_uuid, query.user_id)
        if account is None:
            raise ApiError(ErrorCode.CALENDAR_NOT_CONNECTED)
        try:
            run = await self._sync_requests.request_full_run(account)
        except ProviderUnavailableError as error:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE) from error
        try:
            return _done(await run)
        except GrantRevokedError as error:
            raise ApiError(ErrorCode.CALENDAR_NOT_CONNECTED) from error
        except ProviderUnavailableError:
            return Reply(outcome=Outcome.OK, data=CalendarSyncResult(status=SyncRunStatus.IN_PROGRESS))

    async def _answer(self, run: Awaitable[SyncOutcome], answer: Answer) -> None:
        try:
            outcome = await run
        except GrantRevokedError:
            await answer(_refused(ErrorCode.CALENDAR_NOT_CONNECTED))
        except ProviderUnavailableError:
            log.info(
                "a requested sync continues in the background"
            )  # it goes on, so its caller hears that it is in progress
        else:
            await answer(_done(outcome))


def _done(outcome: SyncOutcome) -> Reply:
    done = CalendarSyncResult(
        status=SyncRunStatus.COMPLETED, imported=outcome.imported, updated=outcome.updated, removed=outcome.removed
    )
    return Reply(outcome=Outcome.OK, data=done)


def _refused(code: ErrorCode) -> Reply:
    return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(ApiError(code)))
