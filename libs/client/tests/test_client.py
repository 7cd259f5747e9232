"""The client against a scripted API: what is repeated, what is followed, what is raised."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import httpx
import pytest
from contracts.api.filters import Condition, Operator, SortKey
from contracts.values.enums import LocationType, UserType
from meetings_client import (
    ApiError,
    Caller,
    ConflictError,
    InvalidRequestError,
    MeetingsClient,
    MeetingUpdate,
    NewMeeting,
    NotFoundError,
    OutcomeUnknownError,
    PreconditionFailedError,
    RetryPolicy,
    UnavailableError,
)

CALLER = Caller(token="t", tenant_uuid="T1", user_id="TS1", email="v@example.com", user_type=UserType.TENANT_STAFF)
SOON = RetryPolicy(deadline=0.5, delay_initial=0.001, delay_max=0.002)
MEETING: dict[str, Any] = {
    "startDateTime": "2031-06-16T15:00:00",
    "endDateTime": "2031-06-16T15:45:00",
    "timezone": "America/Santiago",
    "locationType": "ONLINE",
    "title": "Review",
    "meetingUuid": "M1",
    "tenantUuid": "T1",
    "hostUuid": "TS1",
    "hostType": "TENANT_STAFF",
    "createdByUuid": "TS1",
    "createdByType": "TENANT_STAFF",
    "status": "ACTIVE",
    "source": "INTERNAL",
    "createdAt": "2031-06-01T10:30:00.123Z",
    "updatedAt": "2031-06-01T10:30:00.123Z",
    "durationMinutes": 45,
    "attendeeCount": 0,
    "participants": [],
    "canEdit": True,
    "canCancel": True,
    "canResend": True,
    "canRemoveFromCalendar": False,
    "showExternalCalendarIcon": False,
    "externalSyncStatus": "NOT_APPLICABLE",
    "canRetrySync": False,
    "externalSyncFailureVisibleToViewer": False,
    "aFieldOfANewerVersion": 1,
}
NEW = NewMeeting(
    title="Review",
    start_date_time=datetime(2031, 6, 16, 15),  # noqa: DTZ001 (wall-clock time)
    end_date_time=datetime(2031, 6, 16, 15, 45),  # noqa: DTZ001
    timezone="America/Santiago",
    location_type=LocationType.ONLINE,
)
Step = httpx.Response | Exception


class Script:
    """An API that gives scripted answers, and repeats the last of them."""

    def __init__(self, *steps: Step) -> None:
        self.requests: list[httpx.Request] = []
        self._steps = list(steps)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    def client(self, policy: RetryPolicy = SOON) -> MeetingsClient:
        http = httpx.AsyncClient(base_url="http://meetings", transport=httpx.MockTransport(self))
        return MeetingsClient(http, CALLER, policy=policy)

    def header(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.requests]


def meeting(etag: int = 1, **changes: Any) -> httpx.Response:
    return httpx.Response(200, json=MEETING | changes, headers={"ETag": f'"{etag}"'})


def refusal(status: int, code: str = "BE0000", **headers: str) -> httpx.Response:
    body = {"errorCode": code, "message": "no", "status": status, "path": "/", "timestamp": "", "details": ["f: m"]}
    return httpx.Response(status, json=body, headers={"X-Correlation-Id": "c1"} | headers)


ACCEPTED = httpx.Response(202, json={"meetingUuid": "M1"}, headers={"Location": "/api/v1/meetings/M1"})


@pytest.mark.parametrize(
    "before",
    [
        [refusal(503, **{"Retry-After": "0"})],
        [refusal(429, **{"Retry-After": "0"}), ACCEPTED, ACCEPTED],
        [httpx.ReadTimeout("no answer"), httpx.ConnectError("refused")],
        [httpx.Response(502, text="<html>")],
    ],
)
async def test_a_command_is_repeated_under_one_key_until_it_has_an_outcome(before: Iterable[Step]) -> None:
    script = Script(*before, meeting())
    created = await script.client().create(NEW)
    assert created.meeting_uuid == "M1"
    assert len(script.requests) == len([*before]) + 1
    assert len(set(script.header("Idempotency-Key"))) == 1
    assert script.header("Idempotency-Key")[0]
    assert len({request.content for request in script.requests}) == 1


async def test_every_call_has_a_key_of_its_own_unless_given_one() -> None:
    script = Script(meeting())
    client = script.client()
    await client.create(NEW)
    await client.create(NEW)
    await client.create(NEW, key="mine")
    first, second, third = script.header("Idempotency-Key")
    assert first != second
    assert third == "mine"


async def test_requests_name_their_caller() -> None:
    script = Script(meeting())
    await script.client().get("M1")
    [request] = script.requests
    sent = {name: request.headers[name] for name in ("authorization", "x-tenant-uuid", "x-user-id", "x-user-type")}
    assert [*sent.values()] == ["Bearer t", "T1", "TS1", "TENANT_STAFF"]
    assert "idempotency-key" not in request.headers


async def test_ids_cannot_leave_their_place_in_the_path() -> None:
    script = Script(meeting())
    await script.client().get("../x?y")
    assert script.requests[0].url.raw_path == b"/api/v1/meetings/..%2Fx%3Fy"


@pytest.mark.parametrize("last", [ACCEPTED, httpx.ReadTimeout("no answer"), httpx.Response(504)])
async def test_an_outcome_that_stays_unknown_is_told_with_the_key(last: Step) -> None:
    with pytest.raises(OutcomeUnknownError) as raised:
        await Script(last).client().cancel("M1", key="mine")
    assert raised.value.idempotency_key == "mine"


async def test_an_uncertain_attempt_stays_uncertain_whatever_follows() -> None:
    with pytest.raises(OutcomeUnknownError):
        await Script(httpx.ReadTimeout("no answer"), refusal(503)).client().create(NEW)


@pytest.mark.parametrize("last", [httpx.ConnectError("refused"), refusal(503, "BE0503")])
async def test_what_was_certainly_not_accepted_is_unavailable(last: Step) -> None:
    with pytest.raises(UnavailableError):
        await Script(last).client().create(NEW)


async def test_a_query_that_is_not_answered_is_unavailable() -> None:
    with pytest.raises(UnavailableError):
        await Script(httpx.ReadTimeout("no answer")).client().get("M1")


async def test_a_longer_wait_than_the_deadline_is_not_begun() -> None:
    script = Script(refusal(503, **{"Retry-After": "3600"}))
    with pytest.raises(UnavailableError):
        await script.client().create(NEW)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidRequestError), (404, NotFoundError), (409, ConflictError), (412, PreconditionFailedError)],
)
async def test_a_refusal_is_raised_at_once_with_all_it_says(status: int, kind: type[ApiError]) -> None:
    script = Script(refusal(status, "BE0201"))
    with pytest.raises(kind) as raised:
        await script.client().create(NEW)
    error = raised.value
    assert (error.status, error.code, error.message, error.details) == (status, "BE0201", "no", ["f: m"])
    assert error.correlation_id == "c1"
    assert len(script.requests) == 1


async def test_a_refusal_that_is_not_the_apis_own_is_raised_too() -> None:
    with pytest.raises(ApiError) as raised:
        await Script(httpx.Response(418, text="<html>")).client().get("M1")
    assert (raised.value.status, raised.value.code) == (418, None)


async def test_a_merge_begins_again_with_the_newer_meeting() -> None:
    script = Script(meeting(1, title="a"), refusal(412), meeting(2, title="b"), meeting(3, title="b!"))
    seen = []

    def exclaim(current: Any) -> MeetingUpdate:
        seen.append(current.title)
        return MeetingUpdate(title=f"{current.title}!")

    merged = await script.client().merge("M1", exclaim)
    assert merged.title == "b!"
    assert seen == ["a", "b"]
    assert script.header("If-Match") == [None, '"1"', None, '"2"']
    keys = script.header("Idempotency-Key")
    assert keys[1] != keys[3]  # another command


async def test_a_merge_gives_up_after_its_attempts_and_may_change_nothing() -> None:
    script = Script(meeting(1), refusal(412), meeting(2), refusal(412))
    with pytest.raises(PreconditionFailedError):
        await script.client().merge("M1", lambda _: MeetingUpdate(title="x"), attempts=2)
    untouched = Script(meeting(1))
    assert (await untouched.client().merge("M1", lambda _: None)).title == "Review"
    assert len(untouched.requests) == 1


SUMMARY = {name: MEETING[name] for name in MEETING if name not in ("participants", "tenantUuid")} | {
    "externallyOrganized": False
}


def pages(*sizes: int) -> Callable[[], Script]:
    def script() -> Script:
        total = {"size": 100, "totalElements": sum(sizes), "totalPages": len(sizes)}
        ids = iter(range(sum(sizes)))
        return Script(
            *(
                httpx.Response(
                    200,
                    json={"content": [SUMMARY | {"meetingUuid": f"M{next(ids)}"} for _ in range(size)], "page": n}
                    | total,
                )
                for n, size in enumerate(sizes)
            )
        )

    return script


async def test_lists_read_page_after_page() -> None:
    script = pages(2, 2, 1)()
    found = [summary.meeting_uuid async for summary in script.client().list_meetings()]
    assert found == ["M0", "M1", "M2", "M3", "M4"]
    assert [request.url.params["page"] for request in script.requests] == ["0", "1", "2"]


async def test_a_search_writes_operands_under_their_names() -> None:
    script = pages(1)()
    conditions = [
        Condition(field="title", operator=Operator.CONTAINS, operands=["review"]),
        Condition(field="status", operator=Operator.IN, operands=["ACTIVE", "CANCELED"]),
        Condition(field="durationMinutes", operator=Operator.RANGE, operands=[15, 60]),
        Condition(field="description", operator=Operator.IS_NULL),
    ]
    search = script.client().search(conditions, [SortKey(field="startDateTime", descending=True)])
    assert [summary.meeting_uuid async for summary in search] == ["M0"]
    body = httpx.Response(200, content=script.requests[0].content).json()
    assert body["filters"] == [
        {"field": "title", "operator": "CONTAINS", "value": "review"},
        {"field": "status", "operator": "IN", "values": ["ACTIVE", "CANCELED"]},
        {"field": "durationMinutes", "operator": "RANGE", "min": 15, "max": 60},
        {"field": "description", "operator": "IS_NULL"},
    ]
    assert body["sort"] == ["startDateTime,desc"]
