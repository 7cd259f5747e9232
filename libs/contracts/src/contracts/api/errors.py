"""The one table of error codes, and the body every error answer carries."""

from dataclasses import dataclass
from enum import Enum

from pydantic import Field

from contracts.model import Contract


@dataclass(frozen=True, slots=True)
class _Error:
    code: str
    status: int
    message: str


class ErrorCode(Enum):
    """What can go wrong, with the HTTP status and the standard message. Clients switch on ``code``."""

    VALIDATION_FAILED = _Error("BE0201", 400, "Validation failed")
    MALFORMED_REQUEST = _Error("BE0202", 400, "Malformed request")
    HEADER_MISSING = _Error("BE0203", 400, "A required header is missing or invalid")
    AUTHENTICATION_REQUIRED = _Error("BE0401", 401, "Missing or invalid authentication")
    FORBIDDEN = _Error("BE0403", 403, "Not allowed")
    IDENTITY_MISMATCH = _Error("BE0407", 403, "The headers contradict the access token")
    RSVP_TOKEN_INVALID = _Error("BE0408", 403, "The link is invalid or has expired")
    WEBHOOK_NOT_RECOGNISED = _Error("BE0410", 403, "The notification channel is not recognised")
    NOT_FOUND = _Error("BE0404", 404, "Not found")
    MEETING_NOT_FOUND = _Error("BE0411", 404, "Meeting not found")
    PARTICIPANT_NOT_FOUND = _Error("BE0412", 404, "Participant not found")
    METHOD_NOT_ALLOWED = _Error("BE0405", 405, "Method not allowed")
    CONFLICT = _Error("BE0409", 409, "The request conflicts with the current state")
    MEETING_CANCELED = _Error("BE0420", 409, "The meeting is canceled")
    MEETING_NOT_CANCELED = _Error("BE0421", 409, "The meeting is not canceled")
    MEETING_READ_ONLY = _Error("BE0422", 409, "The meeting was made in an external calendar and is read-only here")
    SYNC_NOT_RETRYABLE = _Error("BE0423", 409, "There is no failed sync that can be retried")
    IDEMPOTENCY_KEY_REUSED = _Error("BE0424", 409, "The Idempotency-Key was used with a different request")
    CALENDAR_ALREADY_CONNECTED = _Error("BE0425", 409, "A calendar is connected already")
    CALENDAR_NOT_CONNECTED = _Error("BE0426", 409, "No calendar is connected")
    VERSION_STALE = _Error("BE0430", 412, "The meeting has changed since it was read")
    BODY_TOO_LARGE = _Error("BE0413", 413, "The request body is too large")
    UNSUPPORTED_MEDIA_TYPE = _Error("BE0415", 415, "The content type is not supported")
    TOO_MANY_REQUESTS = _Error("BE0429", 429, "Too many requests")
    USER_MAIL_LIMIT = _Error("BE0431", 429, "This user has caused too many mails to guests; try again later")
    TENANT_MAIL_LIMIT = _Error("BE0432", 429, "This tenant has caused too many mails to guests; try again later")
    INTERNAL_ERROR = _Error("BE0500", 500, "Something went wrong on our side")
    SERVICE_UNAVAILABLE = _Error("BE0503", 503, "Temporarily unavailable, nothing was accepted")

    @property
    def code(self) -> str:
        return self.value.code

    @property
    def status(self) -> int:
        """The HTTP status that answers it."""
        return self.value.status

    @property
    def message(self) -> str:
        return self.value.message

    @classmethod
    def of(cls, code: str) -> "ErrorCode":
        """The entry whose wire code this is; an unknown one (a newer peer's) is read as an internal error."""
        return _BY_CODE.get(code, cls.INTERNAL_ERROR)


_BY_CODE = {entry.code: entry for entry in ErrorCode}


class ErrorBody(Contract):
    """The platform's standard error body."""

    error_code: str = Field(examples=["BE0201"])
    message: str = Field(examples=["Validation failed"])
    status: int = Field(examples=[400])
    path: str = Field(examples=["/api/v1/meetings"])
    timestamp: str = Field(description="UTC, to the second, without offset", examples=["2026-06-15T10:30:00"])
    details: list[str] | None = Field(
        default=None,
        description="`field: message` for each thing that is wrong with the input, else null",
        examples=[["endDateTime: must be after startDateTime"]],
    )


class ApiError(Exception):
    """A request is refused for a reason the caller can understand; never a technical failure."""

    def __init__(
        self,
        code: ErrorCode,
        *,
        details: list[str] | None = None,
        message: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """``retry_after`` is the seconds after which the same request may succeed."""
        super().__init__(message or code.message)
        self.code = code
        self.details = details
        self.message = message or code.message
        self.retry_after = retry_after
