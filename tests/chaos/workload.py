"""Clients that create and change meetings while the platform is being hurt, and remember what they were told."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from contracts.ids import uuid7_hex

from tests.chaos.history import Told

Hurt = Callable[[random.Random], Awaitable[None]]
_CHANGES_AT_MOST = 4


async def work_while(
    http: httpx.AsyncClient, hurt: Hurt, *, seed: int, clients: int, meetings: int, name: str
) -> list[Told]:
    """Let ``clients`` handle so many ``meetings`` together while ``hurt`` is called again and again."""
    chance = random.Random(seed)
    history = [Told(f"{name}-{number}") for number in range(meetings)]
    waiting = iter(history)

    async def client(own: random.Random) -> None:
        for told in waiting:
            await _live_through(http, told, own)

    async def hurting() -> None:
        while True:
            await hurt(chance)

    pain = asyncio.create_task(hurting())
    try:
        await asyncio.gather(*(client(random.Random(f"{seed}/{number}")) for number in range(clients)))
    finally:
        pain.cancel()
        await asyncio.gather(pain, return_exceptions=True)
    if pain.done() and not pain.cancelled() and (error := pain.exception()) is not None:
        raise error
    return history


async def _live_through(http: httpx.AsyncClient, told: Told, chance: random.Random) -> None:
    """Create a meeting, repeating under one key until there is an answer, then change it a few times."""
    body = {
        "title": f"{told.title}/0",
        "description": told.title,
        "startDateTime": "2027-03-01T10:00:00",
        "endDateTime": "2027-03-01T10:30:00",
        "timezone": "Europe/Madrid",
        "locationType": "ONLINE",
    }
    told.open_titles.add(body["title"])
    created = await _ask(http, "POST", "/api/v1/meetings", body)
    if created is None:
        return
    told.meeting_uuid = created.json()["meetingUuid"]
    _note(told, created, body["title"])
    for change in range(1, chance.randint(1, _CHANGES_AT_MOST)):
        title = f"{told.title}/{change}"
        told.open_titles.add(title)
        answer = await _ask(http, "PUT", f"/api/v1/meetings/{told.meeting_uuid}", {"title": title})
        if answer is not None:
            _note(told, answer, title)


def _note(told: Told, answer: httpx.Response, title: str) -> None:
    if answer.status_code in (httpx.codes.OK, httpx.codes.CREATED):
        told.acknowledged_version = int(answer.headers["etag"].strip('"'))
        told.acknowledged_titles.append(title)
        told.open_titles.clear()  # commands of one meeting are carried out in order


async def _ask(http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]) -> httpx.Response | None:
    """Ask, and ask again under the same key while the platform is away; None when no attempt was accepted."""
    key = uuid7_hex()
    for _ in range(8):
        try:
            answer = await http.request(method, path, json=body, headers={"idempotency-key": key})
        except httpx.TransportError:
            continue
        if answer.status_code in (httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED):
            return answer
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
    return None
