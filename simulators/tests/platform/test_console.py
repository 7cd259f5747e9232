"""The console's server: its files, the demo people, the way to the gateway, and who may see which records."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from simulators.common.serve import running
from simulators.platform import seed
from simulators.platform.app import create_app
from simulators.platform.console.settings import ConsoleSettings
from simulators.platform.console.tail import describe

SECRET = "a secret for this test, long enough for HS256"


def gateway() -> FastAPI:
    """A gateway that answers with what it was asked."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def answer(request: Request) -> Response:
        received = {
            "method": request.method,
            "target": f"{request.scope['raw_path'].decode()}?{request.url.query}",
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        }
        headers = {"ETag": '"3"', "X-Correlation-Id": "c1", "X-Internal": "hidden", "Set-Cookie": "state=s; Path=/"}
        return Response(json.dumps(received), 202, headers=headers, media_type="application/json")

    return app


@pytest.fixture
def console() -> Iterator[httpx.Client]:
    with running(gateway()) as gateway_url:
        settings = ConsoleSettings(gateway_url=gateway_url, links={"mail": "http://mail"})
        with running(create_app(SECRET, settings)) as url, httpx.Client(base_url=url, trust_env=False) as client:
            yield client


def test_the_page_loads_nothing_from_elsewhere(console: httpx.Client) -> None:
    assert console.get("/").headers["location"] == "/console/"
    page = console.get("/console/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    for path in ("app.js", "console.css", "vendor/event-calendar/LICENSE"):
        assert console.get(f"/console/{path}").status_code == 200


@pytest.mark.parametrize("path", ["nothing.js", "%2e%2e/routes.py", "..%2froutes.py", "vendor", "//etc/passwd"])
def test_nothing_but_its_files_is_served(console: httpx.Client, path: str) -> None:
    assert console.get(f"/console/{path}").status_code == 404


def test_the_run_names_everybody_who_can_log_in(console: httpx.Client) -> None:
    run = console.get("/console/run.json").json()
    assert run["links"] == {"mail": "http://mail"}
    assert run["hasEvents"] is False
    valentina = next(person for person in run["people"] if person["id"] == seed.VALENTINA.uuid)
    assert (valentina["firm"], valentina["timeZone"], valentina["language"]) == (
        "Andes Wealth",
        "America/Santiago",
        "SPANISH",
    )
    login = {"username": valentina["username"], "password": run["password"]}
    assert console.post("/api/auth/login", json=login).status_code == 200


def test_requests_reach_the_gateway_as_they_are(console: httpx.Client) -> None:
    headers = {"Authorization": "Bearer t", "If-Match": '"2"', "Idempotency-Key": "k", "X-Other": "dropped"}
    answer = console.put("/api/v1/meetings/..%2Fx?a=%20b", headers=headers, content=b"{}")
    assert answer.status_code == 202
    received = answer.json()
    assert (received["method"], received["body"]) == ("PUT", "{}")
    assert received["target"] == "/api/v1/meetings/..%2Fx?a=%20b"
    assert (received["headers"]["authorization"], received["headers"]["if-match"]) == ("Bearer t", '"2"')
    assert "x-other" not in received["headers"]
    assert (answer.headers["etag"], answer.headers["x-correlation-id"]) == ('"3"', "c1")
    assert answer.headers["set-cookie"].startswith("state=s")
    assert "x-internal" not in answer.headers


def test_the_directory_is_still_the_platforms_own(console: httpx.Client) -> None:
    assert console.get(f"/api/contacts/{seed.ANA.uuid}").status_code == 401


def test_a_gateway_that_is_down_is_received() -> None:
    settings = ConsoleSettings(gateway_url="http://127.0.0.1:9", links={})
    with running(create_app(SECRET, settings)) as url:
        answer = httpx.get(f"{url}/api/v1/meetings", trust_env=False)
    assert answer.status_code == 502
    assert answer.json()["path"] == "/api/v1/meetings"


def test_records_are_for_people_who_are_logged_in(console: httpx.Client) -> None:
    assert console.get("/console/events").status_code == 401
    assert console.get("/console/events", headers={"Authorization": "Bearer x.y.z"}).status_code == 401


def test_without_a_console_there_is_no_page() -> None:
    with running(create_app(SECRET)) as url:
        assert httpx.get(f"{url}/console/", trust_env=False).status_code == 404


@pytest.mark.parametrize(("topic", "shown"), [("meetings.events", True), ("meetings.commands", False)])
def test_only_the_public_topic_shows_bodies(topic: str, shown: bool) -> None:
    record = SimpleNamespace(topic=topic, partition=1, offset=2, value=b'{"internalNotes": "n"}')
    described = describe(record, {"ce_type": "t", "ce_tenant": "T1", "ce_sequence": "3"})
    assert ("body" in described) is shown
    assert (described["type"], described["sequence"], described["offset"]) == ("t", "3", 2)
