"""Throttling, and what goes wrong on purpose."""

import asyncio

import httpx
import pytest
from simulators.common.serve import running
from simulators.microsoft.app import create_app
from simulators.microsoft.settings import Settings
from simulators.microsoft.testing import JsonObject, Microsoft, refused

HOST = "host@contoso.com"


def create(graph: httpx.Client, timeout: float = 30, **more: str) -> httpx.Response:
    start = {"dateTime": "2026-06-15T10:00:00", "timeZone": "UTC"}
    return graph.post("/me/events", json={"subject": "Review", "start": start, "end": start, **more}, timeout=timeout)


def counted(microsoft: Microsoft) -> dict[tuple[str | None, str, int], int]:
    found: list[JsonObject] = microsoft.control("GET", "requests")
    return {(entry["account"], entry["operation"], entry["status"]): entry["count"] for entry in found}


async def test_four_requests_at_a_time_and_no_more(microsoft: Microsoft, graph: httpx.Client) -> None:
    other = microsoft.graph("other@contoso.com")
    microsoft.fault("latency", account=HOST, operation="events.list", seconds=3600)
    headers = dict(graph.headers)
    async with httpx.AsyncClient(base_url=graph.base_url, headers=headers, timeout=None, trust_env=False) as client:
        waiting = [asyncio.create_task(client.get("/me/events")) for _ in range(4)]
        answer = await _until(client, 429)
        refused(answer, 429, "ApplicationThrottled")
        assert answer.json()["error"]["message"] == "Application is over its MailboxConcurrency limit."
        assert int(answer.headers["retry-after"]) >= 1
        assert other.get("/me").status_code == 200, "the limit is per mailbox"
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await _until(client, 200)).status_code == 200, "callers that gave up make room"


async def _until(client: httpx.AsyncClient, status: int) -> httpx.Response:
    async with asyncio.timeout(30):
        answer = await client.get("/me")
        while answer.status_code != status:
            answer = await client.get("/me")
        return answer


def test_a_mailbox_has_so_many_requests_in_ten_minutes() -> None:
    settings = Settings(microsoft_requests_per_ten_minutes=3)
    with running(create_app(settings)) as url, Microsoft(url, settings) as microsoft:
        graph = microsoft.graph(HOST)
        assert [graph.get("/me").status_code for _ in range(3)] == [200, 200, 200]
        answer = graph.get("/me")
        refused(answer, 429, "ApplicationThrottled")
        assert 590 <= int(answer.headers["retry-after"]) <= 600
        microsoft.advance(minutes=10)
        assert graph.get("/me").status_code == 200


def test_not_found_strikes_whatever_is_asked_for_and_does_nothing(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph).json()
    path, window = f"/me/events/{made['id']}", "startDateTime=2026-06-15T00:00:00Z&endDateTime=2026-06-16T00:00:00Z"
    for verb, asked in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", "/me/events?$filter=subject eq 'Review'"),
        ("POST", "/me/events"),
        ("GET", f"{path}/instances?{window}"),
        ("GET", f"/me/calendarView/delta?{window}"),
    ):
        microsoft.fault("not_found", account=HOST, times=1)
        body = {"subject": "Changed"} if verb in ("PATCH", "POST") else None
        error = refused(graph.request(verb, asked, json=body), 404, "ErrorItemNotFound")
        assert error["message"] == "The specified object was not found in the store."
    assert [event["subject"] for event in graph.get("/me/events").json()["value"]] == ["Review"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 429, "retryAfter": 17}, "ApplicationThrottled"),
        ({"status": 503, "retryAfter": 17, "reason": "MailboxConcurrency"}, "MailboxConcurrency"),
        ({"status": 503}, "ServiceUnavailable"),
        ({"status": 500}, "InternalServerError"),
        ({"status": 502}, "UnknownError"),
        ({"status": 401}, "InvalidAuthenticationToken"),
    ],
)
def test_errors_before_anything_is_done(
    microsoft: Microsoft, graph: httpx.Client, fault: JsonObject, code: str
) -> None:
    microsoft.fault("error", account=HOST, operation="events.*", times=1, **fault)
    answer = create(graph)
    refused(answer, fault["status"], code)
    assert answer.headers.get("retry-after") == ("17" if "retryAfter" in fault else None)
    assert graph.get("/me/events").json()["value"] == []


def test_an_answer_can_be_lost_after_the_deed(microsoft: Microsoft, graph: httpx.Client) -> None:
    microsoft.fault("commit_then_error", operation="events.create", status=504, times=1)
    refused(create(graph, transactionId="t"), 504, "UnknownError")
    microsoft.fault("commit_then_timeout", operation="events.create", seconds=600, times=1)
    with pytest.raises(httpx.ReadTimeout):
        create(graph, timeout=0.5, transactionId="u")
    assert len(graph.get("/me/events").json()["value"]) == 2
    assert {create(graph, transactionId=name).status_code for name in ("t", "u")} == {201}
    assert len(graph.get("/me/events").json()["value"]) == 2, "transactionId makes the retry harmless"


def test_faults_are_for_one_account_with_a_chance_that_repeats(microsoft: Microsoft, graph: httpx.Client) -> None:
    other = microsoft.graph("other@contoso.com")
    fault = microsoft.fault("error", account=HOST, operation="me.*", probability=0.5, status=500)
    runs = []
    for _ in range(2):
        microsoft.control("POST", "faults/seed", {"seed": 7})
        runs.append([graph.get("/me").status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}
    assert [other.get("/me").status_code for _ in range(12)] == [200] * 12
    microsoft.control("DELETE", f"faults/{fault}")
    assert [graph.get("/me").status_code for _ in range(12)] == [200] * 12


def test_an_unknown_fault_is_refused(microsoft: Microsoft) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        microsoft.fault("gremlins")


def test_requests_are_counted_per_account_and_operation(microsoft: Microsoft, graph: httpx.Client) -> None:
    create(graph)
    graph.get("/me/events/AAMkAnotthereatall12345")
    microsoft.graph_with("forged").get("/me")
    counts = counted(microsoft)
    assert counts[HOST, "events.create", 201] == 1
    assert counts[HOST, "events.get", 404] == 1
    assert counts[None, "me.get", 401] == 1
    assert counts[HOST, "login.token", 200] == 1
    microsoft.control("DELETE", "requests")
    assert counted(microsoft) == {}
