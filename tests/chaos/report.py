"""What a campaign was, as a page: what was done, what went wrong on purpose, what callers saw, what was found."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.chaos.faults import Inflicted
from tests.chaos.history import Attempt, History, Operation

AFTERMATH = 5.0
"""Seconds after a fault that still count as its time."""


@dataclass(frozen=True)
class Result:
    """All there is to tell. Times are monotonic, durations in seconds."""

    command: str
    seed: int
    kafka: str
    machine: str
    date: str
    began: float
    tormented: float
    """How long there were faults and load."""
    settled: float
    """How long it then took until every promise was kept; until patience ended, if any was broken."""
    history: History
    inflicted: Sequence[Inflicted]
    ended_by_itself: Sequence[str]
    counts: dict[str, int]
    last_to_settle: Sequence[str]
    """What was missing at the last look before all was well."""
    findings: Sequence[str]


def markdown(result: Result) -> str:
    """The page."""
    verdict = "Every promise was kept." if not result.findings else f"**{len(result.findings)} promises were broken.**"
    sections = [
        f"# Failure campaign of {result.date}",
        f"`{result.command}`, seed {result.seed}, Kafka: {result.kafka}, {result.machine}.",
        f"{result.tormented:.0f} s of load and faults; calm {result.settled:.0f} s later. {verdict}",
        "## What was done",
        _table(("what", "count"), [(name, str(count)) for name, count in result.counts.items()]),
        _table(("operation", "in the end"), _outcomes(result.history)),
        "## What was broken",
        _table(("fault", "times", "seconds"), _faults(result.inflicted)),
        _list("Ended by themselves, and were started again", result.ended_by_itself),
        "## What callers saw",
        "Attempts by their answer; a good caller repeats the last four under its key.",
        _table(("answer", "calm", "under fault"), _statuses(result)),
        f"Answered attempts; a fault's time ends {AFTERMATH:.0f} s after its target was ready again. Milliseconds.",
        _table(("requests", "calm p50", "p99", "under fault p50", "p99"), _latencies(result)),
        _list("The last to come right", [] if result.findings else result.last_to_settle[:10]),
        "## Findings",
        _list("", result.findings) or "None.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _outcomes(history: History) -> list[tuple[str, str]]:
    by_kind: dict[str, Counter[str]] = {}
    for operation in history.operations():
        by_kind.setdefault(operation.kind, Counter())[operation.outcome] += 1
    return [
        (kind, ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())))
        for kind, counted in sorted(by_kind.items())
    ]


def _faults(inflicted: Iterable[Inflicted]) -> list[tuple[str, str, str]]:
    lasted: dict[str, list[float]] = {}
    for one in inflicted:
        lasted.setdefault(f"{one.fault.kind} {one.fault.target}", []).append(one.ended - one.began)
    return [
        (what, str(len(seconds)), ", ".join(f"{each:.1f}" for each in seconds))
        for what, seconds in sorted(lasted.items())
    ]


def _statuses(result: Result) -> list[tuple[str, str, str]]:
    is_calm = _calm(result)
    counted: dict[bool, Counter[int | None]] = {True: Counter(), False: Counter()}
    for operation in result.history.operations():
        for attempt in operation.attempts:
            counted[is_calm(attempt)][attempt.status] += 1
    statuses = sorted({*counted[True], *counted[False]}, key=lambda status: status or 1000)
    return [(str(status or "none"), str(counted[True][status]), str(counted[False][status])) for status in statuses]


def _latencies(result: Result) -> list[tuple[str, ...]]:
    is_calm = _calm(result)
    rows = list[tuple[str, ...]]()
    for name, operations in (("writes", result.history.writes), ("reads", result.history.reads)):
        taken: dict[bool, list[float]] = {True: [], False: []}
        for attempt in _answered(operations):
            taken[is_calm(attempt)].append((attempt.answered_at - attempt.asked_at) * 1000)
        rows.append((name, *_percentiles(taken[True]), *_percentiles(taken[False])))
    return rows


def _answered(operations: Iterable[Operation]) -> Iterable[Attempt]:
    return (one for operation in operations for one in operation.attempts if one.status is not None)


def _percentiles(taken: list[float]) -> tuple[str, str]:
    if len(taken) < 2:
        return "-", "-"
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return f"{cuts[49]:.0f}", f"{cuts[98]:.0f}"


def _calm(result: Result) -> Callable[[Attempt], bool]:
    """Whether no fault was in force, or just over, at any moment of an attempt."""
    troubled = [(one.began, one.ended + AFTERMATH) for one in result.inflicted]

    def is_calm(attempt: Attempt) -> bool:
        return not any(attempt.asked_at < ended and began < attempt.answered_at for began, ended in troubled)

    return is_calm


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join([*([f"{title}:", ""] if title else []), *(f"- {line}" for line in lines)])
