"""Partial responses: the ``fields`` parameter (developers.google.com/workspace/calendar/api/guides/performance)."""

import re
from typing import Any

from simulators.google.calendar.errors import ApiError

_Tree = dict[str, Any]
_TOKENS = re.compile(r"[A-Za-z0-9_*]+|[(),/]")


def select(answer: dict[str, Any], fields: str) -> dict[str, Any]:
    """Only the named parts of an answer, e.g. ``items(id,start/dateTime),nextPageToken``. Raises ApiError 400."""
    tokens = _TOKENS.findall(fields)
    if "".join(tokens) != fields.replace(" ", ""):
        raise _bad(fields)
    tree = _parse(tokens, fields)
    if tokens:
        raise _bad(fields)
    kept: dict[str, Any] = _keep(answer, tree)
    return kept


def _parse(tokens: list[str], fields: str) -> _Tree:
    tree: _Tree = {}
    while True:
        if not tokens or tokens[0] in "(),/":
            raise _bad(fields)
        here = tree.setdefault(tokens.pop(0), {})
        while tokens and tokens[0] == "/":
            tokens.pop(0)
            if not tokens or tokens[0] in "(),/":
                raise _bad(fields)
            here = here.setdefault(tokens.pop(0), {})
        if tokens and tokens[0] == "(":
            tokens.pop(0)
            here.update(_parse(tokens, fields))
            if not tokens or tokens.pop(0) != ")":
                raise _bad(fields)
        if not tokens or tokens[0] != ",":
            return tree
        tokens.pop(0)


def _keep(value: Any, tree: _Tree | None) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_keep(part, tree) for part in value]
    if isinstance(value, dict):
        return {
            key: _keep(part, tree.get(key, tree.get("*"))) for key, part in value.items() if key in tree or "*" in tree
        }
    return value


def _bad(fields: str) -> ApiError:
    return ApiError(400, "invalidParameter", f"Invalid field selection {fields[:100]}", location="fields")
