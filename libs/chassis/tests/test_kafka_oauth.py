"""Tokens for SASL OAUTHBEARER, from a token endpoint."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiokafka.errors import KafkaConnectionError
from chassis.kafka.oauth import ClientCredentialsTokens

SECRET = "open:sesame"


class TokenEndpoint:
    """Gives out ``token-1``, ``token-2``, … unless it is to answer otherwise."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        self.expires_in: float | None = 3600
        self.instead: web.Response | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.headers["authorization"], dict(await request.post())))
        if self.instead is not None:
            return self.instead
        token = {"access_token": f"token-{len(self.requests)}", "token_type": "Bearer"}
        return web.json_response(token | ({} if self.expires_in is None else {"expires_in": self.expires_in}))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["TokenEndpoint"]:
        app = web.Application()
        app.router.add_post("/token", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    async with TokenEndpoint().running() as running:
        yield running


def tokens_of(endpoint: TokenEndpoint) -> ClientCredentialsTokens:
    return ClientCredentialsTokens(endpoint.url, "meeting core", SECRET, scope="kafka", tls=None)


async def test_one_token_serves_all_connections_of_its_lifetime(endpoint: TokenEndpoint) -> None:
    tokens = tokens_of(endpoint)
    assert await asyncio.gather(*(tokens.token() for _ in range(5))) == ["token-1"] * 5
    login = b64encode(b"meeting+core:open%3Asesame").decode()  # RFC 6749 section 2.3.1
    assert endpoint.requests == [(f"Basic {login}", {"grant_type": "client_credentials", "scope": "kafka"})]


@pytest.mark.parametrize("lifetime", [0, None])
async def test_a_token_that_has_ended_is_replaced(endpoint: TokenEndpoint, lifetime: float | None) -> None:
    tokens = tokens_of(endpoint)
    endpoint.expires_in = lifetime
    assert [await tokens.token(), await tokens.token()] == ["token-1", "token-2"]


async def test_a_token_that_is_still_good_serves_while_the_endpoint_is_away(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tokens_of(endpoint)
    assert await tokens.token() == "token-1"
    monkeypatch.setattr(tokens, "_renew_at", 0.0)
    endpoint.instead = web.Response(status=503)
    assert await tokens.token() == "token-1"
    monkeypatch.setattr(tokens, "_expires_at", 0.0)
    with pytest.raises(KafkaConnectionError):
        await tokens.token()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: web.Response(status=401, text=SECRET), "answers 401"),
        (lambda: web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}), "answers 302"),
        (lambda: web.json_response({"error": SECRET}), "without a token"),
        (lambda: web.Response(text=SECRET), "without a token"),
        (lambda: web.json_response([SECRET]), "without a token"),
        (lambda: web.Response(body=b"x" * 100_000), "too much"),
    ],
)
async def test_any_other_answer_is_an_outage_that_quotes_nothing(
    endpoint: TokenEndpoint, answer: Any, why: str
) -> None:
    endpoint.instead = answer()
    with pytest.raises(KafkaConnectionError, match=why) as refusal:
        await tokens_of(endpoint).token()
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None


async def test_an_endpoint_that_is_away_is_an_outage() -> None:
    tokens = ClientCredentialsTokens("http://127.0.0.1:1/token", "id", SECRET, scope=None, tls=None)
    with pytest.raises(KafkaConnectionError, match="cannot be asked"):
        await tokens.token()
