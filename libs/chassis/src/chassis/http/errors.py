"""Every error answer carries the platform's standard body, on every path."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.api.errors import ApiError, ErrorBody, ErrorCode
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import Scope

from chassis.http.internal_queries import QueryUnavailableError
from chassis.kafka.command_client import BrokerUnavailableError

_RETRY_AFTER = 2
_BY_STATUS = {
    401: ErrorCode.AUTHENTICATION_REQUIRED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}
_MAX_DETAILS = 50


def error_response(path: str, refusal: ApiError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells of a refusal."""
    code = refusal.code
    body = ErrorBody(
        error_code=code.code,
        message=refusal.message,
        status=code.status,
        path=path,
        timestamp=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        details=refusal.details,
    )
    sent = {**(headers or {}), **retry_headers(refusal)}
    if code is ErrorCode.AUTHENTICATION_REQUIRED:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(body.model_dump_json(), code.status, sent, media_type="application/json")


def retry_headers(refusal: ApiError) -> dict[str, str]:
    """When the same request may be tried again, if that is known."""
    seconds = _RETRY_AFTER if refusal.code is ErrorCode.SERVICE_UNAVAILABLE else refusal.retry_after
    return {} if seconds is None else {"Retry-After": str(seconds)}


HANDLED_ERRORS = (ApiError, RequestValidationError, HTTPException, BrokerUnavailableError, QueryUnavailableError)
"""What endpoints may end with besides an answer; ``to_api_error`` says what it means."""


def to_api_error(error: Exception) -> ApiError:
    """What an expected error means to the caller."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return invalid_input(error.errors())
        case HTTPException():
            return ApiError(_BY_STATUS.get(error.status_code, ErrorCode.MALFORMED_REQUEST))
        case _:
            return ApiError(ErrorCode.SERVICE_UNAVAILABLE)


def add_error_handlers(app: FastAPI) -> None:
    """Turn whatever is raised into standard error answers."""

    async def expected(request: Request, error: Exception) -> Response:
        refusal = to_api_error(error)
        not_allowed = isinstance(error, HTTPException) and error.status_code == 405
        headers = _allow_header(request) if not_allowed else getattr(error, "headers", None)
        return error_response(request.scope["path"], refusal, headers)

    for kind in HANDLED_ERRORS:
        app.add_exception_handler(kind, expected)


def internal_error_response(scope: Scope) -> Response:
    """The answer to an unexpected error; only the log says which."""
    return error_response(scope["path"], ApiError(ErrorCode.INTERNAL_ERROR))


def unavailable_response(scope: Scope) -> Response:
    """The answer while the service waits for what it depends on."""
    return error_response(scope["path"], ApiError(ErrorCode.SERVICE_UNAVAILABLE))


def _allow_header(request: Request) -> dict[str, str]:
    """The methods of every route of this path; the router itself names those of the first."""
    routes = (route for route in iter_route_contexts(request.app.routes) if route.methods)
    here = [route.methods or set() for route in routes if route.path_regex.match(request.scope["path"])]
    return {"Allow": ", ".join(sorted(set[str]().union(*here)))}


def invalid_input(errors: Sequence[Any]) -> ApiError:
    """A refusal that names each wrong field, ``field: message``, without repeating the input."""
    if any(error["type"] in ("json_invalid", "json_type") for error in errors):
        return ApiError(ErrorCode.MALFORMED_REQUEST, details=["body: is not valid JSON"])
    return ApiError(ErrorCode.VALIDATION_FAILED, details=[_detail(error) for error in errors[:_MAX_DETAILS]])


def _detail(error: Mapping[str, Any]) -> str:
    place = [part for part in error["loc"] if part not in ("body", "query", "path", "header")]
    if isinstance(field := (error.get("ctx") or {}).get("field"), str):
        place.append(field)
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name or 'body'}: {message}"
