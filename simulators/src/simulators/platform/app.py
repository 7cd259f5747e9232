"""The simulated platform as one application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field

from simulators.common.control import ControlModel, add_fault_routes, add_request_routes
from simulators.common.faults import FaultPlan
from simulators.common.request_log import RequestLog
from simulators.platform import seed
from simulators.platform.console.proxy import proxy_router
from simulators.platform.console.routes import console_router
from simulators.platform.console.settings import ConsoleSettings
from simulators.platform.directory import directory_router
from simulators.platform.errors import error_answer, install_errors
from simulators.platform.login import login_router
from simulators.platform.people import Contact, People, Staff, Tenant
from simulators.platform.tokens import Tokens

_FAULTS = {
    "latency": "The answer comes `seconds` later.",
    "error": "The answer is an error with `status` (and `retryAfter`), whatever was asked. `account`: a tenant's id.",
}
_OPERATIONS = {
    "/api/auth/login": "login",
    "/.well-known/jwks.json": "jwks",
    "/api/contacts": "contacts.get",
    "/api/tenant-staff": "tenant-staff.get",
}


class Newcomers(ControlModel):
    """People to add; one with a known id replaces it."""

    tenants: list[Tenant] = Field(default_factory=list)
    contacts: list[Contact] = Field(default_factory=list)
    staff: list[Staff] = Field(default_factory=list)


def create_app(secret: str, console: ConsoleSettings | None = None) -> FastAPI:
    """The application with the demo people; `secret` signs HS256 tokens. Without `console` it has no page."""
    people = People(seed.TENANTS, seed.CONTACTS, seed.STAFF)
    tokens = Tokens(secret)
    faults, requests = FaultPlan(_FAULTS), RequestLog()

    app = FastAPI(title="Simulated platform", docs_url=None, redoc_url=None, lifespan=_lifespan(console))
    install_errors(app)
    app.include_router(login_router(people, tokens))
    app.include_router(directory_router(people, tokens))
    app.include_router(_control(people, faults, requests))
    app.get("/readyz")(_ready)
    if console is not None:
        app.include_router(console_router(people, tokens, console))

    @app.middleware("http")
    async def strike(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        operation = _operation(request.url.path)
        if operation is None:
            return await answer(request)
        tenant = request.headers.get("x-tenant-uuid")
        if delay := faults.draw("latency", account=tenant, operation=operation):
            await asyncio.sleep(delay.seconds)
        if failure := faults.draw("error", account=tenant, operation=operation):
            headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
            response: Response = error_answer(
                request, failure.status, failure.reason or "Scripted fault", headers=headers
            )
        else:
            response = await answer(request)
        requests.record(at=datetime.now(UTC), account=None, operation=operation, status=response.status_code)
        return response

    return app


def _lifespan(console: ConsoleSettings | None) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if console is None:
            yield
            return
        async with httpx.AsyncClient(base_url=console.gateway_url, timeout=30, trust_env=False) as gateway:
            app.include_router(proxy_router(gateway))
            yield

    return lifespan


async def _ready() -> dict[str, str]:
    return {"status": "ready"}


def _operation(path: str) -> str | None:
    """The name of what is asked for, for faults and counts; None for what is no part of the platform."""
    return next((name for prefix, name in _OPERATIONS.items() if path == prefix or path.startswith(f"{prefix}/")), None)


def _control(people: People, faults: FaultPlan, requests: RequestLog) -> APIRouter:
    router = APIRouter(prefix="/_control", tags=["control"])
    add_fault_routes(router, faults)
    add_request_routes(router, requests)

    @router.get("/people")
    async def everybody() -> Newcomers:
        return Newcomers(
            tenants=[*people.tenants.values()], contacts=[*people.contacts.values()], staff=[*people.staff.values()]
        )

    @router.post("/people", status_code=204)
    async def add(newcomers: Newcomers) -> None:
        people.tenants |= {tenant.tenant_uuid: tenant for tenant in newcomers.tenants}
        people.contacts |= {contact.uuid: contact for contact in newcomers.contacts}
        people.staff |= {member.uuid: member for member in newcomers.staff}

    return router
