"""Idempotency-Key, ETag and If-Match over the running platform."""

import asyncio

import pytest
from contracts.values.ids import uuid7_hex

from tests.support.callers import MEETINGS, Caller, done, path_of, refused
from tests.support.gateway import body

pytestmark = pytest.mark.e2e


@pytest.fixture
def key() -> str:
    """A key that nobody has used."""
    return f"key {uuid7_hex()}"


async def test_the_same_create_again_is_the_same_meeting(valentina: Caller, key: str) -> None:
    first = await valentina.post(MEETINGS, body(title="Once"), idempotency_key=key)
    again = await valentina.post(MEETINGS, body(title="Once"), idempotency_key=key)
    assert done(first, 201) == done(again, 201)
    assert first.headers["etag"] == again.headers["etag"]
    listed = [one["meetingUuid"] for one in await valentina.calendar()]
    assert listed.count(first.json()["meetingUuid"]) == 1


async def test_the_same_create_at_the_same_time_is_one_meeting(valentina: Caller, key: str) -> None:
    answers = await asyncio.gather(*(valentina.post(MEETINGS, body(), idempotency_key=key) for _ in range(8)))
    meetings = [done(answer, 201) for answer in answers]
    assert all(meeting == meetings[0] for meeting in meetings)


async def test_without_a_key_every_create_is_a_new_meeting(valentina: Caller) -> None:
    first, second = await valentina.creates(), await valentina.creates()
    assert first["meetingUuid"] != second["meetingUuid"]


async def test_the_same_key_with_another_body_is_409(valentina: Caller, key: str) -> None:
    meeting = done(await valentina.post(MEETINGS, body(title="A"), idempotency_key=key), 201)
    refused(await valentina.post(MEETINGS, body(title="B"), idempotency_key=key), 409, "BE0424")
    assert (await valentina.sees(meeting))["title"] == "A"
    done(await valentina.put(path_of(meeting), {"title": "C"}, idempotency_key=key))
    refused(await valentina.put(path_of(meeting), {"title": "D"}, idempotency_key=key), 409, "BE0424")
    assert (await valentina.sees(meeting))["title"] == "C"


async def test_the_same_key_of_another_user_is_another_meeting(
    valentina: Caller, daniel: Caller, ingrid: Caller, key: str
) -> None:
    answers = [await one.post(MEETINGS, body(), idempotency_key=key) for one in (valentina, daniel, ingrid)]
    assert len({done(answer, 201)["meetingUuid"] for answer in answers}) == 3


async def test_a_repeat_after_a_change_gives_the_same_status_and_the_current_body(valentina: Caller, key: str) -> None:
    meeting = done(await valentina.post(MEETINGS, body(title="Then"), idempotency_key=key), 201)
    changed = await valentina.changes(meeting, title="Now")
    again = await valentina.post(MEETINGS, body(title="Then"), idempotency_key=key)
    assert done(again, 201) == changed
    assert again.headers["etag"] == '"2"'


async def test_a_repeated_update_is_done_once(valentina: Caller, key: str) -> None:
    meeting = await valentina.creates(title="A")
    first = await valentina.put(path_of(meeting), {"title": "B"}, idempotency_key=key)
    await valentina.changes(meeting, title="C")
    again = await valentina.put(path_of(meeting), {"title": "B"}, idempotency_key=key)
    assert (done(first)["title"], done(again)["title"]) == ("B", "C")
    assert again.headers["etag"] == '"3"'


async def test_a_repeated_cancel_is_done_once_and_a_second_one_refused(valentina: Caller, key: str) -> None:
    meeting = await valentina.creates()
    cancel = f"{path_of(meeting)}/cancel"
    first, again = [await valentina.post(cancel, idempotency_key=key) for _ in range(2)]
    assert done(first) == done(again)
    refused(await valentina.post(cancel), 409, "BE0420")
    refused(await valentina.post(cancel, idempotency_key=f"{key} 2"), 409, "BE0420")


async def test_a_repeated_refusal_stays_one(valentina: Caller, key: str) -> None:
    meeting = await valentina.creates()
    hide = f"{path_of(meeting)}/calendar-visibility"
    refused(await valentina.delete(hide, idempotency_key=key), 409, "BE0421")
    await valentina.cancels(meeting)
    refused(await valentina.delete(hide, idempotency_key=key), 409, "BE0421")
    assert (await valentina.delete(hide, idempotency_key=f"{key} 2")).status_code == 204


async def test_a_stale_if_match_is_412_and_changes_nothing(valentina: Caller) -> None:
    meeting = await valentina.creates(title="A")
    etag = (await valentina.get(path_of(meeting))).headers["etag"]
    done(await valentina.put(path_of(meeting), {"title": "B"}, if_match=etag))
    refused(await valentina.put(path_of(meeting), {"title": "C"}, if_match=etag), 412, "BE0430")
    refused(await valentina.post(f"{path_of(meeting)}/cancel", if_match=etag), 412, "BE0430")
    seen = await valentina.sees(meeting)
    assert (seen["title"], seen["status"]) == ("B", "ACTIVE")
    for if_match in ('"2"', '"1", "2"', "*"):
        done(await valentina.put(path_of(meeting), {"title": "B"}, if_match=if_match))
    done(await valentina.post(f"{path_of(meeting)}/cancel", if_match='"2"'))


async def test_of_two_who_change_the_same_version_one_is_refused(valentina: Caller) -> None:
    meeting = await valentina.creates()
    titles = [f"Writer {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(valentina.put(path_of(meeting), {"title": title}, if_match='"1"') for title in titles)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert await valentina.sees(meeting) == winner.json()


async def test_an_outsider_learns_no_version(valentina: Caller, daniel: Caller) -> None:
    meeting = await valentina.creates()
    for if_match in ('"1"', '"7"'):
        refused(await daniel.put(path_of(meeting), {"title": "Mine"}, if_match=if_match), 403, "BE0403")
