"""The change that docs/how-to/add-a-field.md shows still fits the source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FILE = re.compile(r"^--- a/(\S+)\n\+\+\+ b/\1\n(.*?)(?=^--- a/|\Z)", re.MULTILINE | re.DOTALL)
_DIFF = re.search(r"```diff\n(.*?)```", (ROOT / "docs/how-to/add-a-field.md").read_text(), re.DOTALL)
assert _DIFF is not None
CHANGES: dict[str, str] = dict(_FILE.findall(_DIFF[1]))


def test_a_field_takes_three_source_files() -> None:
    assert len(CHANGES) == 3


@pytest.mark.parametrize("path", CHANGES)
def test_the_change_fits_the_source(path: str) -> None:
    source = (ROOT / path).read_text()
    for hunk in re.split(r"^@@.*\n", CHANGES[path], flags=re.MULTILINE)[1:]:
        before = "".join(line[1:] for line in hunk.splitlines(keepends=True) if not line.startswith("+"))
        assert before.rstrip() in source, "update docs/how-to/add-a-field.md"
