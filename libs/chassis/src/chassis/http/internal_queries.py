"""Queries between services over internal HTTP: POST a query as JSON, receive a ``Reply``. Never exposed.

Client and routes use aiohttp and Starlette directly: on this path, which every read takes, `httpx` and FastAPI's
dependency resolution took more CPU time than the query itself (docs/benchmarks/requests.md).
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog
from contracts.api.errors import ApiError
from contracts.api.queries import InternalQuery
from contracts.messages.replies import Outcome, Reply, ReplyError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from yarl import URL

from chassis.http.app import INTERNAL_TOKEN_HEADER, outgoing_headers
from chassis.http.disconnects import answer_while_connected
from chassis.outages import is_outage
from chassis.redaction import describe_error
from chassis.settings import ServiceSettings
from chassis.telemetry.context import Context, current_context, use_context
from chassis.telemetry.tracing import SpanKind, span

log = structlog.get_logger()

PREFIX = "/internal/queries"
_MAX_CONNECTIONS = 256
Answerer = Callable[[Any], Awaitable[Reply]]


def query_routes(settings: ServiceSettings, answerers: dict[type[InternalQuery], Answerer]) -> list[Route]:
    """A route for each kind of query, guarded by the internal token; an ``ApiError`` becomes a rejecting reply."""
    token = settings.internal_token.get_secret_value().encode()
    return [
        Route(f"{PREFIX}/{kind.name}", _endpoint(kind, answerer, token), methods=["POST"])
        for kind, answerer in answerers.items()
    ]


def _endpoint(kind: type[InternalQuery], answer: Answerer, token: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(INTERNAL_TOKEN_HEADER, "").encode(), token):
            return Response("internal token required", 401)
        try:
            query = kind.model_validate_json(await request.body())
        except ValidationError:
            return Response("not a query of this kind", 400)
        with use_context(Context(current_context().correlation_id, tenant=query.tenant)):
            return await answer_while_connected(request, _answered(query, answer))

    return endpoint


async def _answered(query: InternalQuery, answer: Answerer) -> Response:
    try:
        reply = await answer(query)
    except ApiError as refusal:
        reply = Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("query not answered", query=query.name, error=describe_error(error))
        return Response("a dependency is away, or the query took too long", 503)
    return Response(reply.model_dump_json(), media_type="application/json")


class QueryUnavailableError(Exception):
    """The owner of the data could not be asked, or did not answer in time; ``status`` is its HTTP status, if any."""

    def __init__(self, reason: str = "", *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class QueryClient:
    """Asks one service."""

    def __init__(self, settings: ServiceSettings, http: aiohttp.ClientSession, base_url: str) -> None:
        self._settings = settings
        self._http = http
        self._prefix = URL(base_url + PREFIX)

    async def ask(self, query: InternalQuery) -> Reply:
        """Raises QueryUnavailableError when there is no answer."""
        try:
            with span(f"ask {query.name}", SpanKind.CLIENT):
                async with self._http.post(
                    self._prefix / query.name,
                    data=query.model_dump_json().encode(),
                    headers=outgoing_headers(self._settings),
                    raise_for_status=True,
                ) as answer:
                    return Reply.model_validate_json(await answer.read())
        except aiohttp.ClientResponseError as error:
            raise QueryUnavailableError(str(error.status), status=error.status) from error
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise QueryUnavailableError(type(error).__name__) from error


@asynccontextmanager
async def open_query_client(
    settings: ServiceSettings, base_url: str, *, read_timeout: float
) -> AsyncIterator[QueryClient]:
    """A client for the service at ``base_url``; ``read_timeout``: seconds to wait to connect, and for data."""
    limits = aiohttp.ClientTimeout(total=None, connect=read_timeout, sock_read=read_timeout)
    connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(timeout=limits, connector=connector, cookie_jar=jar) as http:
        yield QueryClient(settings, http, base_url.rstrip("/"))
