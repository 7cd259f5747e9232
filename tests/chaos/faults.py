"""The faults of a campaign, drawn by a seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.grounds import OWNERS, SERVICES
from tests.chaos.neighbours import DIRECTORY, MAILS, SEARCHES

Targets = Mapping[str, Sequence[str]]
"""What can be done to whom, by kind of fault."""
_INFRASTRUCTURE = frozenset({"kafka", "mongodb"})
_OFTEN = {"kill": 3, "pause": 2}
"""How many times as often as the others these are."""


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


def full(kafka: str, members: int = 1) -> Targets:
    """All that can be done; with Apache Kafka, to the broker too: Tansu would forget everything.

    With three ``members``, MongoDB's secondaries fall behind and its primary is lost; what needs one is not done.
    """
    broker = ("kafka",) if kafka == "apache" else ()
    database = ("mongodb",) if members == 1 else ()
    ways = [f"{service} to mongodb" for service in OWNERS if members == 1]
    ways += [f"{service} to kafka" for service in SERVICES] if kafka == "apache" else []
    around = ("mail", "google", "microsoft", "platform")
    return {
        "kill": (*SERVICES, "mail", *database, *broker),
        "pause": (*SERVICES, *database, *broker, *around),
        **({"break": ways, "silence": ways, "leave unanswered": ways} if ways else {}),
        **({"fill the disk of": OWNERS} if members == 1 else {"lag": ("mongodb",), "lag and lose": ("mongodb",)}),
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
