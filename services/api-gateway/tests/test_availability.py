"""The availability endpoint alone: whom it asks about, which window it means, and in which order it answers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from chassis.http.internal_queries import QueryUnavailableError
from contracts.api.availability import Busy
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.queries import MAX_PEOPLE_CHECKED, CheckAvailability
from contracts.messages.replies import Outcome, Reply

from tests.support.gateway import Gateway, gateway, signed

CHECK = "/api/v1/availability/check"
WINDOW = {"startDateTime": "2026-06-15T15:00:00", "endDateTime": "2026-06-15T15:45:00"}


def busy(api: Gateway, *people: str) -> None:
    api.core.outcome = Reply(outcome=Outcome.OK, data=Busy(user_uuids=[*people]).model_dump(mode="json"))


async def statuses(api: Gateway, people: Sequence[str], **more: Any) -> list[tuple[str, str]]:
    answer = await api.client.post(CHECK, json={"userUuids": [*people]} | WINDOW | more)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["availabilities"]
    assert all(list(one) == ["userUuid", "status"] for one in answer.json()["availabilities"])
    return [(one["userUuid"], one["status"]) for one in answer.json()["availabilities"]]


async def window_of(api: Gateway, **more: Any) -> tuple[datetime, datetime]:
    """The instants that meeting-core is asked about."""
    api.core.queries.clear()
    await statuses(api, ["TS1"], **more)
    [query] = api.core.queries
    assert isinstance(query, CheckAvailability)
    return query.starts_at, query.ends_at


async def test_everybody_is_answered_in_the_order_asked(api: Gateway) -> None:
    busy(api, "TS2")
    assert await statuses(api, ["TS3", "C1", "TS2", "TS3", "C1", "TS2"]) == [
        ("TS3", "AVAILABLE"),
        ("C1", "UNKNOWN"),
        ("TS2", "BUSY"),
        ("TS3", "AVAILABLE"),
        ("C1", "UNKNOWN"),
        ("TS2", "BUSY"),
    ]
    assert api.directory.asked == ["TS3", "C1", "TS2"]
    assert [query.user_uuids for query in api.core.queries] == [["TS3", "TS2"]]


async def test_unknown_is_not_free(api: Gateway) -> None:
    answer = Busy(user_uuids=["TS2"], unknown_user_uuids=["TS3"])
    api.core.outcome = Reply(outcome=Outcome.OK, data=answer.model_dump(mode="json"))
    assert await statuses(api, ["TS1", "TS2", "TS3"]) == [("TS1", "AVAILABLE"), ("TS2", "BUSY"), ("TS3", "UNKNOWN")]


async def test_strangers_alone_need_no_question(api: Gateway) -> None:
    assert await statuses(api, ["C1", "PS1"]) == [("C1", "UNKNOWN"), ("PS1", "UNKNOWN")]
    assert api.core.queries == []


async def test_five_hundred_are_checked_and_one_more_refused(api: Gateway) -> None:
    people = [f"TS{number}" for number in range(MAX_PEOPLE_CHECKED)]
    busy(api, *people[::2])
    answers = await statuses(api, people)
    assert answers == [(one, "AVAILABLE" if number % 2 else "BUSY") for number, one in enumerate(people)]
    answer = await api.client.post(CHECK, json={"userUuids": [*people, "TS"]} | WINDOW)
    assert answer.status_code == 400
    assert answer.json()["details"][0].startswith("userUuids: List should have at most 500 items")


async def test_the_window_is_utc_unless_a_zone_is_given(api: Gateway) -> None:
    busy(api)
    assert await window_of(api) == (datetime(2026, 6, 15, 15, tzinfo=UTC), datetime(2026, 6, 15, 15, 45, tzinfo=UTC))
    assert await window_of(api, timezone=None) == await window_of(api)
    in_santiago = (datetime(2026, 6, 15, 19, tzinfo=UTC), datetime(2026, 6, 15, 19, 45, tzinfo=UTC))
    assert await window_of(api, timezone="America/Santiago") == in_santiago


async def test_a_window_across_a_change_of_the_clocks_is_as_long_as_it_is(api: Gateway) -> None:
    busy(api)
    skipped = {"startDateTime": "2026-03-29T01:30:00", "endDateTime": "2026-03-29T03:30:00"}
    opens, closes = await window_of(api, timezone="Europe/Madrid", **skipped)
    assert (closes - opens).total_seconds() == 3600


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"userUuids": []}, "userUuids: List should have at least 1 item"),
        ({"userUuids": None}, "userUuids: Input should be a valid list"),
        ({"userUuids": ["TS 1"]}, "userUuids[0]: String should match"),
        ({"userUuids": [{"$ne": ""}]}, "userUuids[0]: Input should be a valid string"),
        ({"endDateTime": "2026-06-15T15:00:00"}, "endDateTime: must be after startDateTime"),
        ({"endDateTime": "2026-06-15T14:00:00"}, "endDateTime: must be after startDateTime"),
        ({"endDateTime": "2026-06-15T16:00:00Z"}, "endDateTime: must be a local date-time"),
        ({"timezone": "Mars/Olympus"}, "timezone: must be an IANA time zone"),
        ({"startDateTime": None}, "startDateTime: must be a local date-time"),
        (
            {  # half an hour that the clocks skip
                "startDateTime": "2026-03-29T02:30:00",
                "endDateTime": "2026-03-29T03:00:00",
                "timezone": "Europe/Madrid",
            },
            "endDateTime: must be after startDateTime",
        ),
    ],
)
async def test_what_is_wrong_is_named(api: Gateway, changes: dict[str, Any], detail: str) -> None:
    answer = await api.client.post(CHECK, json={"userUuids": ["TS1"]} | WINDOW | changes)
    assert answer.status_code == 400
    assert answer.json()["details"][0].startswith(detail)
    assert api.core.queries == []


async def test_without_the_directory_nobody_is_told_anything(api: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_caller: object, _staff_id: str) -> None:
        raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)

    monkeypatch.setattr(api.directory, "staff", away)
    answer = await api.client.post(CHECK, json={"userUuids": ["TS1"]} | WINDOW)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "BE0503")
    assert answer.headers["retry-after"]


async def test_without_meeting_core_nobody_is_told_anything(api: Gateway) -> None:
    api.core.outcome = QueryUnavailableError()
    answer = await api.client.post(CHECK, json={"userUuids": ["TS1"]} | WINDOW)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "BE0503")


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_setting_decides_whether_clients_may_ask(allowed: bool) -> None:
    async with gateway(clients_may_ask=allowed) as api:
        busy(api)
        api.client.headers["x-user-type"] = "CLIENT"
        api.client.headers["Authorization"] = f"Bearer {signed({'userType': 'CLIENT'})}"
        answer = await api.client.post(CHECK, json={"userUuids": ["TS1"]} | WINDOW)
        assert answer.status_code == (200 if allowed else 403)
        assert bool(api.core.queries) is allowed
        assert allowed or api.directory.asked == []
