"""``/token`` and ``/revoke``."""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from simulators.common.faults import hold
from simulators.google.oauth.grants import ACCESS_LIFE, alive, new_access_token, new_refresh_token, revoke
from simulators.google.oauth.identity import Identity
from simulators.google.state import AccessToken, Code, RefreshToken
from simulators.google.world import World

EXPIRED = "Token has been expired or revoked."


class TokenError(Exception):
    """An OAuth error answer (RFC 6749, section 5.2)."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def router(world: World, identity: Identity) -> APIRouter:
    """The token endpoint and the revocation endpoint."""
    routes = APIRouter()

    @routes.post("/token")
    async def token(request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        email = None
        try:
            _check_client(world, request, form)
            email = _owner(world, form)
            await _fail(world, request, email, "oauth.token")
            status, body = 200, _grant(world, identity, form)
        except TokenError as error:
            status, body = error.status, {"error": error.code, "error_description": error.text}
        world.requests.record(at=world.clock.now(), account=email, operation="oauth.token", status=status)
        return JSONResponse(body, status, {"Cache-Control": "no-store"})

    @routes.post("/revoke")
    async def revoke_token(request: Request) -> Response:
        form = await request.form()
        value = str(form.get("token") or request.query_params.get("token", ""))
        held = world.state.refresh_tokens.get(value) or world.state.access_tokens.get(value)
        email = held.account if held else None
        try:
            await _fail(world, request, email, "oauth.revoke")
            _end(world, held)
            status, body = 200, {}
        except TokenError as error:
            status, body = error.status, {"error": error.code, "error_description": error.text}
        world.requests.record(at=world.clock.now(), account=email, operation="oauth.revoke", status=status)
        return JSONResponse(body, status)

    return routes


def _end(world: World, held: AccessToken | RefreshToken | None) -> None:
    """End the grant of a token. Raises TokenError 400."""
    if held is None:
        raise TokenError(400, "invalid_token", "Token expired or revoked")
    revoke(world, held.account, held.client_id)


def _grant(world: World, identity: Identity, form: dict[str, str]) -> dict[str, Any]:
    """The answer to a token request. Raises TokenError 400."""
    kind = form.get("grant_type")
    if kind == "authorization_code":
        return _redeem(world, identity, form)
    if kind == "refresh_token":
        return _refresh(world, identity, form)
    raise TokenError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")


def _check_client(world: World, request: Request, form: dict[str, str]) -> None:
    """Client credentials in the body or as HTTP Basic (RFC 6749, section 2.3.1). Raises TokenError 401."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            raise TokenError(401, "invalid_client", "Unauthorized") from None
        client_id, secret = unquote(client_id), unquote(secret)
    form["client_id"] = client_id
    if client_id != world.settings.google_client_id:
        raise TokenError(401, "invalid_client", "The OAuth client was not found.")
    if not hmac.compare_digest(secret.encode(), world.settings.google_client_secret.encode()):
        raise TokenError(401, "invalid_client", "Unauthorized")


def _owner(world: World, form: dict[str, str]) -> str | None:
    held = world.state.codes.get(form.get("code", "")) or world.state.refresh_tokens.get(form.get("refresh_token", ""))
    return held.account if held else None


async def _fail(world: World, request: Request, email: str | None, operation: str) -> None:
    if slow := world.faults.draw("latency", account=email, operation=operation):
        await hold(request, slow.seconds)
    if fault := world.faults.draw("error", account=email, operation=operation):
        code = fault.reason or ("internal_failure" if fault.status >= 500 else "invalid_grant")
        raise TokenError(fault.status, code, EXPIRED if code == "invalid_grant" else "Backend Error")


def _redeem(world: World, identity: Identity, form: dict[str, str]) -> dict[str, Any]:
    code = world.state.codes.pop(form.get("code", ""), None)  # good once, whatever comes of it
    if code is None or code.client_id != form["client_id"] or world.clock.now() >= code.expires_at:
        raise TokenError(400, "invalid_grant", "Malformed auth code." if not form.get("code") else "Bad Request")
    if code.redirect_uri != form.get("redirect_uri"):
        raise TokenError(400, "redirect_uri_mismatch", "Bad Request")
    _check_verifier(code, form.get("code_verifier"))
    answer = _answer(world, identity, code.account, code.client_id, code.scopes, code.nonce)
    if code.offline:
        answer["refresh_token"] = new_refresh_token(world, code.account, code.client_id, code.scopes)
        if world.settings.google_publishing_status == "testing":
            answer["refresh_token_expires_in"] = 604_799
    return answer


def _check_verifier(code: Code, verifier: str | None) -> None:
    """PKCE (RFC 7636, section 4.6)."""
    if code.challenge is None:
        return
    if not verifier:
        raise TokenError(400, "invalid_grant", "Missing code verifier.")
    derived = verifier
    if code.challenge_method == "S256":
        derived = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not hmac.compare_digest(derived.encode(), code.challenge.encode()):
        raise TokenError(400, "invalid_grant", "Invalid code verifier.")


def _refresh(world: World, identity: Identity, form: dict[str, str]) -> dict[str, Any]:
    value = form.get("refresh_token", "")
    token = alive(world, value, form["client_id"])
    if token is None:
        raise TokenError(400, "invalid_grant", EXPIRED)
    token.used_at = world.clock.now()
    scopes = form["scope"].split() if form.get("scope") else token.scopes
    if not set(scopes) <= set(token.scopes):
        raise TokenError(400, "invalid_scope", "Some requested scopes were invalid.")
    answer = _answer(world, identity, token.account, token.client_id, scopes, None)
    if world.faults.draw("refresh_token_rotation", account=token.account, operation="oauth.token"):
        del world.state.refresh_tokens[value]
        answer["refresh_token"] = new_refresh_token(world, token.account, token.client_id, token.scopes)
    return answer


def _answer(
    world: World, identity: Identity, email: str, client_id: str, scopes: list[str], nonce: str | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "access_token": new_access_token(world, email, client_id, scopes),
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "scope": " ".join(scopes),
        "token_type": "Bearer",
    }
    if "openid" in scopes:
        answer["id_token"] = identity.id_token(world.state.accounts[email], client_id, scopes, nonce)
    return answer
