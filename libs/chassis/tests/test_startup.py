"""A service that starts before what it depends on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError
from chassis.http.app import service_app
from chassis.http.server import StartupGate
from chassis.startup import Startup
from chassis.telemetry.health import Health
from fastapi import FastAPI
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError
from starlette.middleware import Middleware

from tests.support.waiting import until


class Service:
    """Its parts start once ``trouble`` is none; ``leaves`` is what stopping them raises."""

    def __init__(self) -> None:
        self.checked = self.entered = self.left = self.server_stops = 0
        self.trouble: Exception | None = None
        self.away: Exception | None = None
        self.health = Health()
        self.app = service_app(self.health, self.parts)
        self.startup = Startup(self.parts, self.check, stop_server=self.stop_server)
        self.health.add_readiness_check("startup", self.startup.problem)
        self.app.router.lifespan_context = self.startup.lifespan
        self.app.user_middleware.append(Middleware(StartupGate, startup=self.startup))

    async def check(self) -> None:
        self.checked += 1
        if self.away is not None:
            raise self.away

    @asynccontextmanager
    async def parts(self, app: FastAPI) -> AsyncIterator[None]:
        self.entered += 1
        app.add_api_route("/internal/queries/answer", lambda: self.entered)
        if self.trouble is not None:
            raise self.trouble
        try:
            yield
        finally:
            self.left += 1

    def stop_server(self) -> None:
        self.server_stops += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app)
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as http,
        ):
            yield http

    async def is_ready(self) -> bool:
        return not self.health.readiness_problems()


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (KafkaConnectionError("Unable to bootstrap"), "waits for Kafka: KafkaConnectionError: "),
        (ServerSelectionTimeoutError("refused"), "waits for MongoDB: ServerSelectionTimeoutError: refused"),
        (OperationFailure("no", 18, {"codeName": "AuthenticationFailed"}), "waits for MongoDB: OperationFailure: code"),
        (TimeoutError(), "waits for a dependency: TimeoutError"),
    ],
)
async def test_it_says_what_it_waits_for_and_goes_on_by_itself(away: Exception, said: str) -> None:
    service = Service()
    service.trouble = away
    async with service.running() as http:

        async def waits() -> Any:
            answer = (await http.get("/readyz")).json()["problems"].get("startup", "")
            return answer.startswith("waits for") and answer

        assert said in await until(waits, what="it waits")
        assert (await http.get("/healthz")).status_code == 200
        refused = await http.get("/internal/queries/answer")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["status"] == 503
        service.trouble = None
        await until(service.is_ready, what="it is ready")
        answer = await http.get("/internal/queries/answer")
        assert (answer.status_code, answer.json()) == (200, service.entered), (
            "of the parts that run, not of earlier tries"
        )
    assert (service.left, service.server_stops) == (1, 0)


async def test_parts_are_not_tried_while_the_check_says_no() -> None:
    service = Service()
    service.away = KafkaConnectionError()
    async with service.running():

        async def checked_twice() -> bool:
            return service.checked >= 2

        await until(checked_twice, what="it checks again and again")
        assert service.entered == 0
        service.away = None
        await until(service.is_ready, what="it is ready")


async def test_it_stops_while_it_waits() -> None:
    service = Service()
    service.away = KafkaConnectionError()
    async with asyncio.timeout(10):
        async with service.running():

            async def checked() -> bool:
                return service.checked >= 1

            await until(checked, what="it waits")
    assert (service.entered, service.server_stops) == (0, 0)


async def test_it_stops_in_the_middle_of_a_check_that_hangs() -> None:
    service = Service()

    async def hang() -> None:
        service.checked += 1
        await asyncio.sleep(3600)

    service.startup._check = hang
    async with asyncio.timeout(10):
        async with service.running():

            async def checked() -> bool:
                return service.checked >= 1

            await until(checked, what="it waits")


async def test_what_waiting_cannot_mend_ends_the_process() -> None:
    service = Service()
    service.trouble = ValueError("MAIL_FROM is unusable")
    async with service.running():

        async def stopped() -> bool:
            return service.server_stops == 1

        await until(stopped, what="the server is told to stop")
        assert service.startup.failed
        assert not await service.is_ready()
    assert service.entered == 1
