"""Consents and the tokens that hang on them, with the rules by which they die.

Source: developers.google.com/identity/protocols/oauth2#expiration
"""

import secrets
from datetime import datetime, timedelta

from simulators.google.state import AccessToken, Code, RefreshToken
from simulators.google.world import World

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE = timedelta(seconds=3599)
UNUSED_LIFE = timedelta(days=182)
TESTING_LIFE = timedelta(days=7)
MAX_REFRESH_TOKENS = 100


def consented(world: World, client_id: str, email: str) -> list[str]:
    """The scopes this account has granted to this client so far."""
    return world.state.consents.get(f"{client_id} {email}", [])


def remember_consent(world: World, client_id: str, email: str, scopes: list[str]) -> None:
    """Add scopes to what the account granted."""
    world.state.consents[f"{client_id} {email}"] = sorted({*consented(world, client_id, email), *scopes})
    world.changes += 1


def new_code(world: World, code: Code) -> str:
    """A code to give to the client."""
    value = f"4/0A{secrets.token_urlsafe(40)}"
    world.state.codes[value] = code
    world.changes += 1
    return value


def new_access_token(world: World, email: str, client_id: str, scopes: list[str]) -> str:
    """An access token for an hour."""
    value = f"ya29.a0{secrets.token_urlsafe(80)}"
    expires = world.clock.now() + ACCESS_LIFE
    world.state.access_tokens[value] = AccessToken(
        account=email, client_id=client_id, scopes=scopes, expires_at=expires
    )
    stale = [key for key, token in world.state.access_tokens.items() if token.expires_at < world.clock.now()]
    for key in stale:
        del world.state.access_tokens[key]
    world.changes += 1
    return value


def new_refresh_token(world: World, email: str, client_id: str, scopes: list[str]) -> str:
    """A refresh token; beyond 100 per account and client the oldest one dies without a word."""
    now = world.clock.now()
    tokens = world.state.refresh_tokens
    held = [key for key, token in tokens.items() if (token.account, token.client_id) == (email, client_id)]
    for key in held[: max(0, len(held) - MAX_REFRESH_TOKENS + 1)]:
        del tokens[key]
    value = f"1//0{secrets.token_urlsafe(60)}"
    tokens[value] = RefreshToken(account=email, client_id=client_id, scopes=scopes, issued_at=now, used_at=now)
    world.changes += 1
    return value


def alive(world: World, value: str, client_id: str) -> RefreshToken | None:
    """The refresh token if it may still be used by this client."""
    token = world.state.refresh_tokens.get(value)
    now = world.clock.now()
    if token is None or token.client_id != client_id or now - token.used_at > UNUSED_LIFE:
        return None
    return None if _testing_over(world, token.issued_at, now) else token


def revoke(world: World, email: str, client_id: str | None = None) -> None:
    """End an account's grant to a client (None: to every client): all its tokens die, and the consent is forgotten."""
    state = world.state

    def stays(token: AccessToken | RefreshToken | Code) -> bool:
        return token.account != email or client_id not in (None, token.client_id)

    state.refresh_tokens = {key: token for key, token in state.refresh_tokens.items() if stays(token)}
    state.access_tokens = {key: token for key, token in state.access_tokens.items() if stays(token)}
    state.codes = {key: code for key, code in state.codes.items() if stays(code)}
    for key in list(state.consents):
        client, _, account = key.partition(" ")
        if account == email and client_id in (None, client):
            del state.consents[key]
    world.changes += 1


def _testing_over(world: World, issued_at: datetime, now: datetime) -> bool:
    return world.settings.google_publishing_status == "testing" and now - issued_at > TESTING_LIFE
