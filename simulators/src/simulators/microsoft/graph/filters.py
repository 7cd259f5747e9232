"""The part of ``$filter`` that Exchange supports on events: terms joined by ``and``.

Source: https://learn.microsoft.com/graph/filter-query-parameter and, for extended properties,
https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get ("GET items using $filter").
"""

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from simulators.microsoft.calendar import properties
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.graph.odata import at_path

JsonObject = dict[str, Any]
Test = Callable[[JsonObject, dict[str, str]], bool]
"""Whether an event passes: its JSON and its extended properties by id."""

_STRING = r"'((?:[^']|'')*)'"
_EXTENDED = re.compile(
    rf"singleValueExtendedProperties/any\(\s*(\w+)\s*:\s*\1/id\s+eq\s+{_STRING}\s+and\s+\1/value\s+eq\s+{_STRING}\s*\)",
    re.IGNORECASE,
)
_COMPARISON = re.compile(rf"([A-Za-z/]+)\s+(eq|ne|gt|ge|lt|le)\s+(?:{_STRING}|(true|false|null|-?\d+))")
_STARTS = re.compile(rf"startswith\(\s*([A-Za-z/]+)\s*,\s*{_STRING}\s*\)", re.IGNORECASE)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


def compiled(text: str | None) -> Test:
    """The test a filter describes. Raises GraphError (400) for what Exchange could not evaluate."""
    tests = [_term(term) for term in _terms(text or "")]
    return lambda item, extended: all(test(item, extended) for test in tests)


def _terms(text: str) -> Iterator[str]:
    depth, quoted, begin = 0, False, 0
    for position, character in enumerate(text):
        quoted ^= character == "'"
        if not quoted:
            depth += (character == "(") - (character == ")")
        if not quoted and depth == 0 and text[position : position + 5].lower() == " and ":
            yield text[begin:position]
            begin = position + 5
    if text.strip():
        yield text[begin:]


def _term(text: str) -> Test:
    text = text.strip()
    if match := _EXTENDED.fullmatch(text):
        key, value = properties.property_id(_unquoted(match[2])), _unquoted(match[3])
        return lambda _, extended: extended.get(key) == value
    if match := _STARTS.fullmatch(text):
        path, beginning = match[1], _unquoted(match[2]).lower()
        return lambda item, _: str(at_path(item, path) or "").lower().startswith(beginning)
    if match := _COMPARISON.fullmatch(text):
        path, compare, literal = match[1], _OPERATORS[match[2]], _literal(match)
        return lambda item, _: _compared(compare, at_path(item, path), literal)
    raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")


def _compared(compare: Callable[[Any, Any], bool], value: Any, literal: Any) -> bool:
    try:
        return compare(value, literal)
    except TypeError:
        return False


def _literal(match: re.Match[str]) -> Any:
    if match[3] is not None:
        return _unquoted(match[3])
    return _WORDS[match[4]] if match[4] in _WORDS else int(match[4])


def _unquoted(text: str) -> str:
    return text.replace("''", "'")
