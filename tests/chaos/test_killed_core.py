"""meeting-core dies by SIGKILL again and again under load: no accepted command, meeting or event is lost or doubled."""

import asyncio
import random
import signal

import httpx
import pytest
from contracts.ids import uuid7_hex
from localrun.platform import Platform

from tests.chaos.history import Told, broken_promises, read_events, read_meetings
from tests.chaos.workload import work_while
from tests.support.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


async def test_killing_the_core_loses_and_doubles_nothing(platform: Platform, host: httpx.AsyncClient) -> None:
    core = platform.processes["meeting-core"]
    kills = 0

    async def kill(chance: random.Random) -> None:
        nonlocal kills
        await asyncio.sleep(chance.uniform(0.2, 2))  # the moment is what is random, nothing waits for it
        await asyncio.to_thread(core.kill, signal.SIGKILL)
        await asyncio.to_thread(core.restart)
        kills += 1

    run = uuid7_hex()
    history = await work_while(host, kill, seed=7, clients=16, meetings=240, name=run)
    if not core.running:
        core.restart()
    assert kills >= 2

    async def kept() -> bool:
        return not await _problems(platform, host, history, run)

    try:
        await until(kept, what="every promise kept", within=60)
    except AssertionError:
        assert await _problems(platform, host, history, run) == []


async def _problems(platform: Platform, host: httpx.AsyncClient, history: list[Told], run: str) -> list[str]:
    events = await read_events(platform.addresses.kafka)
    known = {told.meeting_uuid for told in history if told.meeting_uuid}
    meetings, versions = await read_meetings(host, sorted(known | set(events)))
    ours = {uuid: meeting for uuid, meeting in meetings.items() if (meeting["description"] or "").startswith(run)}
    return broken_promises(history, ours, {uuid: versions[uuid] for uuid in ours}, events)
