"""The wiring of the gateway, in the order in which its parts start; they stop in the reverse order."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from chassis.http.app import (
    CORRELATION_HEADER,
    NO_TELEMETRY,
    Lifespan,
    RequestContextMiddleware,
    add_operational_routes,
)
from chassis.http.body_limit import BodyLimit
from chassis.http.errors import add_error_handlers, internal_error_response
from chassis.http.internal_queries import open_query_client
from chassis.http.rate_limit import RateLimiter
from chassis.http.security_headers import SecurityHeaders
from chassis.kafka.command_client import CommandClient
from chassis.kafka.publisher import open_publisher
from chassis.telemetry.health import Health
from contracts.rsvp_tokens import RsvpKeys
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from api_gateway.adapters.directory import HttpDirectory
from api_gateway.adapters.http.authentication import Authenticator, ReadLimits
from api_gateway.adapters.http.authorization import BrowserCookies
from api_gateway.adapters.http.availability import availability_routes
from api_gateway.adapters.http.calendar import calendar_routes
from api_gateway.adapters.http.guests import guest_routes
from api_gateway.adapters.http.meetings import meeting_list_routes, meeting_routes
from api_gateway.adapters.http.openapi import describe, operation_id
from api_gateway.adapters.http.reference import DESCRIPTION_PATH, SWAGGER_UI_PATH, reference_routes
from api_gateway.adapters.http.root import root_routes
from api_gateway.adapters.http.search import search_routes
from api_gateway.adapters.http.services import AppServices
from api_gateway.adapters.jwks import JwksCache
from api_gateway.adapters.tokens import TokenVerifier
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.calendar import CalendarConnections
from api_gateway.application.guests import Guests
from api_gateway.application.meetings import MeetingCommands
from api_gateway.domain.caller import HEADERS, ClaimNames
from api_gateway.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service: its routes at once, its connections while its lifespan runs."""
    services = AppServices()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            login = await started.enter_async_context(httpx.AsyncClient(timeout=settings.directory_timeout))
            keys = None
            if settings.jwt_jwks_url:
                keys = await started.enter_async_context(JwksCache(login, settings.jwt_jwks_url).running())
                health.add_readiness_check("login keys", keys.problem)
            services.authenticator = authenticator(settings, keys)

            platform = httpx.AsyncClient(base_url=settings.directory_url, timeout=settings.directory_timeout)
            directory = HttpDirectory(
                await started.enter_async_context(platform),
                cache_seconds=settings.directory_cache_seconds,
                concurrency=settings.directory_concurrency,
            )
            services.core = await started.enter_async_context(
                open_query_client(settings, settings.meeting_core_url, read_timeout=settings.query_timeout)
            )
            publisher = await started.enter_async_context(
                open_publisher(settings, request_timeout=settings.publish_timeout)
            )
            requests = CommandClient(
                settings,
                publisher,
                deadline=settings.command_deadline,
                max_in_flight=settings.commands_in_flight,
            )
            await started.enter_async_context(requests.running())
            health.add_readiness_check("replies", requests.problem)
            health.add_liveness_check("publisher", publisher.problem)
            services.meetings = MeetingCommands(requests, directory)
            services.guests = Guests(
                requests,
                services.core,
                RsvpKeys.parse(settings.rsvp_token_keys.get_secret_value()),
                token_required=settings.rsvp_token_policy == "required",  # noqa: S105 a policy's name
                limiter=RateLimiter(settings.public_requests_per_guest),
            )
            services.availability = AvailabilityChecks(
                directory, services.core, clients_may_ask=settings.availability_for_clients
            )
            calendar_sync = [
                await started.enter_async_context(
                    open_query_client(settings, settings.calendar_sync_url, read_timeout=timeout)
                )
                for timeout in (settings.query_timeout, settings.authorization_timeout)
            ]
            services.calendar = CalendarConnections(requests, directory, *calendar_sync)
            yield

    return assemble(settings, health, services, lifespan)


def assemble(settings: Settings, health: Health, services: AppServices, lifespan: Lifespan) -> FastAPI:
    """The application around a services that ``lifespan`` sets up: routes, errors, limits, description."""
    app = FastAPIOffline(
        docs_url=None,
        redoc_url=None,
        openapi_url=DESCRIPTION_PATH,
        static_url=SWAGGER_UI_PATH,
        title="Meetings API",
        version="1.0.0",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        generate_unique_id_function=operation_id,
        servers=[{"url": settings.public_base_url}],
    )
    if settings.docs_site_url:
        app.openapi_external_docs = {"url": settings.docs_site_url, "description": "First steps, how-to, events"}
    app.state.services = services
    services.user_limiter = RateLimiter(settings.requests_per_user)
    services.address_limiter = RateLimiter(settings.requests_per_address)
    services.read_limits = defaultdict(lambda: ReadLimits(settings.reads_in_flight_per_user))
    services.anonymous_limiter = RateLimiter(settings.public_requests_per_address)
    add_operational_routes(app, health)
    add_error_handlers(app)
    app.include_router(meeting_routes(services))
    app.include_router(meeting_list_routes(services))
    app.include_router(guest_routes(services))
    app.include_router(search_routes(services))
    app.include_router(availability_routes(services))
    browsers = BrowserCookies(secure=settings.public_base_url.startswith("https:"))
    app.include_router(calendar_routes(services, browsers, other_browser=settings.oauth_other_browser))
    app.include_router(reference_routes(app.title))
    app.include_router(root_routes(settings.docs_site_url))
    describe(app)
    app.add_middleware(BodyLimit, limit=settings.body_limit)
    app.add_middleware(RequestContextMiddleware, on_error=internal_error_response)
    if origins := [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=[*HEADERS, "Content-Type", "Idempotency-Key", "If-Match", CORRELATION_HEADER],
            expose_headers=["ETag", "Location", "Retry-After", CORRELATION_HEADER],
        )
    app.add_middleware(SecurityHeaders)
    return app


def authenticator(settings: Settings, keys: JwksCache | None) -> Authenticator:
    """Knows callers by the claim names and the secret of the settings, and by the login's public ``keys``."""
    tokens = TokenVerifier(
        secret=settings.jwt_hs256_secret,
        keys=keys,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway=settings.jwt_leeway,
    )
    names = ClaimNames(
        tenant=settings.jwt_tenant_claim,
        user=settings.jwt_user_claim,
        email=settings.jwt_email_claim,
        user_type=settings.jwt_user_type_claim,
        partner=settings.jwt_partner_claim,
        firm=settings.jwt_firm_claim,
    )
    return Authenticator(tokens, names)
