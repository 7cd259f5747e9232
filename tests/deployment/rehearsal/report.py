"""The steps of a rehearsal and how long they took, as a table on the screen and in docs/how-to/deploy.md."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

_HEADINGS = ("step", "seconds", "then a meeting, by provider")


@dataclass
class Row:
    """One step."""

    step: str
    seconds: float
    meetings: list[float] = field(default_factory=list)
    """Seconds that a meeting then took to go all its ways, one for each provider."""

    def cells(self) -> tuple[str, str, str]:
        return self.step, f"{self.seconds:.1f}", ", ".join(f"{seconds:.1f}" for seconds in self.meetings)


class Report:
    """Prints each step as it ends."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        """What was found beside times: versions, sizes."""
        self._console = Console(highlight=False, soft_wrap=True)
        self._rows: list[Row] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Take the time of what is done within."""
        began = time.monotonic()
        yield
        self.add(what, time.monotonic() - began)

    def add(self, step: str, seconds: float) -> None:
        self._rows.append(Row(step, seconds))
        self._console.print(f"{step}: {seconds:.1f} s")

    def add_meetings(self, seconds: list[float]) -> None:
        """What was done with the platform after the last step."""
        self._rows[-1].meetings = seconds
        self._console.print(f"  a meeting, by provider: {', '.join(map(str, seconds))} s")

    def add_fact(self, fact: str) -> None:
        self.facts.append(fact)
        self._console.print(fact)

    def show(self) -> None:
        table = Table(*_HEADINGS)
        for row in self._rows:
            table.add_row(*row.cells())
        self._console.print(table)

    def as_markdown(self) -> str:
        head = [f"{datetime.now(UTC):%Y-%m-%d}: {'; '.join(self.facts)}.", ""]
        table = [_HEADINGS, ("---",) * len(_HEADINGS), *(row.cells() for row in self._rows)]
        return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in table)]) + "\n"
