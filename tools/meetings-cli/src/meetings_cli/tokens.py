"""Access tokens for development: those of the local run's people, or any that the shared secret can sign."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
from contracts.values.enums import UserType

from meetings_cli.problem import Problem
from meetings_cli.settings import Settings

MIN_SECRET_LENGTH = 32


def token_of(run: Mapping[str, Any] | None, name: str) -> str:
    """The token of one of the local run's people, found by a part of the name.

    Raises:
        Problem: there is no local run, no person of that name in it, or more than one.
    """
    if run is None:
        raise Problem("There is no local run here. Start one with `make run`, or say its folder with STATE_DIR.")
    found = [person for person in run.get("people", []) if name.casefold() in person["name"].casefold()]
    if len(found) != 1:
        names = ", ".join(person["name"] for person in found or run.get("people", []))
        raise Problem(f"{'Several people' if found else 'No person'} called {name!r}. The local run has {names}.")
    return str(found[0]["token"])


def login_token(url: str, username: str, password: str) -> str:
    """The token that the simulated platform's login at this base URL gives a person.

    Raises:
        Problem: it gives none.
    """
    try:
        answer = httpx.post(f"{url}/api/auth/login", json={"username": username, "password": password}, timeout=10)
        if answer.status_code == httpx.codes.OK:
            return str(answer.json()["token"])
    except httpx.HTTPError as error:
        raise Problem(f"The login at {url} does not answer ({type(error).__name__}). Is it up?") from error
    raise Problem(
        f"The login at {url} refuses {username!r} (HTTP {answer.status_code}). Give the whole e-mail address."
    )


def signed_token(
    settings: Settings,
    *,
    tenant: str,
    user: str,
    email: str,
    user_type: UserType,
    partner: str | None,
    now: datetime,
    lifetime: timedelta,
) -> str:
    """A token with these claims, signed by HS256 (RFC 7518 section 3.2); ``now`` is UTC.

    Raises:
        Problem: there is no secret to sign it with, or a short one.
    """
    secret = settings.jwt_hs256_secret.get_secret_value() if settings.jwt_hs256_secret else ""
    if len(secret) < MIN_SECRET_LENGTH:
        raise Problem(
            f"A token needs JWT_HS256_SECRET ({MIN_SECRET_LENGTH} characters or more), the gateway's, or a local run."
        )
    claims = {
        "sub": user,
        "iat": now,
        "exp": now + lifetime,
        settings.jwt_tenant_claim: tenant,
        settings.jwt_user_claim: user,
        settings.jwt_email_claim: email,
        settings.jwt_user_type_claim: user_type.value,
    } | ({} if partner is None else {settings.jwt_partner_claim: partner})
    return jwt.encode(claims, secret, "HS256")
