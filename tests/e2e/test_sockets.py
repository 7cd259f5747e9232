"""What only a real connection shows: chunked bodies, broken requests, error bodies on every path."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.support.callers import MEETINGS, Caller, refused
from tests.support.gateway import body

pytestmark = pytest.mark.e2e

TOO_LARGE = 256 * 1024 + 1


@pytest.mark.parametrize("path", ["/", "/api/v2", f"{MEETINGS}/M1/nothing", "/internal/queries/get-meeting"])
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
