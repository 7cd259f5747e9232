"""Guests reply by mail while the service that reads the replies is killed: no acknowledged reply is lost."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, Json, calling
from tests.support.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

GUESTS = 40
KILLS = 3
SEED = 5
_WITHIN = 120.0
_SPREAD = 6.0
_PROGRAMS = ("gmail", "outlook", "apple", "thunderbird")


@pytest.fixture
async def adviser(platform: Platform) -> AsyncIterator[Caller]:
    assert platform.addresses.gateway is not None
    async with calling(platform.addresses.gateway, platform.addresses.people[0]) as caller:
        yield caller


@pytest.fixture
async def sink(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The mail server, which keeps what is not acknowledged and tries again, as mail servers do."""
    assert platform.addresses.mail is not None
    async with httpx.AsyncClient(base_url=platform.addresses.mail, trust_env=False, timeout=30) as http:
        yield http


async def test_killing_the_listener_loses_no_reply(
    platform: Platform, adviser: Caller, sink: httpx.AsyncClient
) -> None:
    chance, run = random.Random(SEED), uuid7_hex().lower()
    guests = [{"email": f"g{number}-{run}@replying.example.com"} for number in range(GUESTS)]
    meeting = await adviser.creates(
        externalAttendees=guests, startDateTime="2038-06-16T15:00:00", endDateTime="2038-06-16T15:45:00"
    )
    mails = {guest["email"]: await _mail(sink, guest["email"]) for guest in guests}
    answers = {email: chance.choice(("yes", "no")) for email in mails}
    replies = [
        _reply(sink, mails[email], chance.choice(_PROGRAMS), action, after=chance.uniform(0, _SPREAD))
        for email, action in answers.items()
    ]
    await asyncio.gather(_kill(platform, chance), *replies)
    expected = {email: "ACCEPTED" if action == "yes" else "DECLINED" for email, action in answers.items()}

    async def recorded() -> bool:
        seen = await adviser.sees(meeting)
        return {one["email"]: one["rsvpStatus"] for one in seen["participants"]} == expected

    await until(recorded, what="every acknowledged reply counts", within=_WITHIN)


async def _mail(sink: httpx.AsyncClient, address: str) -> Json:
    async def there() -> Json | None:
        found: list[Json] = (await sink.get("/api/messages", params={"to": address})).json()
        return found[0] if found else None

    return await until(there, what=f"{address} is invited", within=_WITHIN)


async def _reply(sink: httpx.AsyncClient, mail: Json, program: str, action: str, *, after: float) -> None:
    """Hand the reply over until it is acknowledged; sometimes once more, as servers do that did not hear of it."""

    await asyncio.sleep(after)  # a pace, so that kills meet replies; nothing waits for it

    async def acknowledged() -> bool:
        answer = await sink.post(f"/api/messages/{mail['id']}/reply", json={"program": program, "action": action})
        return answer.is_success and answer.json()["code"] == 250

    await until(acknowledged, what=f"the reply to {mail['id']} is acknowledged", within=_WITHIN)
    if action == "yes":
        await until(acknowledged, what=f"the reply to {mail['id']} is acknowledged again", within=_WITHIN)


async def _kill(platform: Platform, chance: random.Random) -> None:
    process = platform.processes["invitations"]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0, 1.5))  # the moment is what is random, nothing waits for it
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)
        await asyncio.to_thread(process.wait_ready)
