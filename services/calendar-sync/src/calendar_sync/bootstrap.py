"""The wiring of calendar-sync, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from chassis.http.app import service_app
from chassis.http.internal_queries import query_routes
from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import open_publisher
from chassis.mongo.database import open_database
from chassis.telemetry.health import Health
from contracts.api.calendar import (
    CompleteAuthorization,
    ConfirmAuthorization,
    GetConnection,
    ReencryptSecrets,
    ResyncCalendar,
    StartAuthorization,
)
from contracts.api.queries import InternalQuery
from contracts.messages.replies import Reply
from contracts.transport.topics import (
    CALENDAR_COMMANDS,
    CALENDAR_EVENTS,
    CALENDAR_NOTIFICATIONS,
    CALENDAR_SYNC,
    MEETING_EVENTS,
)
from fastapi import FastAPI

from calendar_sync.connections.key_rotation import KeyRotation
from calendar_sync.connections.wiring import (
    Connections,
    ConnectionServices,
    start_connection_services,
    start_connections,
)
from calendar_sync.handlers import CalendarCommands, MessageHandler, MessageRouter
from calendar_sync.inbound.on_demand import OnDemandSync
from calendar_sync.inbound.wiring import start_channels, start_inbound, start_republication
from calendar_sync.outbound.wiring import start_outbound
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import PROVIDERS, RATE_LIMITS, calendar_apis, oauth_clients
from calendar_sync.runtime import Runtime
from calendar_sync.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it consumes while its lifespan runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            database = await started.enter_async_context(open_database(settings))
            publisher = await started.enter_async_context(open_publisher(settings))
            runtime = Runtime(settings, database, publisher, started)
            await _start(runtime, app, health)
            health.add_readiness_check("mongodb", database.problem)
            yield

    return service_app(health, lifespan)


async def _start(runtime: Runtime, app: FastAPI, health: Health) -> None:
    settings, started = runtime.settings, runtime.started
    connections = await start_connections(runtime, await oauth_clients(settings, started))
    apis = await calendar_apis(settings, started)
    calls = AuthorizedCalls(connections.accounts, RateLimiter(RATE_LIMITS))
    channels = await start_channels(runtime, apis, calls)
    services = await start_connection_services(runtime, connections, channels.manager)
    outbound = await start_outbound(runtime, PROVIDERS, apis, connections.repository, calls)
    inbound = await start_inbound(runtime, channels, apis, outbound.lookup, calls)
    await start_republication(runtime, channels, connections.repository)
    _add_queries(app, settings, connections, services, inbound.on_demand)
    commands = CalendarCommands(services.connection, inbound.on_demand, runtime.publisher)
    await _start_consumer(runtime, health, [commands, outbound.projector, inbound.scheduler])


def _add_queries(
    app: FastAPI,
    settings: Settings,
    connections: Connections,
    services: ConnectionServices,
    on_demand: OnDemandSync,
) -> None:
    answers: dict[type[InternalQuery], Callable[[Any], Awaitable[Reply]]] = {
        GetConnection: services.connection.get,
        StartAuthorization: services.authorization.start,
        CompleteAuthorization: services.authorization.complete,
        ConfirmAuthorization: services.authorization.confirm,
        ReencryptSecrets: KeyRotation(connections.repository, connections.vault).reencrypt,
        ResyncCalendar: on_demand.resync,
    }
    app.router.routes.extend(query_routes(settings, answers))


async def _start_consumer(runtime: Runtime, health: Health, handlers: list[MessageHandler]) -> None:
    consumer = Consumer(
        runtime.settings,
        runtime.publisher,
        group=CALENDAR_SYNC,
        topics=[MEETING_EVENTS, CALENDAR_COMMANDS, CALENDAR_EVENTS, CALENDAR_NOTIFICATIONS],
        handler=MessageRouter(handlers).handle,
    )
    await runtime.started.enter_async_context(consumer.running())
    health.add_liveness_check("consumer", consumer.problem)
    health.add_liveness_check("publisher", runtime.publisher.problem)
