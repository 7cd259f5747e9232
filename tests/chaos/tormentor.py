"""Inflicts the faults of a campaign on a running platform, and undoes them."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from localrun.processes import Process, ProcessFailedError, describe_exit

from tests.chaos.faults import Fault, Inflicted, Spell
from tests.chaos.grounds import Grounds
from tests.chaos.neighbours import DIRECTORY, MAILS, SEARCHES, Neighbour
from tests.chaos.workload import Workload
from tests.clocks import shifted_clock

_BACK_WITHIN = 120.0
BURST = 10
"""How many times the usual load a burst is."""


@dataclass
class Tormentor:
    """Inflicts faults, and starts again what ends by itself, as an orchestrator would."""

    grounds: Grounds
    workload: Workload
    neighbour: Neighbour
    clients: int
    inflicted: list[Inflicted] = field(default_factory=list)
    ended_by_itself: list[str] = field(default_factory=list)
    """Processes that nobody killed."""
    bursts: Iterator[int] = field(default_factory=itertools.count)
    """Their numbers."""
    _held: set[str] = field(default_factory=set)

    async def torment(self, spells: Iterable[Spell], seconds: float) -> None:
        """Inflict one spell after the other, none after so many seconds; returns when the last is over."""
        end = time.monotonic() + seconds
        async with self._reviving():
            for spell in itertools.takewhile(lambda _: time.monotonic() < end, spells):
                await asyncio.gather(self._inflict(spell.first), self._inflict(spell.second, spell.after))
                await asyncio.sleep(spell.calm)  # drawn, nothing waits for it

    async def _inflict(self, fault: Fault | None, after: float = 0.0) -> None:
        if fault is None:
            return
        await asyncio.sleep(after)
        began = time.monotonic()
        async with _WAYS[fault.kind](self, fault):
            await asyncio.sleep(fault.seconds)
        self.inflicted.append(Inflicted(fault, began, time.monotonic()))

    async def back(self, process: Process) -> None:
        """Start it until it stays, as an orchestrator does; a service may end while what it needs is away."""
        deadline = time.monotonic() + _BACK_WITHIN
        while True:
            if not process.running:
                await asyncio.to_thread(process.start)
            try:
                await asyncio.to_thread(process.wait_ready, _BACK_WITHIN)
            except ProcessFailedError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    @asynccontextmanager
    async def holding(self, process: Process) -> AsyncIterator[None]:
        """Inside, what it does is our doing."""
        self._held.add(process.name)
        try:
            yield
        finally:
            self._held.discard(process.name)

    @asynccontextmanager
    async def _reviving(self) -> AsyncIterator[None]:
        async def revive() -> None:
            while True:
                await asyncio.sleep(0.5)
                for process in self.grounds.processes.values():
                    status = process.returncode
                    if status is None or process.name in self._held:
                        continue
                    self.ended_by_itself.append(f"{process.name} ended with {describe_exit(status)}")
                    async with self.holding(process):
                        await self.back(process)

        reviving = asyncio.create_task(revive())
        try:
            yield
        finally:
            reviving.cancel()
            await asyncio.gather(reviving, return_exceptions=True)


@asynccontextmanager
async def _kill(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    process = tormentor.grounds.processes[fault.target]
    async with tormentor.holding(process):
        await asyncio.to_thread(process.kill, signal.SIGKILL)
        yield
        await tormentor.back(process)


@asynccontextmanager
async def _pause(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    process = tormentor.grounds.processes[fault.target]
    paused = process.paused()
    await asyncio.to_thread(paused.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(paused.__exit__, None, None, None)


@asynccontextmanager
async def _break(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    link = tormentor.grounds.link(fault.target)
    await tormentor.grounds.links.do(link.close)
    try:
        yield
    finally:
        await tormentor.grounds.links.do(link.open)


@asynccontextmanager
async def _silence(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    link = tormentor.grounds.link(fault.target)
    await tormentor.grounds.links.do(link.silence)
    try:
        yield
    finally:
        await tormentor.grounds.links.do(link.resume)


@asynccontextmanager
async def _hold_answers(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    """What is asked arrives and is done, as when a broker freezes once it has written a record."""
    link = tormentor.grounds.link(fault.target)
    await tormentor.grounds.links.do(link.hold_answers)
    try:
        yield
    finally:
        await tormentor.grounds.links.do(link.resume)


@asynccontextmanager
async def _fill_disk(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    await asyncio.to_thread(tormentor.grounds.refuse_writes, fault.target, refuse=True)
    try:
        yield
    finally:
        await asyncio.to_thread(tormentor.grounds.refuse_writes, fault.target, refuse=False)


@asynccontextmanager
async def _lag(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    """The secondaries take nothing from the primary: no majority has what is written meanwhile."""
    replica_set = tormentor.grounds.replica_set
    assert replica_set is not None
    await asyncio.to_thread(replica_set.stop_replication)
    try:
        yield
    finally:
        await asyncio.to_thread(replica_set.resume_replication)


@asynccontextmanager
async def _lag_and_lose(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    """And then the primary dies with what it alone had; once it is back it must forget that."""
    replica_set = tormentor.grounds.replica_set
    assert replica_set is not None
    primary = await asyncio.to_thread(lambda: replica_set.primary)
    async with tormentor.holding(primary):
        async with _lag(tormentor, fault):
            yield
            await asyncio.to_thread(replica_set.kill_primary)
        await tormentor.back(primary)


@asynccontextmanager
async def _set_clock(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    """A process is killed, and lives on with a wrong clock; then it is killed again, and its clock is right."""
    process = tormentor.grounds.processes[fault.target]
    right = process.env
    assert right is not None
    async with tormentor.holding(process):
        await asyncio.to_thread(process.kill, signal.SIGKILL)
        process.env = {**right, **shifted_clock(fault.skew)}
        await tormentor.back(process)
        yield
        await asyncio.to_thread(process.kill, signal.SIGKILL)
        process.env = right
        await tormentor.back(process)


@asynccontextmanager
async def _inflict_burst(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    """Other callers come, for as long as it lasts; what they have begun they end."""
    until = time.monotonic() + fault.seconds
    more = (BURST - 1) * tormentor.clients
    burst = asyncio.create_task(tormentor.workload.burst(more, until, f"burst {next(tormentor.bursts)}"))
    yield
    await burst


@asynccontextmanager
async def _disturb(tormentor: Tormentor, fault: Fault) -> AsyncIterator[None]:
    until = time.monotonic() + fault.seconds
    disturbance = asyncio.create_task(tormentor.neighbour.disturb(fault.kind, until))
    yield
    await disturbance


_WAYS = {
    "kill": _kill,
    "pause": _pause,
    "break": _break,
    "silence": _silence,
    "fill the disk of": _fill_disk,
    "set the clock of": _set_clock,
    "burst": _inflict_burst,
    "leave unanswered": _hold_answers,
    "lag": _lag,
    "lag and lose": _lag_and_lose,
    **dict.fromkeys((SEARCHES, MAILS, DIRECTORY), _disturb),
}
