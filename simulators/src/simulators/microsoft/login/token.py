"""The token endpoint.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from simulators.common.faults import Fault
from simulators.microsoft import faults
from simulators.microsoft.forms import fields
from simulators.microsoft.login.errors import REFUSALS, ApiError, LoginError, refused
from simulators.microsoft.login.grants import ACCESS_LIFE, OPENID_SCOPES, Credential, read_scopes
from simulators.microsoft.login.keys import JsonObject, client_info
from simulators.microsoft.world import World

_OPERATION = "login.token"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def router(world: World) -> APIRouter:
    """``POST /{tenant}/oauth2/v2.0/token``."""
    routes = APIRouter()

    @routes.post("/{tenant}/oauth2/v2.0/token")
    async def token(tenant: str, request: Request) -> Response:
        form = await fields(request)
        email: str | None = None
        headers, body, status = dict(_NO_STORE), JsonObject(), 200
        try:
            client_id = _client(world, form, request.headers.get("authorization"))
            credential = _credential(world, client_id, form)
            email = credential.grant.email
            fault = await faults.before(world.faults, request, email, _OPERATION)
            if fault is None:
                body = _tokens(world, credential, form)
                fault = await faults.after(world.faults, request, email, _OPERATION)
            if fault is not None:
                body, status = _transient(fault).body(world.clock.now()), fault.status
                headers |= faults.retry_after(fault)
        except LoginError as error:
            body, status = error.refusal.body(world.clock.now()), error.refusal.status
        world.requests.record(at=world.clock.now(), account=email, operation=_OPERATION, status=status)
        return JSONResponse(body, status, headers)

    return routes


def _client(world: World, form: Mapping[str, str], authorization: str | None) -> str:
    """The authenticated client's id. Raises LoginError."""
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if authorization and authorization.lower().startswith("basic "):
        try:
            pair = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        client_id, secret = (unquote(part) for part in (pair.partition(":")[0], pair.partition(":")[2]))
    if client_id is None or client_id.lower() != world.settings.microsoft_client_id.lower():
        text = f"Application with identifier '{client_id}' was not found in the directory."
        raise refused("unauthorized_client", 700016, text)
    if not secret:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise refused("invalid_client", 7000218, text, 401)
    if not secrets.compare_digest(secret.encode(), world.settings.microsoft_client_secret.encode()):
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client_id}'."
        )
        raise refused("invalid_client", 7000215, text, 401)
    return client_id


def _credential(world: World, client_id: str, form: Mapping[str, str]) -> Credential:
    kind = form.get("grant_type")
    if kind == "authorization_code":
        code, redirect = _needed(form, "code"), _needed(form, "redirect_uri")
        return world.grants.of_code(client_id, code, redirect, form.get("code_verifier"))
    if kind == "refresh_token":
        credential = world.grants.of_refresh_token(client_id, _needed(form, "refresh_token"))
        if fault := world.faults.draw("token_death", account=credential.grant.email, operation=_OPERATION):
            raise LoginError(REFUSALS.get(fault.reason or "revoked", REFUSALS["revoked"]))
        return credential
    raise refused("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{kind}'.")


def _tokens(world: World, credential: Credential, form: Mapping[str, str]) -> JsonObject:
    grant = credential.grant
    asked = read_scopes(form["scope"]) if form.get("scope") else grant.scopes
    if set(asked) - set(grant.scopes) - OPENID_SCOPES - {".default"}:
        raise LoginError(REFUSALS["consent"])
    world.grants.spend(credential)
    account = world.state.accounts[grant.email]
    seconds = int(ACCESS_LIFE.total_seconds()) - 1
    body: JsonObject = {
        "token_type": "Bearer",
        "scope": " ".join(scope for scope in grant.scopes if scope != "offline_access"),
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": world.grants.access_token(grant),
    }
    if "offline_access" in grant.scopes:
        body["refresh_token"] = world.grants.refresh_token(grant)
    if "openid" in grant.scopes:
        body["id_token"] = world.signing_key.id_token(account, grant, credential.nonce, world.clock)
    if form.get("client_info") == "1":
        body["client_info"] = client_info(account)
    return body


def _needed(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise refused("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
    return value


def _transient(fault: Fault) -> ApiError:
    text = "A transient error has occurred. Please try again."
    return ApiError(fault.reason or "temporarily_unavailable", 90033, text, fault.status)
