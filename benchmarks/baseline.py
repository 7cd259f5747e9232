"""The baseline: one FastAPI process with the gateway's endpoints and the core's domain, writing straight to MongoDB.

Same models, validation, authentication, directory, domain code and documents as the platform; no Kafka, no second
process. ``benchmarks.requests`` runs it with the gateway's environment, MONGODB_URI and a port of its own.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import httpx
from api_gateway.adapters.directory import HttpDirectory
from api_gateway.adapters.http.services import AppServices
from api_gateway.application.meetings import MeetingCommands
from api_gateway.bootstrap import assemble, authenticator
from api_gateway.settings import Settings
from chassis.http.server import serve
from chassis.kafka.publisher import Publisher
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from chassis.telemetry.health import Health
from contracts.api.queries import ActorQuery, GetMeeting
from contracts.messages.command import Command
from contracts.messages.replies import Reply
from contracts.values.times import utc_now
from fastapi import FastAPI
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.meetings import INDEXES, MongoMeetingReader, MongoMeetingRepository
from meeting_core.application.commands import execute_command
from meeting_core.application.queries import Queries
from meeting_core.settings import Settings as CoreSettings


class _Here:
    """Carries commands out and answers queries in this very process."""

    def __init__(self, writer: MongoMeetingRepository, queries: Queries) -> None:
        self._writer = writer
        self._queries = queries

    async def request(self, command: Command, *, key: str) -> Reply:
        works = await self._writer.load([command])
        reply = execute_command(works[key], command, utc_now())
        await self._writer.save(list(works.values()))
        return _as_answered(reply)

    async def ask(self, query: ActorQuery) -> Reply:
        return _as_answered(await self._queries.get_meeting(cast("GetMeeting", query)))


def _as_answered(reply: Reply) -> Reply:
    """The reply as the gateway gets it from the bus: its data is JSON."""
    return reply.model_copy(update={"data": None if reply.data is None else reply.data.model_dump(mode="json")})


def create_app(settings: Settings, core: CoreSettings, health: Health) -> FastAPI:
    """The gateway's application with everything behind it in the same process."""
    services = AppServices()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            http = await started.enter_async_context(httpx.AsyncClient(base_url=settings.directory_url))
            database = await started.enter_async_context(open_database(core))
            meetings = database.collection("meetings")
            await meetings.create_indexes(INDEXES)
            unpublished = Outbox(
                meetings, cast("Publisher", None), relay_delay=core.outbox_relay_delay
            )  # nothing is published
            archive = CommandArchive(database.collection("processed_commands"), retention=timedelta(days=1))
            here: Any = _Here(
                MongoMeetingRepository(meetings, unpublished, archive), Queries(MongoMeetingReader(meetings))
            )
            directory = HttpDirectory(
                http, cache_seconds=settings.directory_cache_seconds, concurrency=settings.directory_concurrency
            )
            services.authenticator = authenticator(settings, http)
            services.meetings = MeetingCommands(here, directory)
            services.core = here
            yield

    return assemble(settings, health, services, lifespan)


def main() -> None:
    settings, health = Settings(service_name="baseline"), Health()
    serve(create_app(settings, CoreSettings(mongodb_database="baseline"), health), settings, health)


if __name__ == "__main__":
    main()
