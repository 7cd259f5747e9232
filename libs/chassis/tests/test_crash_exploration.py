"""The exploration of crashes finds what a careless service loses, repeats or leaves half done."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.support.crashes import Group, Process, double_crashes, single_crashes

Handle = Callable[["Ledger", int], Awaitable[None]]


class Ledger:
    """Counts numbers from a topic, with a handler that is careful or not."""

    def __init__(self, handle: Handle) -> None:
        self.effects: list[int] = []
        self.background: set[asyncio.Task[None]] = set()
        self._handle = handle
        self._group = Group([[1], [2], [3]])

    async def live(self, ends_at: int | None) -> bool:
        return await Process(ends_at).run(lambda: self._group.consume(self._each))

    async def _each(self, batch: list[int]) -> None:
        for number in batch:
            await self._handle(self, number)


async def careful(ledger: Ledger, number: int) -> None:
    await asyncio.sleep(0)
    if number not in ledger.effects:
        ledger.effects.append(number)
    await asyncio.sleep(0)


async def forgetful(ledger: Ledger, number: int) -> None:
    """Has its effect again when it is called again."""
    await asyncio.sleep(0)
    ledger.effects.append(number)
    await asyncio.sleep(0)


async def in_the_background(ledger: Ledger, number: int) -> None:
    """Returns before its effect."""

    async def later() -> None:
        await asyncio.sleep(0.001)
        ledger.effects.append(number)

    ledger.background.add(asyncio.create_task(later()))


async def explored(handle: Handle) -> list[list[int]]:
    async def begin() -> Ledger:
        return Ledger(handle)

    singles = [ledger.effects async for ledger in single_crashes(begin)]
    return singles + [ledger.effects async for ledger in double_crashes(begin, step=1)]


async def test_a_careful_service_passes() -> None:
    found = await explored(careful)
    assert len(found) > 50
    assert all(effects == [1, 2, 3] for effects in found)


async def test_a_repeat_is_found() -> None:
    found = await explored(forgetful)
    assert [1, 1, 2, 3] in found
    assert [1, 2, 2, 3] in found


async def test_a_loss_is_found() -> None:
    assert any(set(effects) != {1, 2, 3} for effects in await explored(in_the_background))


async def test_nothing_of_a_killed_process_runs_any_more() -> None:
    ran: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ran.append("later line")
        except BaseException:
            ran.append("except")
            raise

    async def main() -> None:
        await asyncio.gather(child(), child())
        ran.append("main")

    assert await Process(ends_at=3).run(main)
    assert "later line" not in ran
    assert "main" not in ran
    assert not await Process().run(main)
    assert ran[-3:] == ["later line", "later line", "main"]
