"""Login: a name and a password for a signed token."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from simulators.platform.people import People, UserType
from simulators.platform.seed import PASSWORD
from simulators.platform.tokens import LIFETIME, Algorithm, Tokens


class LoginRequest(BaseModel):
    """`username` is an e-mail address. `algorithm` is this simulator's own: which signature to put on the token."""

    username: str
    password: str
    algorithm: Algorithm = "HS256"


class LoginAnswer(BaseModel):
    """The token and who it is for; `expires_in` is in seconds."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    token: str
    token_type: str = "Bearer"
    expires_in: int = int(LIFETIME.total_seconds())
    tenant_uuid: str
    tenant_code: str
    user_uuid: str
    username: str
    user_type: UserType
    partner_uuid: str | None


def login_router(people: People, tokens: Tokens) -> APIRouter:
    """The login endpoint and the public keys of the tokens."""
    router = APIRouter(tags=["login"])

    @router.post("/api/auth/login")
    async def login(request: LoginRequest) -> LoginAnswer:
        person = people.with_login(request.username)
        right = secrets.compare_digest(request.password.encode(), PASSWORD.encode())
        if person is None or not person.active or not right:
            raise HTTPException(401, "Wrong user name or password, or the account is not active")
        tenant = people.tenants[person.tenant_uuid]
        return LoginAnswer(
            token=tokens.issue(person, tenant, request.algorithm),
            tenant_uuid=tenant.tenant_uuid,
            tenant_code=tenant.tenant_code,
            user_uuid=person.uuid,
            username=person.username or request.username,
            user_type=person.user_type,
            partner_uuid=person.partner,
        )

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        return tokens.jwks()

    return router
