"""The wiring of webhook-ingest, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from chassis.health import Health
from chassis.http import service_app
from chassis.kafka.publisher import open_publisher
from chassis.kafka.tail import Tail
from chassis.kafka.wire import Received
from contracts.topics import CALENDAR_CHANNELS
from fastapi import FastAPI

from webhook_ingest.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it is ready once every known channel has been replayed."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            publisher = await started.enter_async_context(open_publisher(settings))
            channels = Tail(settings, publisher, topic=CALENDAR_CHANNELS, handle=_take_note, replay=True)
            await started.enter_async_context(channels.running())
            health.must_be_ready("channels", channels.problem)
            yield

    return service_app(health, lifespan)


def _take_note(_received: Received[Any]) -> None:
    """No channel is open yet; what is on the topic is read, checked and counted."""
