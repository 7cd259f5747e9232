"""Requests and answers, checked against the discovery document.

A request that does not fit is the caller's fault (400). An answer of the simulator that does not fit is the
simulator's fault: it raises :class:`UntrueAnswer`, which becomes a loud 500.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from starlette.datastructures import QueryParams

from simulators.google.calendar.errors import ApiError, invalid
from simulators.google.calendar.times import rfc3339
from simulators.google.discovery.document import Method, document
from simulators.google.state import Json


class UntrueAnswer(Exception):  # noqa: N818 - it is the simulator that erred, not the caller
    """The simulator was about to send something that Google's schema does not allow."""


def read_parameters(method: Method, path: Mapping[str, str], query: QueryParams) -> Json:
    """Path and query parameters with their types. Raises ApiError 400 for unknown, malformed or missing ones."""
    values: Json = {}
    for name in query:
        described = method.parameters.get(name)
        if described is None or described["location"] != "query":
            raise ApiError(
                400, "invalidParameter", f'Unknown name "{name}": Cannot bind query parameter.', location=name
            )
        raw = query.getlist(name)
        if not described.get("repeated") and len(raw) > 1:
            raise ApiError(400, "invalidParameter", f"Invalid value: {name} may appear once only.", location=name)
        parsed = [_typed(name, text, described) for text in raw]
        values[name] = parsed if described.get("repeated") else parsed[0]
    values |= path
    for name, described in method.parameters.items():
        if described.get("required") and name not in values:
            raise ApiError(400, "required", f"Required parameter: {name}", location=name)
        if "default" in described and name not in values:
            values[name] = _typed(name, described["default"], described)
    return values


def _typed(name: str, text: str, described: Json) -> Any:
    problem = ApiError(400, "invalidParameter", f"Invalid value '{text[:100]}' for {name}.", location=name)
    if described["type"] == "boolean":
        if text.lower() not in ("true", "false"):
            raise problem
        return text.lower() == "true"
    if described["type"] == "integer":
        if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or len(text) > 11:
            raise problem
        number = int(text)
        if not int(described.get("minimum", -(2**31))) <= number <= int(described.get("maximum", 2**31 - 1)):
            raise problem
        return number
    if "enum" in described and text not in described["enum"]:
        raise problem
    if described.get("format") == "date-time":
        rfc3339(text, location=name)
    return text


def check_body(schema: str, body: Any) -> Json:
    """The request body as an object, without fields that the schema does not know: the API ignores them.

    Null means "not set". Raises ApiError 400 when the body is no object or a field has the wrong type.
    """
    if not isinstance(body, dict):
        raise invalid("Invalid JSON payload received: an object is required.", reason="badRequest")
    problem = best_match(_validator(schema, strict=False).iter_errors(_without_nulls(body)))
    if problem is not None:
        raise invalid(f"Invalid value at '{_where(problem)}': {problem.message[:200]}", reason="badRequest")
    known: Json = _known({"$ref": schema}, body)
    return known


def check_answer(method: Method, answer: Json | None) -> None:
    """Raises UntrueAnswer when an answer is not what the document says this method answers."""
    if (answer is None) != (method.response is None):
        raise UntrueAnswer(f"{method.name}: the document says {method.response or 'no content'}")
    if method.response is None:
        return
    problem = best_match(_validator(method.response, strict=True).iter_errors(answer))
    if problem is not None:
        raise UntrueAnswer(f"{method.name}: {_where(problem)}: {problem.message}")


def _where(problem: ValidationError) -> str:
    return ".".join(str(part) for part in problem.absolute_path) or "body"


def _known(part: Json, value: Any) -> Any:
    part = document()["schemas"][part["$ref"]] if "$ref" in part else part
    if isinstance(value, list):
        return [_known(part["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    fields, others = part.get("properties", {}), part.get("additionalProperties")
    return {
        key: _known(fields.get(key, others), inner)
        for key, inner in value.items()
        if key in fields or others is not None
    }


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value


_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ApiError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or bool(rfc3339(value))


@_formats.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or date.fromisoformat(value).isoformat() == value


@_formats.checks("int64", raises=ValueError)
def _is_int64(value: object) -> bool:
    return not isinstance(value, str) or abs(int(value)) < 2**63


@cache
def _validator(schema: str, *, strict: bool) -> Draft202012Validator:
    definitions = {name: _json_schema(part, strict=strict) for name, part in document()["schemas"].items()}
    whole = {"$ref": f"#/$defs/{schema}", "$defs": definitions}
    # In requests a dateTime may lack its offset (EventDateTime); there the calendar's own rules judge the text.
    return Draft202012Validator(whole, format_checker=_formats if strict else None)


def _json_schema(part: Json, *, strict: bool) -> Json:
    """A discovery schema as JSON Schema: same words, but closed when ``strict`` and with standard references."""
    if "$ref" in part:
        return {"$ref": f"#/$defs/{part['$ref']}"}
    made: Json = {} if part.get("type", "any") == "any" else {"type": part["type"]}
    if part.get("format") == "int64" and not strict:  # written as text, read as either
        made["type"] = ["string", "integer"]
    made |= {word: part[word] for word in ("enum", "format") if word in part}
    if "items" in part:
        made["items"] = _json_schema(part["items"], strict=strict)
    if "properties" in part:
        made["properties"] = {name: _json_schema(inner, strict=strict) for name, inner in part["properties"].items()}
    if "additionalProperties" in part:
        made["additionalProperties"] = _json_schema(part["additionalProperties"], strict=strict)
    elif strict and part.get("type") == "object":
        made["additionalProperties"] = False
    return made
