"""Hands the page's API requests on to the gateway, so that browsers see one origin and the gateway needs no CORS."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
from fastapi import APIRouter, Request, Response

from simulators.platform.errors import error_answer

_REQUEST_HEADERS = {
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "x-correlation-id",
    "x-partner-uuid",
    "x-tenant-code",
    "x-tenant-uuid",
    "x-user-email",
    "x-user-id",
    "x-user-type",
}
_RESPONSE_HEADERS = {
    "cache-control",
    "content-type",
    "etag",
    "location",
    "retry-after",
    "set-cookie",
    "x-correlation-id",
}
_METHODS = ["GET", "POST", "PUT", "DELETE"]


def proxy_router(gateway: httpx.AsyncClient) -> APIRouter:
    """The gateway's API under this origin. A gateway that does not answer is a 502 with the platform's error body."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/api/v1/{path:path}", methods=_METHODS)
    @router.api_route("/api/v2/{path:path}", methods=_METHODS)
    async def forward(request: Request) -> Response:
        target = request.scope["raw_path"]  # as it came: decoding and encoding again could name another resource
        query = request.url.query.encode()
        url = httpx.URL(gateway.base_url, raw_path=target + (b"?" + query if query else b""))
        headers = _selected(request.headers.items(), _REQUEST_HEADERS)
        try:
            answer = await gateway.request(request.method, url, content=await request.body(), headers=headers)
        except httpx.TransportError as error:
            return error_answer(request, 502, f"The gateway does not answer ({type(error).__name__})")
        response = Response(answer.content, answer.status_code)
        for name, value in _selected(answer.headers.multi_items(), _RESPONSE_HEADERS):
            response.headers.append(name, value)
        return response

    return router


def _selected(headers: Iterable[tuple[str, str]], names: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() in names]
