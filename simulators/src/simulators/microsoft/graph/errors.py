"""Graph's refusals and the envelope they travel in (https://learn.microsoft.com/graph/errors)."""

import uuid
from datetime import datetime
from typing import Any

from fastapi.responses import JSONResponse


class GraphError(Exception):
    """A refusal: HTTP status, Graph's error code and message, further headers."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def error_response(error: GraphError, *, now: datetime, request_id: str, client_request_id: str | None) -> JSONResponse:
    """The error as Graph sends it; ``innerError.date`` is UTC without an offset."""
    body: dict[str, Any] = {
        "error": {
            "code": error.code,
            "message": error.message,
            "innerError": {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request_id,
                "client-request-id": client_request_id or request_id,
            },
        }
    }
    return JSONResponse(body, error.status, headers=error.headers)


def new_request_id() -> str:
    """The id Graph gives every request, for its support."""
    return str(uuid.uuid4())


def item_not_found() -> GraphError:
    """No such item in this mailbox, deleted ones included."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> GraphError:
    """The id is none that Exchange ever gave out."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def invalid_request(message: str) -> GraphError:
    """The request makes no sense to Exchange."""
    return GraphError(400, "ErrorInvalidRequest", message)


def unreadable_body(message: str) -> GraphError:
    """The body does not fit the type."""
    return GraphError(400, "RequestBodyRead", message)


def unsupported_zone(name: str) -> GraphError:
    """Neither a Windows zone name nor one of the IANA names that Graph lists."""
    return GraphError(
        400,
        "TimeZoneNotSupportedException",
        f"A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'.",
    )


def irresolvable_conflict(status: int = 412) -> GraphError:
    """Somebody else changed the item in between."""
    return GraphError(
        status,
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the request "
        "does not match the current change key for the item.",
    )
