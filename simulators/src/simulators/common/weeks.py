"""Short pages of what happened: one week at a time, the newest change first, or what a search finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

Row = TypeVar("Row")
MAX_ROWS = 50
"""How many rows a page shows, at most."""


@dataclass(frozen=True)
class WeekPage(Generic[Row]):
    """What a page shows. `monday` is that of its week, None for a search and when there is nothing."""

    rows: list[Row]
    monday: date | None = None
    earlier: date | None = None
    """The Monday of the nearest week before this one that has rows."""
    later: date | None = None
    query: str = ""
    total: int = 0
    """How many rows the week or the search has, also those that are not shown."""


def week_page(
    rows: Sequence[Row],
    *,
    day: Callable[[Row], date],
    changed: Callable[[Row], str],
    text: Callable[[Row], str],
    week: str = "",
    query: str = "",
) -> WeekPage[Row]:
    """The rows of the week that the ISO date `week` is in, or those whose `text` has `query` in it, in any case.

    Without either, the week of the newest change. `changed` gives keys that sort as the changes came.
    """
    newest_first = sorted(rows, key=changed, reverse=True)
    if query:
        found = [row for row in newest_first if query.casefold() in text(row).casefold()]
        return WeekPage(found[:MAX_ROWS], query=query, total=len(found))
    mondays = sorted({monday_of(day(row)) for row in rows})
    chosen = _read_week(week) or (monday_of(day(newest_first[0])) if newest_first else None)
    if chosen is None:
        return WeekPage([])
    found = [row for row in newest_first if monday_of(day(row)) == chosen]
    return WeekPage(
        found[:MAX_ROWS],
        total=len(found),
        monday=chosen,
        earlier=max((monday for monday in mondays if monday < chosen), default=None),
        later=min((monday for monday in mondays if monday > chosen), default=None),
    )


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _read_week(text: str) -> date | None:
    try:
        return monday_of(date.fromisoformat(text))
    except ValueError:
        return None
