"""What the published descriptions show works when it is sent as it is, and is answered as they say."""

from typing import Any

import httpx
import pytest
from contracts.api.webhooks import WEBHOOKS_DESCRIPTION
from jsonschema import Draft202012Validator

from tests.support.callers import Caller, Json, done

pytestmark = pytest.mark.e2e

STATE_DECIDES = {"retrySync", "connectCalendar", "disconnectCalendar", "syncCalendar"}
"""Operations that an unconnected calendar, or one that is connected, refuses with 409."""
UNKNOWN_CHANNEL = {"receiveGoogleNotification"}


def sent_as_shown(document: Json, operation: Json) -> dict[str, Any]:
    """The request that an operation's description shows, for httpx: body, query and headers."""
    request: dict[str, Any] = {"headers": {}, "params": {}}
    for parameter in operation.get("parameters", ()):
        example = parameter.get("example", (parameter["schema"].get("examples") or [None])[0])
        if example is not None and parameter["in"] in ("header", "query"):
            request["headers" if parameter["in"] == "header" else "params"][parameter["name"]] = example
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        name = media["schema"]["$ref"].rpartition("/")[2]
        body = document["components"]["schemas"][name]["examples"][0]
        request["json" if media_type == "application/json" else "data"] = body
    return request


def check_answer(document: Json, operation: Json, answer: httpx.Response) -> None:
    """The answer has a status, the headers and a body of the description."""
    name = operation["operationId"]
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"{name}: {answer.status_code} {answer.text}"
    for header, meaning in described.get("headers", {}).items():
        assert header in answer.headers or not meaning.get("required"), (name, header)
    assert ("etag" in answer.headers) == ("ETag" in described.get("headers", {})), name
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if "content" in described and media_type == "application/json":
        schema = described["content"][media_type]["schema"]
        Draft202012Validator(schema | {"components": document["components"]}).validate(answer.json())


async def operations(caller: Caller, path: str) -> tuple[Json, list[tuple[str, str, Json]]]:
    document = done(await caller.get(path))
    found = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return document, found


async def test_what_the_description_shows_works_as_it_is(valentina: Caller, daniel: Caller) -> None:
    document, described = await operations(valentina, "/openapi.json")
    tried = []
    for method, path, operation in described:
        name = operation["operationId"]
        if "callback" in path:
            continue  # of a provider, with what only it knows
        meeting = await valentina.creates(staffIds=[daniel.user_id])
        if name == "hideMeeting":
            await valentina.cancels(meeting)
        [participant] = meeting["participants"]
        at = path.replace("{meetingUuid}", meeting["meetingUuid"]).replace("{provider}", "google")
        at = at.replace("{participantUuid}", participant["participantUuid"])
        caller = daniel if name == "answerInvitation" else valentina
        answer = await caller.http.request(method, at, **sent_as_shown(document, operation))
        check_answer(document, operation, answer)
        allowed = (200, 201, 204, 409) if name in STATE_DECIDES else (200, 201, 204)
        assert answer.status_code in allowed, f"{name}: {answer.status_code} {answer.text}"
        tried.append(name)
    assert len(tried) >= 20


async def test_what_the_description_of_the_webhooks_shows_is_answered_as_it_says(valentina: Caller) -> None:
    document, described = await operations(valentina, WEBHOOKS_DESCRIPTION)
    assert len(described) == 2
    for method, path, operation in described:
        answer = await valentina.http.request(method, path, **sent_as_shown(document, operation))
        check_answer(document, operation, answer)
        assert answer.status_code == (403 if operation["operationId"] in UNKNOWN_CHANNEL else 200)
