"""Failures of provider calls, by what they mean to a sync: retry, reconnect, or give up."""

import re
from dataclasses import dataclass

from contracts.values.enums import SyncFailureCode

_ERROR_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
"""What error codes of providers look like; anything else may hold personal data."""
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed. ``passing``: trying again by itself may help, after ``retry_after`` seconds if it is known."""

    code: SyncFailureCode
    reason: str
    retryable: bool
    retry_after: float | None = None


class CallFailedError(Exception):
    """A call failed; nothing in here comes from a provider's answer but its status and error code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class UnauthorizedError(Exception):
    """The provider does not take the access token."""


class PreconditionFailedError(Exception):
    """The event has changed since it was read (If-Match)."""


class NotFoundError(Exception):
    """The event, or the calendar, was not found: it may be gone, moved, or not be shown just now."""


class AlreadyExistsError(Exception):
    """An event with this id is or was there."""


def error_for_status(
    status: int, reason: str, *, retry_after: float | None = None
) -> CallFailedError | UnauthorizedError | PreconditionFailedError | NotFoundError | AlreadyExistsError:
    """What an answer with this HTTP status and the provider's error code means."""
    match status:
        case 401:
            return UnauthorizedError()
        case 404 | 410:
            return NotFoundError()
        case 409 if reason == "duplicate":
            return AlreadyExistsError()
        case 409 | 412:
            return PreconditionFailedError()
        case _:
            return CallFailedError(_failure(status, reason, retry_after))


def _failure(status: int, reason: str, retry_after: float | None) -> Failure:
    detail = f"{status} {reason if _ERROR_CODE.fullmatch(reason) else ''}".strip()
    if status == 429 or (status == 403 and reason in _RATE_REASONS):
        return Failure(
            SyncFailureCode.RATE_LIMITED, f"The calendar provider wants fewer requests ({detail}).", True, retry_after
        )
    if status >= 500 or status == 408:
        return unavailable_failure(detail, retry_after)
    if status == 403:
        return Failure(SyncFailureCode.PERMISSION_DENIED, f"The calendar may not be used ({detail}).", False)
    return Failure(SyncFailureCode.INVALID_REQUEST, f"The calendar provider refuses the request ({detail}).", False)


def unavailable_failure(detail: str, retry_after: float | None = None) -> Failure:
    """The provider is away or unwell."""
    reason = f"The calendar provider is not available ({detail})."
    return Failure(SyncFailureCode.PROVIDER_UNAVAILABLE, reason, True, retry_after)


CONFLICT = Failure(SyncFailureCode.EVENT_CONFLICT, "The event in the calendar keeps being changed elsewhere.", True)


MANY_REMOVED = Failure(
    SyncFailureCode.EVENT_CONFLICT,
    "Many meetings are missing in the calendar at once, so this one was not canceled. Retry puts it there again.",
    False,
)


TOKEN_REFUSED = Failure(
    SyncFailureCode.PERMISSION_DENIED, "The calendar provider refuses this request with a fresh token (401).", True
)


NO_CALENDAR = Failure(SyncFailureCode.CALENDAR_NOT_FOUND, "The calendar cannot be found.", True)
