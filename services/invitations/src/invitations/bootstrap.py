"""The wiring of invitations, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chassis.health import Health
from chassis.http import service_app
from chassis.kafka.consumer import Batch, Consumer
from chassis.kafka.publisher import open_publisher
from chassis.mongo import open_database
from contracts.topics import INVITATIONS, MEETING_EVENTS
from fastapi import FastAPI

from invitations.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it consumes while its lifespan runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            database = await started.enter_async_context(open_database(settings))
            publisher = await started.enter_async_context(open_publisher(settings))
            consumer = Consumer(settings, publisher, group=INVITATIONS, topics=[MEETING_EVENTS], process=_take_note)
            await started.enter_async_context(consumer.running())
            health.must_live("consumer", consumer.problem)
            health.must_be_ready("mongodb", database.problem)
            yield

    return service_app(health, lifespan)


async def _take_note(_batch: Batch) -> None:
    """Nothing is owed for these events yet; they are read, checked and counted."""
