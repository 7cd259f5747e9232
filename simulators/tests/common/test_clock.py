"""The movable clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from simulators.common.clock import Clock

HOUR = timedelta(hours=1)


def test_it_runs_ahead_stands_still_and_never_goes_back() -> None:
    clock = Clock()
    clock.advance(HOUR)
    assert clock.now() - datetime.now(UTC) + timedelta(seconds=1) >= HOUR
    clock.freeze()
    stood = clock.now()
    assert clock.now() == stood
    clock.advance(HOUR)
    assert clock.now() == stood + HOUR
    clock.resume()
    assert not clock.frozen
    assert clock.now() >= stood + HOUR
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-HOUR)


async def test_sleepers_wake_when_time_reaches_them_and_not_before() -> None:
    clock = Clock()
    clock.freeze()
    order: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(sleeper("late", 120))
        early = tasks.create_task(sleeper("early", 60))
        await asyncio.sleep(0)
        clock.advance(timedelta(seconds=61))
        await early
        assert not late.done()
        clock.advance(timedelta(seconds=60))
    assert order == ["early", "late"]


async def test_a_sleeper_wakes_by_itself_while_time_runs() -> None:
    clock = Clock()
    await asyncio.wait_for(clock.sleep(0.01), 5)
    clock.freeze()
    waiting = asyncio.create_task(clock.sleep(0.01))
    await asyncio.sleep(0)
    clock.resume()
    await asyncio.wait_for(waiting, 5)
