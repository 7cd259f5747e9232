"""Google's error envelope and the reasons in it (developers.google.com/workspace/calendar/api/guides/errors)."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer other than success.

    ``reason`` None leaves out the list of errors: some real 410s carry none.
    """

    def __init__(
        self,
        status: int,
        reason: str | None,
        message: str,
        *,
        domain: str = "global",
        location: str | None = None,
        location_type: str = "parameter",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.domain = status, reason, message, domain
        self.location, self.location_type, self.headers = location, location_type, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON that goes with the status."""
        error: dict[str, Any] = {"code": self.status, "message": self.message}
        if self.reason is not None:
            detail = {"domain": self.domain, "reason": self.reason, "message": self.message}
            if self.location is not None:
                detail |= {"locationType": self.location_type, "location": self.location}
            error["errors"] = [detail]
        return {"error": error}


def invalid(message: str, *, location: str | None = None, reason: str = "invalid") -> ApiError:
    """400: a value that the API does not accept."""
    return ApiError(400, reason, message, location=location)


def required(message: str) -> ApiError:
    """400: a field that must be there."""
    return ApiError(400, "required", message)


def time_range_empty(location: str = "timeMax") -> ApiError:
    """400: an end at or before its start."""
    message = "The specified time range is empty."
    return ApiError(400, "timeRangeEmpty", message, domain="calendar", location=location)


def not_found() -> ApiError:
    """404: not there, or not visible to this user."""
    return ApiError(404, "notFound", "Not Found")


def deleted() -> ApiError:
    """410: there is only a tombstone."""
    return ApiError(410, "deleted", "Resource has been deleted")


def duplicate() -> ApiError:
    """409: the id is taken, by a tombstone perhaps."""
    return ApiError(409, "duplicate", "The requested identifier already exists.")


def condition_not_met() -> ApiError:
    """412: the etag in If-Match is not the current one."""
    return ApiError(412, "conditionNotMet", "Precondition Failed", location="If-Match", location_type="header")


def forbidden_for_non_organizer() -> ApiError:
    """403: a guest tried to change what belongs to the organizer."""
    message = "Shared properties can only be changed by the organizer of the event."
    return ApiError(403, "forbiddenForNonOrganizer", message, domain="calendar")


def by_reason(status: int, reason: str | None, headers: Mapping[str, str]) -> ApiError:
    """The error a scripted fault asks for; without a reason, the usual one of that status."""
    usual = {401: "authError", 403: "rateLimitExceeded", 404: "notFound", 410: "deleted", 429: "rateLimitExceeded"}
    chosen = reason or usual.get(status, "backendError" if status >= 500 else "badRequest")
    domain = "usageLimits" if chosen.endswith("LimitExceeded") or chosen == "quotaExceeded" else "global"
    messages = {
        "rateLimitExceeded": "Rate Limit Exceeded",
        "userRateLimitExceeded": "User Rate Limit Exceeded",
        "quotaExceeded": "Calendar usage limits exceeded.",
        "authError": "Invalid Credentials",
        "backendError": "Backend Error",
    }
    return ApiError(status, chosen, messages.get(chosen, chosen), domain=domain, headers=headers)
