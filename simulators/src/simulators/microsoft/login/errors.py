"""Entra's refusals (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ApiError:
    """An OAuth error, the AADSTS code behind it, and what it says."""

    error: str
    code: int
    text: str
    status: int = 400
    suberror: str | None = None
    claims: str | None = None

    def description(self) -> str:
        """``error_description`` without the trace."""
        return f"AADSTS{self.code}: {self.text}"

    def body(self, now: datetime) -> JsonObject:
        """The answer of the token endpoint (v2-oauth2-auth-code-flow, "Error response")."""
        stamp, trace, correlation = f"{now:%Y-%m-%d %H:%M:%S}Z", str(uuid.uuid4()), str(uuid.uuid4())
        tracing = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        body: JsonObject = {
            "error": self.error,
            "error_description": f"{self.description()} {tracing}",
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        return body | {
            name: value for name, value in (("suberror", self.suberror), ("claims", self.claims)) if value is not None
        }


class LoginError(Exception):
    """A refusal of the sign-in page or the token endpoint."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(f"{refusal.error} AADSTS{refusal.code}")
        self.refusal = refusal


def refused(error: str, code: int, text: str, status: int = 400) -> LoginError:
    """A refusal that has nothing special about it."""
    return LoginError(ApiError(error, code, text, status))


_STEP_UP = '{"access_token":{"capolids":{"essential":true,"values":["9edf0d9b-8b2c-4e7b-9d0c-0d9b8a6f1c22"]}}}'

REFUSALS = {
    "revoked": ApiError(
        "invalid_grant",
        50173,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password.",
        suberror="bad_token",
    ),
    "inactive": ApiError(
        "invalid_grant", 700082, "The refresh token has expired due to inactivity.", suberror="bad_token"
    ),
    "disabled": ApiError("invalid_grant", 50057, "The user account is disabled.", suberror="user_account_disabled"),
    "consent": ApiError(
        "invalid_grant",
        65001,
        "The user or administrator has not consented to use the application. Send an interactive authorization request "
        "for this user and resource.",
        suberror="consent_required",
    ),
    "interaction": ApiError(
        "interaction_required",
        50076,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access the resource.",
        suberror="basic_action",
        claims=_STEP_UP,
    ),
}
"""Why a refresh token no longer works, by the name that the control API uses."""
