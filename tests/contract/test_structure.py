"""The limits of CONTRIBUTING on sizes and names, for all source files."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for place in ("libs", "services", "simulators", "tools")
    for path in sorted((ROOT / place).rglob("src/**/*.py"))
]
MAX_FILE, MAX_CLASS, MAX_FUNCTION = 300, 200, 60
"""Lines."""

TOO_LONG = {
    "meeting_core/bootstrap.py create_app",
    "meeting_core/bootstrap.py lifespan",
    "meeting_core/domain/meeting.py",
    "meeting_core/domain/meeting.py Meeting",
}
"""What is still to be split."""

SAME_NAME = {"Settings"}
"""Names that every program may use for the same thing."""


def _name(path: Path) -> str:
    return str(path.relative_to(path.parents[len(path.parts) - path.parts.index("src") - 2]))


def _too_long(path: Path) -> Iterator[str]:
    text = path.read_text()
    if text.count("\n") > MAX_FILE:
        yield _name(path)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            limit = MAX_CLASS if isinstance(node, ast.ClassDef) else MAX_FUNCTION
            if (node.end_lineno or 0) - node.lineno + 1 > limit:
                yield f"{_name(path)} {node.name}"


def test_no_file_class_or_function_is_too_long() -> None:
    assert len(SOURCES) > 300
    assert {found for path in SOURCES for found in _too_long(path)} == TOO_LONG


def test_no_class_name_is_used_twice_in_a_program() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in SOURCES:
        package, sub_package = path.parts[path.parts.index("src") + 1 :][:2]
        program = f"{package}.{sub_package}" if package == "simulators" else package
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[program, node.name.lstrip("_")].append(_name(path))
    twice = {key: found for key, found in places.items() if len(found) > 1 and key[1] not in SAME_NAME}
    assert twice == {}
