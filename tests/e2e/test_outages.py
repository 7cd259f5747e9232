"""When a part of the platform is away: what callers are answered, and that nothing is lost or half done."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import MEETINGS, Caller, Json, done, path_of, refused
from tests.support.gateway import body
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

ANA = "C019B9D0FD0E5772F9E8ED189895D40C4"
PATIENCE = timedelta(seconds=6)  # the gateway gives up after 3 s; the rest is for a busy machine
GONE = "C019B9D0FD0E5772F9E8ED1898950000"


@pytest.fixture(autouse=True)
async def well_again(valentina: Caller) -> AsyncIterator[None]:
    """Leave a platform behind that carries commands out and answers queries."""
    yield

    async def works() -> bool:
        created = await valentina.post(MEETINGS, body())
        return created.status_code == 201 and (await valentina.get(MEETINGS)).status_code == 200

    await until(works, what="the platform works again", within=45)


async def appears(caller: Caller, answer: httpx.Response) -> Json:
    """The meeting that a 202 promises at its Location."""

    async def there() -> Json | None:
        found = await caller.get(answer.headers["location"])
        return found.json() if found.status_code == 200 else None

    return await until(there, what=f"{answer.headers['location']} appears", within=45)


def accepted(answer: httpx.Response) -> str:
    """The meetingUuid of a 202."""
    promised = done(answer, 202)
    assert promised == {"meetingUuid": promised["meetingUuid"], "status": "ACCEPTED"}
    assert answer.headers["location"] == f"{MEETINGS}/{promised['meetingUuid']}"
    assert answer.headers["x-correlation-id"]
    return str(promised["meetingUuid"])


async def test_a_late_outcome_is_202_and_is_carried_out(platform: Platform, valentina: Caller) -> None:
    to_change, to_cancel = await valentina.creates(title="Before"), await valentina.creates()
    key = uuid7_hex()
    with platform.processes["meeting-core"].paused():
        create = valentina.post(MEETINGS, body(title="Late"), idempotency_key=key)
        repeat = valentina.post(MEETINGS, body(title="Late"), idempotency_key=key)
        change = valentina.put(path_of(to_change), {"title": "After"})
        cancel = valentina.post(f"{path_of(to_cancel)}/cancel")
        query = valentina.get(path_of(to_change))
        created, repeated, changed, canceled, unread = await asyncio.gather(create, repeat, change, cancel, query)
        assert accepted(created) == accepted(repeated)
        assert accepted(changed) == to_change["meetingUuid"]
        assert accepted(canceled) == to_cancel["meetingUuid"]
        assert int(refused_for_now(unread)) > 0
    meeting = await appears(valentina, created)
    assert meeting["title"] == "Late"

    async def repeated_in_time() -> Json | None:
        answer = await valentina.post(MEETINGS, body(title="Late"), idempotency_key=key)
        return answer.json() if answer.status_code == 201 else None

    # The embedded broker lets a member that was silent for half its session timeout join again only seconds later.
    assert await until(repeated_in_time, what="a repeat is answered in time", within=45) == meeting

    async def all_done() -> bool:
        first, second = await valentina.sees(to_change), await valentina.sees(to_cancel)
        return (first["title"], second["status"]) == ("After", "CANCELED")

    await until(all_done, what="the other commands are carried out", within=45)


def refused_for_now(answer: httpx.Response) -> str:
    """The Retry-After of a 503."""
    error = refused(answer, 503, "BE0503")
    assert error["details"] is None
    return answer.headers["retry-after"]


async def test_while_the_bus_is_silent_202_and_a_repeat_makes_one_meeting(
    platform: Platform, valentina: Caller
) -> None:
    """What was sent may be in the log of a broker that does not answer."""
    key, meeting = uuid7_hex(), await valentina.creates(title="Before")
    with platform.processes["kafka"].paused():
        created, changed, repeated = await asyncio.gather(
            valentina.post(MEETINGS, body(title="Once"), idempotency_key=key),
            valentina.put(path_of(meeting), {"title": "After"}),
            valentina.post(MEETINGS, body(title="Once"), idempotency_key=key),
        )
        assert accepted(created) == accepted(repeated)
        assert accepted(changed) == meeting["meetingUuid"]
        for answer in (created, changed, repeated):
            assert answer.elapsed < PATIENCE
        assert (await valentina.sees(meeting))["title"] == "Before"  # reading needs no bus
        disconnected = done(await valentina.post("/api/v1/calendar/disconnect"), 202)
        assert disconnected == {"status": "ACCEPTED"}

    async def carried_out() -> Json | None:
        answer = await valentina.post(MEETINGS, body(title="Once"), idempotency_key=key)
        return answer.json() if answer.status_code == 201 else None

    once = await until(carried_out, what="the repeat is carried out", within=45)
    assert once["meetingUuid"] == accepted(created)
    assert done(await valentina.post(MEETINGS, body(title="Once"), idempotency_key=key), 201) == once
    assert [one["title"] for one in await valentina.calendar()].count("Once") == 1


async def test_while_the_database_is_away_queries_are_503_and_commands_wait(
    platform: Platform, valentina: Caller
) -> None:
    meeting = await valentina.creates(title="Before")
    with platform.processes["mongodb"].paused():
        created, read, listed = await asyncio.gather(
            valentina.post(MEETINGS, body(title="Waited")), valentina.get(path_of(meeting)), valentina.get(MEETINGS)
        )
        accepted(created)
        for answer in (read, listed):
            assert int(refused_for_now(answer)) > 0
    assert (await appears(valentina, created))["title"] == "Waited"


async def test_while_the_directory_is_away_503_and_nothing_is_accepted(platform: Platform, valentina: Caller) -> None:
    meeting = await valentina.creates(title="Before", contactIds=[ANA])
    before = {one["meetingUuid"] for one in await valentina.calendar()}
    with platform.processes["platform"].paused():
        created, changed = await asyncio.gather(
            valentina.post(MEETINGS, body(contactIds=[GONE])), valentina.put(path_of(meeting), {"contactIds": [GONE]})
        )
        for answer in (created, changed):
            assert int(refused_for_now(answer)) > 0
        retitled = await valentina.changes(meeting, title="After")  # needs nobody looked up
        assert retitled["title"] == "After"
    assert {one["meetingUuid"] for one in await valentina.calendar()} == before
    seen = await valentina.sees(meeting)
    assert [one["participantEntityUuid"] for one in seen["participants"]] == [ANA]
