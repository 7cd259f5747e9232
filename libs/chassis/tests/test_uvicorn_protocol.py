"""What is answered to what is no HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn
from chassis.http.security_headers import HEADERS
from fastapi import FastAPI

from tests.support.waiting import until


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server of an application without routes."""
    config = uvicorn.Config(
        FastAPI(), port=0, log_config=None, server_header=False, http="chassis.http.uvicorn_protocol:PlatformProtocol"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, what="the server listens")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"nonsense\r\n\r\n", id="nonsense"),
        pytest.param(b"GET /\x01 HTTP/1.1\r\n\r\n", id="a control character in the path"),
        pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", id="no header"),
        pytest.param(b"\x16\x03\x01\r\n\r\n", id="TLS"),
    ],
)
async def test_what_is_no_http_is_told_so_in_the_platforms_form(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert status == "HTTP/1.1 400 Bad Request"
    assert HEADERS.items() <= headers.items()
    assert headers["x-correlation-id"].isalnum()
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body)
    assert "server" not in headers
    assert json.loads(body)["errorCode"] == "BE0202"
