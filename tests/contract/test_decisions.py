"""Decisions have one form: a numbered heading, status and date."""

import re
from pathlib import Path

import pytest

DECISIONS = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_number_status_and_date(decision: Path) -> None:
    form = r"# (\d+)\. \S[^\n]*\n\nStatus: [a-z][^\n]*\nDate: \d{4}-\d\d-\d\d\n\n"
    head = re.match(form, decision.read_text())
    assert head is not None
    assert int(head[1]) == int(decision.name[:4])
