"""What only a real connection shows: chunked bodies, broken requests, error bodies on every path."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from localrun.platform import Platform

from tests.support.callers import MEETINGS, Caller, refused
from tests.support.gateway import body
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

TOO_LARGE = 256 * 1024 + 1


@pytest.mark.parametrize("path", ["/nothing", "/api/v2", f"{MEETINGS}/M1/nothing", "/internal/queries/get-meeting"])
async def test_an_unknown_path_has_the_standard_body(valentina: Caller, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        refused(await valentina.http.request(method, path), 404, "BE0404")


async def test_a_wrong_method_has_the_standard_body_and_names_the_right_ones(valentina: Caller) -> None:
    answer = await valentina.http.patch(MEETINGS, json={})
    refused(answer, 405, "BE0405")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_413(valentina: Caller, announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"title": "'
        for _ in range(TOO_LARGE // 8192 + 1):
            yield b"x" * 8192

    content = b"x" * TOO_LARGE if announced else pieces()
    answer = await valentina.http.post(MEETINGS, content=content, headers={"Content-Type": "application/json"})
    refused(answer, 413, "BE0413")


async def test_a_body_of_another_type_is_415(valentina: Caller) -> None:
    answer = await valentina.http.post(MEETINGS, content="title=x", headers={"Content-Type": "text/plain"})
    refused(answer, 415, "BE0415")


@pytest.mark.parametrize(
    "content", [b"{", b"[" * 200_000, b'{"title": NaN}', b'{"title": "\\ud800"}', b'{"title": "\xff"}', b"\x00"]
)
async def test_a_malformed_body_is_400(valentina: Caller, content: bytes) -> None:
    answer = await valentina.http.post(MEETINGS, content=content, headers={"Content-Type": "application/json"})
    assert refused(answer, 400, "BE0202")["details"] == ["body: is not valid JSON"]


async def test_a_chunked_body_is_read(valentina: Caller) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for letter in json.dumps(body(title="In pieces")):
            yield letter.encode()

    answer = await valentina.http.post(MEETINGS, content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert answer.json()["title"] == "In pieces"


async def test_a_caller_who_hangs_up_in_the_middle_of_a_body_leaves_nothing_behind(
    valentina: Caller, gateway_url: str
) -> None:
    before = {one["meetingUuid"] for one in await valentina.calendar()}
    host, port = gateway_url.removeprefix("http://").split(":")
    headers = "".join(f"{name}: {value}\r\n" for name, value in valentina.person.headers.items())
    content = json.dumps(body()).encode()
    _reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {MEETINGS} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content[:-1]
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert {one["meetingUuid"] for one in await valentina.calendar()} == before


@pytest.mark.parametrize(
    ("service", "path", "content_type"),
    [
        ("api-gateway", MEETINGS, "application/json"),
        ("api-gateway", f"{MEETINGS}/M1/participants/MP1/rsvp", "application/x-www-form-urlencoded"),
        ("webhook-ingest", "/api/v1/webhooks/outlook", "application/json"),
        ("meeting-core", "/internal/queries/get-meeting", "application/json"),
        ("calendar-sync", "/internal/queries/get-connection", "application/json"),
    ],
)
async def test_who_hangs_up_in_mid_body_is_no_fault_of_ours(
    platform: Platform, valentina: Caller, service: str, path: str, content_type: str
) -> None:
    """No error is counted or logged, so nobody is paged."""
    process = platform.processes[service]
    port, token = (process.env or {})["HTTP_PORT"], (process.env or {})["INTERNAL_TOKEN"]
    headers = {**valentina.person.headers, "x-internal-token": token, "Content-Type": content_type}
    request = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": "1000"}.items())
    before, logged = await _answers(port), process.log.stat().st_size
    for _ in range(20):
        _reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{request}\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0)
        writer.transport.abort()

    async def all_seen() -> dict[str, int] | None:
        now = await _answers(port)
        new = {status: count - before.get(status, 0) for status, count in now.items() if count != before.get(status, 0)}
        return new if sum(new.values()) >= 20 else None

    assert set(await until(all_seen, what="20 requests are measured")) <= {"200", "400", "499"}
    with process.log.open("rb") as log:
        log.seek(logged)
        assert b"unexpected error" not in log.read()


async def _answers(port: str) -> dict[str, int]:
    """How many POSTs a service has answered with each status."""
    async with httpx.AsyncClient(trust_env=False) as operator:
        text = (await operator.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text
    found: dict[str, int] = {}
    for status, count in re.findall(r'http_requests_total{method="POST".*status="(\d+)"} (\S+)', text):
        found[status] = found.get(status, 0) + int(float(count))
    return found
