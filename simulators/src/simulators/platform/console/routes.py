"""The console's page, its data about the run, and its event stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse, StreamingResponse

from simulators.platform.console.settings import ConsoleSettings
from simulators.platform.console.tail import tail
from simulators.platform.people import Contact, People, Staff
from simulators.platform.seed import PASSWORD
from simulators.platform.tokens import Tokens

_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def console_router(people: People, tokens: Tokens, settings: ConsoleSettings) -> APIRouter:
    """The page under `/console/`, to which `/` leads."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse("/console/")

    @router.get("/console/run.json")
    async def run() -> dict[str, Any]:
        """The demo people, how to log them in, and where the other pages of this run are."""
        everybody: list[Staff | Contact] = [*people.staff.values(), *people.contacts.values()]
        return {
            "password": PASSWORD,
            "links": settings.links,
            "people": [_described(person, people) for person in everybody],
            "hasEvents": bool(settings.kafka_bootstrap_servers),
        }

    @router.get("/console/events")
    async def events(request: Request) -> Response:
        """The records of the caller's tenant on the platform's topics, from now on, as server-sent events."""
        tenant = _tenant(request, tokens)
        if not settings.kafka_bootstrap_servers:
            raise HTTPException(404, "This run shows no events")
        stream = tail(settings.kafka_bootstrap_servers, tenant)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @router.get("/console/{path:path}")
    async def file(path: str) -> FileResponse:
        found = (_STATIC / (path or "index.html")).resolve()
        if not found.is_file() or _STATIC not in found.parents:
            raise HTTPException(404, "There is no such file")
        return FileResponse(found, headers=_HEADERS)

    return router


def _described(person: Staff | Contact, people: People) -> dict[str, Any]:
    return {
        "id": person.uuid,
        "name": person.name,
        "username": person.username,
        "userType": person.user_type,
        "tenantUuid": person.tenant_uuid,
        "firm": people.tenants[person.tenant_uuid].name,
        "active": person.active,
        "timeZone": person.time_zone if isinstance(person, Staff) else None,
        "language": (person.platform_language if isinstance(person, Staff) else person.preferred_contact_language),
    }


def _tenant(request: Request, tokens: Tokens) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = tokens.read(token) if scheme.lower() == "bearer" else None
    except jwt.InvalidTokenError:
        claims = None
    if claims is None:
        raise HTTPException(401, "Missing or invalid access token", {"WWW-Authenticate": "Bearer"})
    return str(claims["tenantUuid"])
