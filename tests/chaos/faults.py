"""The faults of a campaign: drawn by a seed, inflicted on a running platform, undone, and written down."""

import asyncio
import itertools
import random
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from localrun.processes import Process, ProcessFailedError, describe_exit

from tests.chaos.grounds import OWNERS, SERVICES, Grounds
from tests.chaos.neighbours import DIRECTORY, MAILS, SEARCHES, Neighbour
from tests.chaos.workload import Workload
from tests.clocks import shifted_clock

Targets = Mapping[str, Sequence[str]]
"""What can be done to whom, by kind of fault."""
_INFRASTRUCTURE = frozenset({"kafka", "mongodb"})
_BACK_WITHIN = 120.0
_OFTEN = {"kill": 3, "pause": 2}
"""How many times as often as the others these are."""
BURST = 10
"""How many times the usual load a burst is."""


@dataclass(frozen=True)
class Fault:
    """``seconds``: how long it lasts; its target then takes its time to be ready again."""

    kind: str
    target: str
    seconds: float
    skew: int = 0
    """Seconds that a wrong clock is ahead."""

    def __str__(self) -> str:
        skewed = f" by {self.skew:+d} s" if self.skew else ""
        return f"{self.kind} {self.target}{skewed} for {self.seconds:.1f} s"


@dataclass(frozen=True)
class Spell:
    """A fault, perhaps a second one that begins ``after`` so many seconds, and then calm for so long."""

    first: Fault
    second: Fault | None
    after: float
    calm: float


@dataclass(frozen=True)
class Inflicted:
    """A fault as it happened. ``began`` and ``ended`` are monotonic; it ended when its target was ready again."""

    fault: Fault
    began: float
    ended: float

    @property
    def kind(self) -> str:
        return self.fault.kind


def small() -> Targets:
    """What fits into a minute and an embedded broker."""
    return {"kill": (*SERVICES, "mongodb"), "pause": (*SERVICES, "mongodb"), "burst": ("callers",)}


def full(kafka: str) -> Targets:
    """All that can be done; with Apache Kafka, to the broker too: Tansu would forget everything."""
    broker = ("kafka",) if kafka == "apache" else ()
    ways = [f"{service} to mongodb" for service in OWNERS]
    ways += [f"{service} to kafka" for service in SERVICES] if kafka == "apache" else []
    around = ("mail", "google", "microsoft", "platform")
    return {
        "kill": (*SERVICES, "mail", "mongodb", *broker),
        "pause": (*SERVICES, "mongodb", *broker, *around),
        "break": ways,
        "silence": ways,
        "hold the answers of": [" to ".join(reversed(way.split(" to "))) for way in ways],
        "fill the disk of": OWNERS,
        "set the clock of": OWNERS,
        "burst": ("callers",),
        **dict.fromkeys((SEARCHES, MAILS, DIRECTORY), ("a neighbour",)),
    }


def draw(seed: int, targets: Targets, *, longest: float = 15.0) -> Iterator[Spell]:
    """The spells of a campaign, without end, the same for the same seed.

    Two faults at a time never have the same target, nor broker and database. ``longest``: how long one may last, in
    seconds; calm lasts a quarter to two thirds of that.
    """
    chance = random.Random(f"faults {seed}")

    def fault() -> Fault:
        (kind,) = chance.choices(list(targets), [_OFTEN.get(kind, 1) for kind in targets])
        seconds = chance.uniform(0, longest / 3) if kind == "kill" else chance.uniform(1, longest)
        skew = chance.choice([-60, -20, -5, 5, 20, 60]) if kind == "set the clock of" else 0
        return Fault(kind, chance.choice(targets[kind]), round(seconds, 1), skew)

    while True:
        first, second = fault(), fault()
        together = chance.random() < 0.4 and not _touches(first) & _touches(second)
        after, calm = chance.uniform(0, first.seconds), chance.uniform(longest / 4, longest * 0.7)
        yield Spell(first, second if together else None, round(after, 1), round(calm, 1))


def _touches(fault: Fault) -> set[str]:
    """What no second fault may touch meanwhile."""
    touched = {part for part in fault.target.split(" to ") if part not in _INFRASTRUCTURE}
    infrastructure = bool(_INFRASTRUCTURE & set(fault.target.split())) or fault.kind.startswith("fill")
    return touched | ({"infrastructure"} if infrastructure else set())


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
    link = tormentor.grounds.link(" to ".join(reversed(fault.target.split(" to "))))
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
    "hold the answers of": _hold_answers,
    **dict.fromkeys((SEARCHES, MAILS, DIRECTORY), _disturb),
}
