"""What operators see: text and tables on standard output, progress and complaints on standard error."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

Parameters = ParamSpec("Parameters")
_WIDTH_OF_PIPES = 200
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDTH_OF_PIPES)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows under their column names; numbers to the right."""
    shown = [[str(value) for value in row] for row in rows]
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        numeric = bool(shown) and all(row[number].replace(".", "").isdigit() for row in shown)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold", header_style="dim")
    for row in shown:
        made.add_row(*row)
    out.print(made)
    out.print()


def progress() -> Progress:
    """A bar for work that takes a while, which leaves standard output to what is printed there."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err)


def local(at: datetime | None) -> str:
    """An instant for people: UTC, to the second."""
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%SZ}"


def awaited(command: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """A command that is a coroutine, as one that typer can call."""

    @wraps(command)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        asyncio.run(command(*arguments, **options))

    return run
