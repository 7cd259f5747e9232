"""The HTTP side of a service: health, metrics, and the context of each request."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import lru_cache

import structlog
from contracts.values.ids import uuid7_hex
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.settings import ServiceSettings
from chassis.telemetry import metrics
from chassis.telemetry.context import Context, current_context, use_context
from chassis.telemetry.health import Health
from chassis.telemetry.tracing import SpanKind, span, traceparent

log = structlog.get_logger()

CORRELATION_HEADER = "x-correlation-id"
TRACE_HEADER = "traceparent"
INTERNAL_TOKEN_HEADER = "x-internal-token"  # noqa: S105 a header's name
_MAX_CORRELATION_ID = 64
_CLIENT_CLOSED_REQUEST = 499
"""In metrics only, as nginx has it (https://nginx.org/en/docs/dev/development_guide.html#http_requests_to_ngx_http)."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own would put whole addresses into spans, with the secrets of links and consents in their queries."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def service_app(health: Health, lifespan: Lifespan) -> FastAPI:
    """An application with ``/healthz``, ``/readyz`` and ``/metrics``, for services that have no public API."""
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, telemetry=NO_TELEMETRY)
    add_operational_routes(app, health)
    app.add_middleware(RequestContextMiddleware, on_error=lambda _scope: Response(status_code=500))
    return app


def add_operational_routes(app: FastAPI, health: Health) -> None:
    """Add what operators and orchestrators ask: liveness, readiness, metrics."""

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return _health_answer(health.liveness_problems())

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        return _health_answer(health.readiness_problems())

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _health_answer(problems: dict[str, str]) -> Response:
    return JSONResponse({"problems": problems}, status_code=503 if problems else 200)


class RequestContextMiddleware:
    """ASGI middleware: every request works in a context, which its answer names, and is measured by its route.

    An unexpected error is logged in that context, and answered with the response of ``on_error``.
    """

    def __init__(self, app: ASGIApp, on_error: Callable[[Scope], ASGIApp]) -> None:
        self._app = app
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        correlation = _safe(headers.get(CORRELATION_HEADER.encode(), b"")) or uuid7_hex()
        trace = headers.get(TRACE_HEADER.encode(), b"").decode("latin-1") or None
        began = time.perf_counter()
        status: int | None = None

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (CORRELATION_HEADER.encode(), correlation.encode())]
            await send(message)

        with use_context(Context(correlation, traceparent=trace)), span(scope["method"], SpanKind.SERVER) as request:
            try:
                await self._app(scope, receive, send_named)
            except ClientDisconnect:  # the client left before its body was complete: there is nothing to answer
                status = status or _CLIENT_CLOSED_REQUEST
            except Exception:
                log.exception("unexpected error")
                if status is not None:  # half an answer is out: breaking off tells the caller
                    raise
                await self._on_error(scope)(scope, receive, send_named)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                requests, seconds = _request_metrics(scope["method"], route, status or 500)
                requests.inc()
                seconds.observe(time.perf_counter() - began)
                request.update_name(f"{scope['method']} {route}")
                request.set_attribute("http.response.status_code", status or 500)


@lru_cache(maxsize=1_000)
def _request_metrics(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    known = method if method in _METHODS else "other"
    return metrics.REQUESTS.labels(known, route, status), metrics.REQUEST_SECONDS.labels(known, route)


def _safe(value: bytes) -> str | None:
    text = value.decode("latin-1")
    plain = 0 < len(text) <= _MAX_CORRELATION_ID and all(letter.isalnum() or letter in "-_." for letter in text)
    return text if plain and text.isascii() else None


def outgoing_headers(settings: ServiceSettings) -> dict[str, str]:
    """What a call to another service's internal API carries."""
    trace = traceparent()
    return {
        INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value(),
        CORRELATION_HEADER: current_context().correlation_id,
    } | ({} if trace is None else {TRACE_HEADER: trace})
