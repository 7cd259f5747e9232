"""Which rows a short page shows."""

from dataclasses import dataclass
from datetime import date

import pytest
from simulators.common.weeks import MAX_ROWS, WeekPage, week_page


@dataclass(frozen=True)
class Row:
    day: date
    changed: str
    text: str = ""


ROWS = [
    Row(date(2026, 6, 1), "3", "Review"),  # a Monday
    Row(date(2026, 6, 7), "4", "Lunch"),  # the Sunday of the same week
    Row(date(2026, 6, 8), "1", "review, again"),
    Row(date(2026, 7, 1), "2", "Other"),
]


def page(rows: list[Row] = ROWS, **asked: str) -> WeekPage[Row]:
    return week_page(rows, day=lambda row: row.day, changed=lambda row: row.changed, text=lambda row: row.text, **asked)


def test_without_a_wish_it_is_the_week_of_the_newest_change_newest_first() -> None:
    shown = page()
    assert [row.text for row in shown.rows] == ["Lunch", "Review"]
    assert (shown.monday, shown.earlier, shown.later) == (date(2026, 6, 1), None, date(2026, 6, 8))


@pytest.mark.parametrize("week", ["2026-06-08", "2026-06-14", "20260610"])
def test_any_day_names_its_week(week: str) -> None:
    shown = page(week=week)
    assert [row.text for row in shown.rows] == ["review, again"]
    assert (shown.earlier, shown.later) == (date(2026, 6, 1), date(2026, 6, 29))


def test_a_week_without_rows_has_neighbours() -> None:
    shown = page(week="2026-06-16")
    assert (shown.rows, shown.earlier, shown.later) == ([], date(2026, 6, 8), date(2026, 6, 29))


def test_a_search_looks_at_every_week_in_any_case() -> None:
    shown = page(query="REVIEW", week="2026-07-01")
    assert [row.changed for row in shown.rows] == ["3", "1"]
    assert (shown.monday, shown.total) == (None, 2)


def test_nothing_and_nonsense_are_pages_too() -> None:
    assert page([]).rows == []
    assert page(week="soon").monday == date(2026, 6, 1)


def test_pages_stay_short() -> None:
    many = [Row(date(2026, 6, 1), f"{number:03}", "x") for number in range(MAX_ROWS + 7)]
    for shown in (page(many), page(many, query="x")):
        assert (len(shown.rows), shown.total) == (MAX_ROWS, MAX_ROWS + 7)
        assert shown.rows[0].changed == f"{MAX_ROWS + 6:03}"
