"""What the descriptions (OpenAPI 3.1) of all public APIs have in common: their error answers, typed and explained."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.api.errors import ErrorBody, ErrorCode

Responses = dict[int | str, dict[str, Any]]
"""The answers of an operation by their status, as FastAPI takes them."""

RETRY_AFTER: dict[str, Any] = {
    "headers": {
        "Retry-After": {
            "description": "seconds after which the same request may succeed",
            "required": True,
            "schema": {"type": "integer", "minimum": 0},
            "example": 2,
        }
    }
}
_WWW_AUTHENTICATE: dict[str, Any] = {
    "headers": {
        "WWW-Authenticate": {"description": "always `Bearer`", "schema": {"type": "string"}, "example": "Bearer"}
    }
}
_HEADERS: Mapping[int, dict[str, Any]] = {401: _WWW_AUTHENTICATE, 429: RETRY_AFTER, 503: RETRY_AFTER}


def error_responses(*statuses: int) -> Responses:
    """Answers with these statuses, which carry the platform's standard error body."""
    return {status: {"model": ErrorBody} | _HEADERS.get(status, {}) for status in sorted({*statuses})}


def explain_errors(path: str, responses: dict[str, Any], path_examples: Mapping[str, str]) -> None:
    """Say of each error answer which codes it can carry, and show one.

    ``responses`` are an operation's in the finished description; ``path_examples`` has a value for each ``{name}`` of
    the path.
    """
    for status, response in responses.items():
        answer = response.get("content", {}).get("application/json")
        if status >= "400" and answer:
            response["description"] = _meaning(int(status))
            answer["example"] = _example(int(status), re.sub(r"\{\w+\}", lambda name: path_examples[name[0]], path))


def _meaning(status: int) -> str:
    """Every error code that answers with a status."""
    return "; ".join(f"`{entry.code}` {entry.message}" for entry in ErrorCode if entry.status == status)


def _example(status: int, path: str) -> dict[str, Any]:
    """The most general error answer of a status."""
    code = next(entry for entry in ErrorCode if entry.status == status)
    wrong_input = ["endDateTime: must be after startDateTime"] if code is ErrorCode.VALIDATION_FAILED else None
    return ErrorBody(
        error_code=code.code,
        message=code.message,
        status=status,
        path=path,
        timestamp="2026-06-15T10:30:00",
        details=wrong_input,
    ).model_dump(mode="json")
