"""What every answer tells browsers, whatever made it."""

from typing import Any

import httpx
import pytest
from chassis.http.security_headers import HEADERS, STRICT_TRANSPORT, SecurityHeaders
from fastapi import FastAPI, Response
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


async def headers_of(app: ASGIApp, path: str, **headers: str) -> httpx.Headers:
    transport = httpx.ASGITransport(app, client=("10.0.0.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (
            await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        ).headers


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    made.add_middleware(SecurityHeaders)

    @made.get("/plain")
    async def plain() -> dict[str, Any]:
        return {}

    @made.get("/own")
    async def own() -> Response:
        return Response(headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'none'"})

    return made


@pytest.mark.parametrize("path", ["/plain", "/nowhere"])
async def test_every_answer_has_all(app: FastAPI, path: str) -> None:
    assert HEADERS.items() <= dict(await headers_of(app, path)).items()


async def test_what_an_answer_says_itself_stands(app: FastAPI) -> None:
    headers = await headers_of(app, "/own")
    assert headers.get_list("cache-control") == ["max-age=60"]
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_only_tls_is_told_to_stay_tls_and_only_a_trusted_proxy_says_that_it_is(app: FastAPI) -> None:
    assert not STRICT_TRANSPORT.keys() & (await headers_of(app, "/plain")).keys()
    for trusted, told in (("10.0.0.0/8", True), ("192.168.0.0/16", False)):
        headers = await headers_of(ProxyHeadersMiddleware(app, trusted), "/plain", x_forwarded_proto="https")  # type: ignore[arg-type]  # uvicorn has types of its own for the same protocol
        assert (STRICT_TRANSPORT.items() <= dict(headers).items()) is told
