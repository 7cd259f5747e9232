"""Links carry, hold back and break connections, as the network between a service and its broker does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from localrun.ports import free_port

from tests.chaos.links import Link, Links


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def target() -> AsyncIterator[int]:
    """The port of a server that says what it is told."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


async def test_silence_holds_back_and_resuming_delivers(target: int) -> None:
    link, links = Link(free_port(), target), Links()
    with links.carrying([link]):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await links.do(link.silence)
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readexactly(3)
        await links.do(link.resume)
        assert await reader.readexactly(3) == b"two"
        writer.close()


async def test_holding_answers_lets_questions_through(target: int) -> None:
    link, links, asked = Link(free_port(), target), Links(), asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        asked.set()
        writer.write(b"yes")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    link = Link(free_port(), server.sockets[0].getsockname()[1])
    async with server:
        with links.carrying([link]):
            await links.do(link.hold_answers)
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            writer.write(b"one")
            await asyncio.wait_for(asked.wait(), 10)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.readexactly(3)
            await links.do(link.resume)
            assert await reader.readexactly(3) == b"yes"
            writer.close()


async def test_closing_breaks_and_refuses_until_it_opens_again(target: int) -> None:
    link, links = Link(free_port(), target), Links()
    with links.carrying([link]):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await links.do(link.close)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(3)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", link.port)
        await links.do(link.open)
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        writer.close()
