"""Operations that take too long, or whose caller is gone, end in the database too."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from chassis.http.disconnects import CLIENT_CLOSED_REQUEST, answer_while_connected
from chassis.mongo.database import Collection, Database, open_database
from chassis.outages import is_outage
from chassis.settings import DatabaseSettings
from contracts.values.ids import uuid7_hex
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response

from tests.support.waiting import until

pytestmark = pytest.mark.integration

SLOW = {"$where": "var since = Date.now(); while (Date.now() - since < 100) {} return false"}
"""A tenth of a second for each document."""


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[Database]:
    settings = DatabaseSettings(
        service_name=f"slow-{uuid7_hex()}",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="slow",
    )
    async with open_database(settings) as opened:
        things = opened.collection("things")
        for number in range(100):
            await things.update_one({"_id": number}, {"$set": {"number": number}}, upsert=True)
        yield opened


@pytest.fixture
async def running(mongodb_uri: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """How many operations the server is at on the test's database."""
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:

        async def count() -> int:
            operations = await client.admin.command({"currentOp": 1, "ns": "slow.things", "active": True})
            return len(operations["inprog"])

        yield count


async def idle(running: Callable[[], Awaitable[int]]) -> None:
    async def ended() -> bool:
        return await running() == 0

    await until(ended, what="the database is idle", within=3)


async def busy(running: Callable[[], Awaitable[int]]) -> None:
    async def begun() -> bool:
        return await running() > 0

    await until(begun, what="the database is at it")


def counting(things: Collection) -> Awaitable[Any]:
    return things.count(SLOW, hint="_id_")


def finding(things: Collection) -> Awaitable[Any]:
    return things.find(SLOW)


@pytest.mark.parametrize("operation", [counting, finding])
async def test_what_takes_too_long_is_ended(
    database: Database,
    running: Callable[[], Awaitable[int]],
    operation: Callable[[Collection], Awaitable[Any]],
) -> None:
    things = database.with_gate(1, time_limit=0.5).collection("things")
    began = time.monotonic()
    with pytest.raises(PyMongoError) as raised:
        await operation(things)
    assert time.monotonic() - began < 2
    assert is_outage(raised.value)
    await idle(running)


async def test_nothing_waits_behind_a_gate_of_its_own(database: Database) -> None:
    slow = [asyncio.create_task(database.with_gate(1, time_limit=2).collection("things").find(SLOW)) for _ in range(3)]
    began = time.monotonic()
    await database.collection("things").find_one({"_id": 1})
    assert time.monotonic() - began < 1
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.parametrize("operation", [counting, finding])
async def test_what_nobody_waits_for_any_more_is_ended(
    database: Database,
    running: Callable[[], Awaitable[int]],
    operation: Callable[[Collection], Awaitable[Any]],
) -> None:
    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def work() -> Response:
        await operation(database.collection("things"))
        return Response()

    request = Request({"type": "http", "headers": []}, receive)
    answering = asyncio.create_task(answer_while_connected(request, work()))
    await busy(running)
    gone.set()
    assert (await answering).status_code == CLIENT_CLOSED_REQUEST
    await idle(running)


async def test_what_ends_in_time_is_answered() -> None:
    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    async def work() -> Response:
        return Response("done", 200)

    answer = await answer_while_connected(Request({"type": "http", "headers": []}, receive), work())
    assert (answer.status_code, answer.body) == (200, b"done")


async def test_an_error_is_the_error_of_the_answer() -> None:
    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    async def work() -> Response:
        raise LookupError("lost")

    with pytest.raises(LookupError):
        await answer_while_connected(Request({"type": "http", "headers": []}, receive), work())
