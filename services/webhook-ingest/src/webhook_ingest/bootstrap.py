"""The wiring of webhook-ingest, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from chassis.http.app import NO_TELEMETRY, Lifespan, RequestContextMiddleware, add_operational_routes
from chassis.http.body_limit import BodyLimit
from chassis.http.errors import add_error_handlers, internal_error_response
from chassis.http.rate_limit import RateLimiter
from chassis.http.security_headers import SecurityHeaders
from chassis.kafka.broadcast_consumer import BroadcastConsumer
from chassis.kafka.publisher import open_publisher
from chassis.telemetry.health import Health
from contracts.api.webhooks import WEBHOOKS_DESCRIPTION
from contracts.transport.topics import CALENDAR_CHANNELS
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match, Route
from starlette.types import Scope

from webhook_ingest.adapters.http import WebhookState, webhook_routes
from webhook_ingest.adapters.openapi import description
from webhook_ingest.adapters.publisher import KafkaNotificationPublisher
from webhook_ingest.application.notification_buffer import NotificationBuffer
from webhook_ingest.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it is ready once every known channel has been replayed."""
    state = WebhookState()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            publisher = await started.enter_async_context(open_publisher(settings))
            buffer = NotificationBuffer(
                KafkaNotificationPublisher(publisher),
                max_size=settings.notification_buffer_size,
                batch_window=settings.notification_batch_window,
            )
            state.notifications = await started.enter_async_context(buffer.running())
            channels = BroadcastConsumer(
                settings,
                publisher,
                topic=CALENDAR_CHANNELS,
                handle=lambda received: state.channels.apply(received.body),
                replay=True,
            )
            await started.enter_async_context(channels.running())
            health.add_readiness_check("channels", channels.problem)
            health.add_liveness_check("publisher", publisher.problem)
            yield

    return assemble(settings, health, state, lifespan)


def assemble(settings: Settings, health: Health, state: WebhookState, lifespan: Lifespan) -> FastAPI:
    """The application around what ``lifespan`` sets up: routes, errors, limits."""
    state.anonymous_limiter = RateLimiter(settings.rejected_requests_per_address)
    app = FastAPI(
        title="Meetings webhooks",
        version="1.0.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=WEBHOOKS_DESCRIPTION,
        servers=[{"url": "/"}],
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    _add_webhooks(app, webhook_routes(state))
    add_operational_routes(app, health)
    add_error_handlers(app)
    app.add_middleware(BodyLimit, limit=settings.body_limit)
    app.add_middleware(RequestContextMiddleware, on_error=internal_error_response)
    app.add_middleware(SecurityHeaders)
    return app


class _Webhook(Route):
    """Names itself in the scope, as FastAPI's routes do: requests are measured by their route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


def _add_webhooks(app: FastAPI, router: APIRouter) -> None:
    """Serve these endpoints by themselves: FastAPI's way to one takes as long as all the rest of an answer."""
    described = [route for route in router.routes if isinstance(route, APIRoute)]
    for route in described:
        app.router.routes.append(_Webhook(route.path, route.endpoint, methods=sorted(route.methods or ())))

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = description(app, described)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
