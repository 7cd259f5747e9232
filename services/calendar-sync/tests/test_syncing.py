"""Pulling at a user's request: written down at once, answered when it has ended, and nothing waits meanwhile."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from calendar_sync.inbound.on_demand import OnDemandSync
from calendar_sync.inbound.ports import SyncOutcome
from calendar_sync.providers.accounts import Account, GrantRevokedError, ProviderUnavailableError
from contracts.api.calendar import CalendarSyncResult, ResyncCalendar, SyncRunStatus
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import SyncCalendar
from contracts.messages.replies import Outcome, Reply
from contracts.values.enums import CalendarProvider

from tests.support.connections import new_actor
from tests.support.outward import FakeAccounts

ACTOR = new_actor()
COMMAND = SyncCalendar(command_id="1", fingerprint="", actor=ACTOR)
ACCOUNT = Account("T:TS", ACTOR.tenant_uuid, ACTOR.user_id, CalendarProvider.GOOGLE, "primary", "a@b.co", 1, "1")


class FakeSyncRequests:
    """Pulls that end when the test says so."""

    def __init__(self) -> None:
        self.wanted: list[Account] = []
        self.busy = False
        self.pull: asyncio.Future[SyncOutcome] = asyncio.get_running_loop().create_future()

    async def request_run(self, account: Account) -> Awaitable[SyncOutcome]:
        self.wanted.append(account)
        return self.pull

    async def request_full_run(self, account: Account) -> Awaitable[SyncOutcome]:
        if self.busy:
            raise ProviderUnavailableError("being read")
        return await self.request_run(account)


class Caller:
    """Who is answered."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.answered = asyncio.Event()

    async def answer(self, reply: Reply) -> None:
        self.replies.append(reply)
        self.answered.set()


def syncing(account: Account | None, pulls: FakeSyncRequests) -> OnDemandSync:
    accounts = FakeAccounts(CalendarProvider.GOOGLE, "a@b.co", lambda: "token")
    accounts.account = account
    return OnDemandSync(accounts, pulls)


async def test_a_caller_hears_what_was_pulled() -> None:
    pulls, caller = FakeSyncRequests(), Caller()
    harness = syncing(ACCOUNT, pulls)
    async with harness.running():
        await harness.sync(COMMAND, caller.answer)
        assert (pulls.wanted, caller.replies) == ([ACCOUNT], []), "written down, not answered yet"
        pulls.pull.set_result(SyncOutcome(imported=3, updated=2, removed=1))
        await caller.answered.wait()
    [reply] = caller.replies
    assert reply.data == CalendarSyncResult(status=SyncRunStatus.COMPLETED, imported=3, updated=2, removed=1)


async def test_who_is_not_connected_cannot_pull() -> None:
    pulls, caller = FakeSyncRequests(), Caller()
    await syncing(None, pulls).sync(COMMAND, caller.answer)
    [reply] = caller.replies
    assert (reply.outcome, pulls.wanted) == (Outcome.REJECTED, [])
    assert reply.error is not None
    assert reply.error.code == ErrorCode.CALENDAR_NOT_CONNECTED.code


@pytest.mark.parametrize(
    ("error", "replies"),
    [
        (GrantRevokedError("gone"), [ErrorCode.CALENDAR_NOT_CONNECTED.code]),
        (ProviderUnavailableError("away"), []),
    ],
)
async def test_a_pull_that_fails(error: Exception, replies: list[Any]) -> None:
    """A lost grant is an answer; a provider that is away is not: the pull goes on, its caller hears that."""
    pulls, caller = FakeSyncRequests(), Caller()
    harness = syncing(ACCOUNT, pulls)
    async with harness.running():
        await harness.sync(COMMAND, caller.answer)
        pulls.pull.set_exception(error)
        await asyncio.gather(*harness._waiting)
    assert [reply.error.code for reply in caller.replies if reply.error] == replies


async def test_stopping_does_not_wait_for_pulls() -> None:
    pulls, caller = FakeSyncRequests(), Caller()
    harness = syncing(ACCOUNT, pulls)
    async with harness.running():
        await harness.sync(COMMAND, caller.answer)
    assert caller.replies == []


# --- starting over ------------------------------------------------------------------------------------------------

RESYNC = ResyncCalendar(tenant_uuid=ACTOR.tenant_uuid, user_id=ACTOR.user_id)


async def test_an_operator_hears_what_reading_anew_came_to() -> None:
    pulls = FakeSyncRequests()
    pulls.pull.set_result(SyncOutcome(imported=3, updated=2, removed=1))
    reply = await syncing(ACCOUNT, pulls).resync(RESYNC)
    assert pulls.wanted == [ACCOUNT]
    assert reply.data == CalendarSyncResult(status=SyncRunStatus.COMPLETED, imported=3, updated=2, removed=1)


async def test_an_operator_hears_that_reading_anew_takes_long() -> None:
    pulls = FakeSyncRequests()
    pulls.pull.set_exception(ProviderUnavailableError("slow"))
    assert (await syncing(ACCOUNT, pulls).resync(RESYNC)).data == CalendarSyncResult(status=SyncRunStatus.IN_PROGRESS)


async def test_what_was_not_begun_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        await syncing(None, FakeSyncRequests()).resync(RESYNC)
    assert refused.value.code is ErrorCode.CALENDAR_NOT_CONNECTED
    pulls = FakeSyncRequests()
    pulls.busy = True
    with pytest.raises(ApiError) as refused:
        await syncing(ACCOUNT, pulls).resync(RESYNC)
    assert refused.value.code is ErrorCode.SERVICE_UNAVAILABLE
    pulls = FakeSyncRequests()
    pulls.pull.set_exception(GrantRevokedError("over"))
    with pytest.raises(ApiError) as refused:
        await syncing(ACCOUNT, pulls).resync(RESYNC)
    assert refused.value.code is ErrorCode.CALENDAR_NOT_CONNECTED
