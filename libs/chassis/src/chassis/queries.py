"""Queries between services: POST a question as JSON, get a ``Reply``. Internal, never exposed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from contracts.api.errors import ApiError
from contracts.api.queries import InternalQuery
from contracts.messages.replies import Outcome, Reply, ReplyError
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from httpx_aiohttp import HttpxAiohttpClient
from pydantic import ValidationError

from chassis.context import Context, current_context, working_on
from chassis.http import internal_only, outgoing_headers
from chassis.settings import ServiceSettings
from chassis.tracing import SpanKind, span

PREFIX = "/internal/queries"
Answerer = Callable[[Any], Awaitable[Reply]]


def query_routes(settings: ServiceSettings, answerers: dict[type[InternalQuery], Answerer]) -> APIRouter:
    """A route for each kind of query; a ``ApiError`` becomes a rejecting reply."""
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(internal_only(settings))])
    for kind, answerer in answerers.items():
        router.add_api_route(f"/{kind.name}", _endpoint(kind, answerer), methods=["POST"])
    return router


def _endpoint(kind: type[InternalQuery], answer: Answerer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            query = kind.model_validate_json(await request.body())
        except ValidationError as error:
            raise HTTPException(400, "not a query of this kind") from error
        try:
            with working_on(Context(current_context().correlation_id, tenant=query.tenant)):
                reply = await answer(query)
        except ApiError as refusal:
            reply = Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
        return Response(reply.model_dump_json(), media_type="application/json")

    return endpoint


class QueryUnavailableError(Exception):
    """The owner of the data could not be asked, or did not answer in time."""


class QueryClient:
    """Asks one service."""

    def __init__(self, settings: ServiceSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http

    async def ask(self, query: InternalQuery) -> Reply:
        """Raises QueryUnavailableError when there is no answer."""
        try:
            with span(f"ask {query.name}", SpanKind.CLIENT):
                answer = await self._http.post(
                    f"{PREFIX}/{query.name}",
                    content=query.model_dump_json(),
                    headers=outgoing_headers(self._settings),
                )
            answer.raise_for_status()
            return Reply.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise QueryUnavailableError from error


@asynccontextmanager
async def open_query_client(settings: ServiceSettings, base_url: str, *, patience: float) -> AsyncIterator[QueryClient]:
    """A client for the service at ``base_url``; ``patience`` is how many seconds it waits to connect and for data."""
    # httpx's own connection pool looks through all its connections for every request (decision 17).
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with HttpxAiohttpClient(base_url=base_url, timeout=patience, limits=limits) as http:
        yield QueryClient(settings, http)
