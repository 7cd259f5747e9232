"""Every error answer carries the platform's standard body, on every path."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from chassis.kafka.requests import BusUnavailableError
from chassis.queries import QueryUnavailableError
from contracts.errors import ErrorBody, ErrorCode, Refusal
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

log = structlog.get_logger()

_RETRY_AFTER = "2"
_BY_STATUS = {
    401: ErrorCode.AUTHENTICATION_REQUIRED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}
_MOST_DETAILS = 50


def error_response(path: str, refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
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
    sent = dict(headers or {})
    if code is ErrorCode.SERVICE_UNAVAILABLE:
        sent["Retry-After"] = _RETRY_AFTER
    if code is ErrorCode.AUTHENTICATION_REQUIRED:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(body.model_dump_json(), code.status, sent, media_type="application/json")


def add_error_handlers(app: FastAPI) -> None:
    """Turn whatever is raised into standard error answers."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return error_response(request.url.path, refusal)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return error_response(request.url.path, invalid_input(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = _BY_STATUS.get(error.status_code, ErrorCode.MALFORMED_REQUEST)
        return error_response(request.url.path, Refusal(code), error.headers)

    @app.exception_handler(BusUnavailableError)
    @app.exception_handler(QueryUnavailableError)
    async def unavailable(request: Request, _error: Exception) -> Response:
        return error_response(request.url.path, Refusal(ErrorCode.SERVICE_UNAVAILABLE))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("unexpected error", exc_info=error)
        return error_response(request.url.path, Refusal(ErrorCode.INTERNAL_ERROR))


def invalid_input(errors: Sequence[Any]) -> Refusal:
    """A refusal that names each wrong field, ``field: message``, without repeating the input."""
    if any(error["type"] in ("json_invalid", "json_type") for error in errors):
        return Refusal(ErrorCode.MALFORMED_REQUEST, details=["body: is not valid JSON"])
    return Refusal(ErrorCode.VALIDATION_FAILED, details=[_detail(error) for error in errors[:_MOST_DETAILS]])


def _detail(error: Mapping[str, Any]) -> str:
    place = [part for part in error["loc"] if part not in ("body", "query", "path", "header")]
    if isinstance(field := (error.get("ctx") or {}).get("field"), str):
        place.append(field)
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name or 'body'}: {message}"
