"""What the console's event stream shows to whom."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from localrun.people import Person
from localrun.platform import Platform

from tests.support.callers import Caller

pytestmark = pytest.mark.e2e


async def records(http: httpx.AsyncClient, platform: Platform, person: Person) -> AsyncIterator[dict[str, Any]]:
    """First an empty one, when the stream is live; then every record that the person is shown."""
    headers = {"Authorization": f"Bearer {person.token}"}
    async with http.stream("GET", f"{platform.addresses.console}events", headers=headers, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def test_a_person_sees_the_records_of_their_tenant_alone(
    platform: Platform, valentina: Caller, ingrid: Caller
) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        shown = records(http, platform, ingrid.person)
        assert await anext(shown) == {}
        await valentina.creates()
        own = await ingrid.creates()
        types: set[str] = set()
        while not types >= {"meetings.meeting.create.v1", "meetings.meeting.created.v1"}:  # topics have no common order
            record = await anext(shown)
            assert record["subject"] in (own["meetingUuid"], ingrid.user_id) or record["topic"] == "gateway.replies"
            types.add(record["type"])
        await shown.aclose()
