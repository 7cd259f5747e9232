"""The platform's standard error body, on every path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

_CODES = {400: "BE0201", 401: "BE0401", 403: "BE0403", 404: "BE0404"}


def error_answer(
    request: Request,
    status: int,
    message: str,
    *,
    details: list[str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer with the standard body; `timestamp` is UTC, to the second, without offset."""
    body = {
        "errorCode": _CODES.get(status, f"BE0{status}"),
        "message": message,
        "status": status,
        "path": request.url.path,
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "details": details,
    }
    return JSONResponse(body, status, headers=headers)


def install_errors(app: FastAPI) -> None:
    """Answer every refusal of `app` with the standard body; input that does not validate is 400."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return error_answer(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return error_answer(request, HTTPStatus.BAD_REQUEST, "Validation failed", details=details)
