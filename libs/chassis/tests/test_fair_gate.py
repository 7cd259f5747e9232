"""Nobody fills the gate: others always get a turn."""

import asyncio
from collections import Counter

import pytest
from chassis.fair_gate import FairGate
from chassis.http.rate_limit import InFlightLimit
from contracts.api.errors import ApiError, ErrorCode


class Crowd:
    """Work that holds its turn until it is let go, and who is at it."""

    def __init__(self, gate: FairGate) -> None:
        self._gate = gate
        self.running: Counter[tuple[str, str]] = Counter()
        self.done: list[tuple[str, str]] = []
        self._go = asyncio.Semaphore(0)
        self.tasks: list[asyncio.Task[None]] = []

    async def comes(self, tenant: str, user: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._work(tenant, user))
        self.tasks.append(task)
        await settled()
        return task

    async def one_goes(self) -> None:
        self._go.release()
        await settled()

    async def _work(self, tenant: str, user: str) -> None:
        async with self._gate.turn(tenant, user):
            self.running[tenant, user] += 1
            try:
                await self._go.acquire()
            finally:
                self.running[tenant, user] -= 1
        self.done.append((tenant, user))


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_user_and_a_tenant_have_their_shares_and_others_theirs() -> None:
    crowd = Crowd(FairGate(limit=4, per_tenant=2, per_user=1))
    for user in ("a", "a", "a", "b", "c"):
        await crowd.comes("loud", user)
    assert +crowd.running == Counter({("loud", "a"): 1, ("loud", "b"): 1})
    for tenant in ("one", "two", "three"):
        await crowd.comes(tenant, "x")
    assert crowd.running.total() == 4
    assert ("three", "x") not in +crowd.running
    while not all(task.done() for task in crowd.tasks):
        await crowd.one_goes()
    assert crowd.done.index(("three", "x")) < crowd.done.index(("loud", "c")), "it does not wait for all of the loud"


async def test_who_leaves_the_queue_leaves_nothing_behind() -> None:
    gate = FairGate(limit=1, per_tenant=1, per_user=1)
    crowd = Crowd(gate)
    await crowd.comes("one", "x")
    waiting = await crowd.comes("one", "x")
    waiting.cancel()
    await settled()
    await crowd.one_goes()
    async with asyncio.timeout(1), gate.turn("one", "x"):
        pass
    assert not gate._users._in_use
    assert not gate._tenants._in_use


async def test_a_user_rests_in_proportion_and_nobody_else_does() -> None:
    loop = asyncio.get_running_loop()
    gate = FairGate(per_user=1, rest=2, max_rest=0.3)
    ended: dict[str, float] = {}
    for user, seconds in (("short", 0.05), ("long", 1.0)):
        async with gate.turn("one", user):
            await asyncio.sleep(seconds)
        ended[user] = loop.time()
        async with gate.turn("one", "other"):
            assert loop.time() - ended[user] < 0.05
        async with gate.turn("one", user):
            waited = loop.time() - ended[user]
        assert waited >= min(2 * seconds, 0.3) - 0.02
        assert waited < 0.6, "at most max_rest"


def test_so_many_requests_at_once_and_no_more() -> None:
    limit = InFlightLimit(2)
    with limit.acquire("a"), limit.acquire("a"), limit.acquire("b"):
        with pytest.raises(ApiError) as raised, limit.acquire("a"):
            pass
        assert (raised.value.code, raised.value.retry_after) == (ErrorCode.TOO_MANY_REQUESTS, 1)
    with limit.acquire("a"):
        pass
    with InFlightLimit(0).acquire("a"), InFlightLimit(0).acquire("a"):
        pass
