"""What can go wrong, as exceptions: one class per HTTP status that callers treat differently."""

import httpx
from contracts.api.errors import ErrorBody
from pydantic import ValidationError

CORRELATION_HEADER = "X-Correlation-Id"


class MeetingsError(Exception):
    """Anything that this client raises."""


class OutcomeUnknownError(MeetingsError):
    """The command was accepted, or may have been; its outcome was not known within the deadline.

    Ask again with the same ``idempotency_key``: the command is carried out once, however often it is sent.
    """

    def __init__(self, idempotency_key: str, location: str | None = None) -> None:
        """``location`` is the path of the meeting, when the API named it."""
        super().__init__(f"the outcome is not known yet; repeat with Idempotency-Key {idempotency_key}")
        self.idempotency_key = idempotency_key
        self.location = location


class ApiError(MeetingsError):
    """The API refused. ``code`` is an entry of the error table (docs/generated/errors.md), None when not ours."""

    status: int

    def __init__(self, status: int, body: ErrorBody | None, *, correlation_id: str | None = None) -> None:
        """``correlation_id`` finds the request in the platform's logs."""
        super().__init__(f"{status} {body.error_code}: {body.message}" if body else f"{status}")
        self.status = status
        self.code = body.error_code if body else None
        self.message = body.message if body else ""
        self.details = (body.details if body else None) or []
        self.correlation_id = correlation_id


class InvalidRequestError(ApiError):
    """400: ``details`` says what is wrong, as ``field: message``."""


class AuthenticationError(ApiError):
    """401: the access token is missing, invalid or has expired."""


class ForbiddenError(ApiError):
    """403: the caller may not do this."""


class NotFoundError(ApiError):
    """404: there is no such thing in this tenant."""


class ConflictError(ApiError):
    """409: the current state does not allow it."""


class PreconditionFailedError(ApiError):
    """412: the meeting has changed since it was read."""


class TooManyRequestsError(ApiError):
    """429, still after the last retry."""


class UnavailableError(ApiError):
    """503 or no answer at all, still after the last retry. Nothing was accepted."""


_CLASSES: dict[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    429: TooManyRequestsError,
    503: UnavailableError,
}


def error_for(response: httpx.Response) -> ApiError:
    """The exception for an answer of 400 or more."""
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        body = None  # of something between the client and the API
    kind = _CLASSES.get(response.status_code, ApiError)
    return kind(response.status_code, body, correlation_id=response.headers.get(CORRELATION_HEADER))
