"""The HTTP server of a service: it serves at once, says what it waits for, and drains when it is told to stop."""

import signal
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.http.errors import unavailable_response
from chassis.kafka.topic_check import check_topics
from chassis.settings import ServiceSettings
from chassis.startup import Startup
from chassis.telemetry.health import Health
from chassis.telemetry.logs import configure_logging
from chassis.telemetry.tracing import configure_tracing

_OPERATIONAL = frozenset({"/healthz", "/readyz", "/metrics"})
_FAILED = 3
"""The exit status of a service that cannot start, as uvicorn has it."""
_KEEP_ALIVE = 150
"""Seconds. Proxies keep idle connections for less (Caddy 120, NGINX 60): no request may meet a closing one (502)."""


class StartupGate:
    """ASGI middleware: until the service has started, it answers operators alone, and all others 503."""

    def __init__(self, app: ASGIApp, startup: Startup) -> None:
        self._app = app
        self._startup = startup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._startup.problem() is not None and scope["path"] not in _OPERATIONAL:
            await unavailable_response(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _DrainingServer(uvicorn.Server):
    """On SIGTERM: not ready any more, then no new connections, then running requests end, then the lifespan's exit."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._health.draining = True
        super().handle_exit(signal.Signals(sig), frame)


def serve(app: FastAPI, settings: ServiceSettings, health: Health) -> None:
    """Run a service until it is told to stop. What it depends on may come later than it does.

    Raises:
        SystemExit: with status 3, it cannot start, and waiting would not help; the log says why.
    """
    configure_logging(settings.service_name, settings.log_level)
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,
        log_config=None,
        server_header=False,
        http="chassis.http.uvicorn_protocol:PlatformProtocol",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.drain_timeout),
    )
    server = _DrainingServer(config, health)
    startup = Startup(
        app.router.lifespan_context,
        lambda: check_topics(settings, settings.service_name),
        stop_server=lambda: setattr(server, "should_exit", True),
    )
    app.router.lifespan_context = startup.lifespan
    app.user_middleware.append(Middleware(StartupGate, startup=startup))  # innermost: answers are as any other
    health.add_readiness_check("startup", startup.problem)
    with configure_tracing(settings.service_name, settings.otel_exporter_otlp_endpoint):
        server.run()
    if startup.failed:
        sys.exit(_FAILED)
