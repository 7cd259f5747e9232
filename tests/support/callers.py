"""People who call the running platform through its gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from localrun.people import Person

from tests.support.gateway import body

MEETINGS = "/api/v1/meetings"
Json = dict[str, Any]
_PATIENCE = 30.0  # longer than the gateway takes to give up, so that every answer is the gateway's


@dataclass(frozen=True)
class Caller:
    """A person who is logged in."""

    person: Person
    http: httpx.AsyncClient = field(repr=False)

    @property
    def user_id(self) -> str:
        return self.person.user_id

    async def post(self, path: str, json: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=json, headers=_named(headers))

    async def put(self, path: str, json: Any, **headers: str) -> httpx.Response:
        return await self.http.put(path, json=json, headers=_named(headers))

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.http.get(path, params=parameters)

    async def delete(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.delete(path, headers=_named(headers))

    async def creates(self, **changes: Any) -> Json:
        """A new meeting of theirs, from a valid body, changed as asked."""
        return done(await self.post(MEETINGS, body(**changes)), 201)

    async def changes(self, meeting: Json, **changes: Any) -> Json:
        """The meeting after an update by them."""
        return done(await self.put(path_of(meeting), changes))

    async def cancels(self, meeting: Json) -> Json:
        return done(await self.post(f"{path_of(meeting)}/cancel"))

    async def sees(self, meeting: Json) -> Json:
        return done(await self.get(path_of(meeting)))

    async def calendar(self) -> list[Json]:
        """The newest hundred meetings on their calendar."""
        listed: list[Json] = done(await self.get(MEETINGS, size=100))["content"]
        return listed


@asynccontextmanager
async def calling(gateway: str, person: Person) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(
        base_url=gateway, headers=person.headers, timeout=_PATIENCE, trust_env=False
    ) as client:
        yield Caller(person, client)


def path_of(meeting: Json) -> str:
    return f"{MEETINGS}/{meeting['meetingUuid']}"


def done(answer: httpx.Response, status: int = 200) -> Json:
    """The body of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    found: Json = answer.json()
    return found


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """The error body of an answer that must be this refusal, in the platform's form."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    error: Json = answer.json()
    assert list(error) == ["errorCode", "message", "status", "path", "timestamp", "details"]
    assert (error["errorCode"], error["status"]) == (code, status)
    assert error["path"] == answer.request.url.path
    assert answer.headers["x-correlation-id"]
    return error


def _named(headers: dict[str, str]) -> dict[str, str]:
    """``if_match`` as ``if-match``."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
