"""What providers' refusals mean."""

import pytest
from calendar_sync.providers.errors import (
    AlreadyExistsError,
    CallFailedError,
    NotFoundError,
    PreconditionFailedError,
    UnauthorizedError,
    error_for_status,
)
from contracts.values.enums import SyncFailureCode


@pytest.mark.parametrize(
    ("status", "reason", "meaning"),
    [
        (401, "authError", UnauthorizedError),
        (404, "notFound", NotFoundError),
        (410, "deleted", NotFoundError),
        (409, "duplicate", AlreadyExistsError),
        (409, "ErrorIrresolvableConflict", PreconditionFailedError),
        (412, "conditionNotMet", PreconditionFailedError),
    ],
)
def test_some_have_a_way_out(status: int, reason: str, meaning: type[Exception]) -> None:
    assert type(error_for_status(status, reason)) is meaning


@pytest.mark.parametrize(
    ("status", "reason", "code", "retryable"),
    [
        (400, "timeRangeEmpty", SyncFailureCode.INVALID_REQUEST, False),
        (403, "insufficientPermissions", SyncFailureCode.PERMISSION_DENIED, False),
        (403, "ErrorAccessDenied", SyncFailureCode.PERMISSION_DENIED, False),
        (403, "rateLimitExceeded", SyncFailureCode.RATE_LIMITED, True),
        (403, "userRateLimitExceeded", SyncFailureCode.RATE_LIMITED, True),
        (403, "quotaExceeded", SyncFailureCode.RATE_LIMITED, True),
        (429, "ApplicationThrottled", SyncFailureCode.RATE_LIMITED, True),
        (408, "", SyncFailureCode.PROVIDER_UNAVAILABLE, True),
        (500, "backendError", SyncFailureCode.PROVIDER_UNAVAILABLE, True),
        (503, "MailboxConcurrency", SyncFailureCode.PROVIDER_UNAVAILABLE, True),
    ],
)
def test_others_are_failures_that_pass_or_do_not(
    status: int, reason: str, code: SyncFailureCode, retryable: bool
) -> None:
    found = error_for_status(status, reason, retry_after=7)
    assert isinstance(found, CallFailedError)
    assert (found.failure.code, found.failure.retryable) == (code, retryable)
    assert found.failure.retry_after == (7 if retryable else None)


@pytest.mark.parametrize("reason", ["Ann <ann@example.com> may not", "x" * 65, "ErrorX\nY"])
def test_only_error_codes_of_a_provider_are_repeated(reason: str) -> None:
    for status in (400, 403, 429, 503):
        error = error_for_status(status, reason)
        assert isinstance(error, CallFailedError)
        assert reason not in error.failure.reason
    known = error_for_status(400, "ErrorInvalidRequest")
    assert isinstance(known, CallFailedError)
    assert "400 ErrorInvalidRequest" in known.failure.reason
