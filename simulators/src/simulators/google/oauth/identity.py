"""Who signed in: id tokens, the keys that verify them, and userinfo (OpenID Connect Core 1.0, sections 2 and 5.3)."""

import json
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from simulators.common.faults import Fault
from simulators.google.calendar.errors import ApiError
from simulators.google.oauth.bearer import authorised
from simulators.google.oauth.grants import ACCESS_LIFE
from simulators.google.state import Account
from simulators.google.world import World

ISSUER = "https://accounts.google.com"
_EMAIL = {"email", "https://www.googleapis.com/auth/userinfo.email"}
_PROFILE = {"profile", "https://www.googleapis.com/auth/userinfo.profile"}


class Identity:
    """Signs id tokens with a key of its own, made anew at each start."""

    def __init__(self, world: World) -> None:
        self._world = world

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def id_token(self, account: Account, client_id: str, scopes: list[str], nonce: str | None) -> str:
        """An RS256 id token for this client, good for an hour."""
        now = int(self._world.clock.now().timestamp())
        token = {"iss": ISSUER, "aud": client_id, "azp": client_id, "iat": now}
        token |= {"exp": now + int(ACCESS_LIFE.total_seconds())} | claims(account, scopes)
        if nonce is not None:
            token["nonce"] = nonce
        return jwt.encode(token, self._key, "RS256", headers={"kid": "simulator"})

    def keys(self) -> dict[str, Any]:
        """The JSON Web Key Set."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": "simulator", "alg": "RS256", "use": "sig"}]}


def claims(account: Account, scopes: list[str]) -> dict[str, Any]:
    """What the granted scopes tell about an account."""
    told: dict[str, Any] = {"sub": account.sub}
    if _EMAIL & set(scopes):
        told |= {"email": account.email, "email_verified": True}
    if _PROFILE & set(scopes):
        told |= {"name": account.name, "given_name": account.name.split()[0]}
    return told


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}


def router(world: World, identity: Identity) -> APIRouter:
    """Userinfo (under its old and its new path) and the key set."""
    routes = APIRouter()

    @routes.get("/oauth2/v3/userinfo")
    @routes.get("/v1/userinfo")
    async def userinfo(request: Request) -> Response:
        try:
            account, token = authorised(world, request)
            if fault := world.faults.draw("error", account=account.email, operation="oauth.userinfo"):
                return JSONResponse({"error": "internal_failure"}, fault.status, _retry_after(fault))
        except ApiError as error:
            return JSONResponse({"error": "invalid_request", "error_description": error.message}, 401, error.headers)
        return JSONResponse(claims(account, token.scopes))

    @routes.get("/oauth2/v3/certs")
    async def certs() -> dict[str, Any]:
        return identity.keys()

    return routes
