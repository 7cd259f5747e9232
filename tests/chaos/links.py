"""Connections that can be cut: each service reaches the database and the broker through a small forwarder of ours."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: closing then resets the connection (socket(7))."""


class Link:
    """One way from ``port`` to ``target``, both on 127.0.0.1. What it carries is not looked at."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections in."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Refuse new connections and break those there are, as when a host goes away."""
        if self._server is not None:
            self._server.close()
            self._server = None
        carrying = [*self._carrying]
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def silence(self) -> None:
        """Deliver nothing in either direction, and tell nobody, as when packets are dropped."""
        self._there.clear()
        self._back.clear()

    async def hold_answers(self) -> None:
        """Deliver what is sent to the target and nothing of what it answers, and tell nobody."""
        self._back.clear()

    async def resume(self) -> None:
        """Deliver what was held back, and everything after it, as retransmission does."""
        self._there.set()
        self._back.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            async with _closing(writer):
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                async with _closing(back):
                    await self._forward((reader, back, self._there), (there, writer, self._back))
        except (OSError, asyncio.CancelledError):
            pass  # one end is gone, or this link is cut, and both ends were told so
        finally:
            self._carrying.discard(task)

    async def _forward(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event]) -> None:
        """Both ways until one of them ends."""
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        while data := await reader.read(_CHUNK):
            await flowing.wait()
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Closed when this is left, and reset when it is left by cancellation."""
    try:
        yield
    except asyncio.CancelledError:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
        raise
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class Links:
    """Links on a thread of their own, so that nothing else delays what they carry."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)

    @contextmanager
    def carrying(self, links: Iterable[Link]) -> Iterator[None]:
        """The links are open until this is left."""
        links = [*links]
        self._thread.start()
        try:
            for link in links:
                self._do(link.open)
            yield
        finally:
            for link in links:
                self._do(link.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def do(self, what: Callable[[], Awaitable[None]]) -> None:
        """Have one link do something, as in ``await links.do(link.silence)``."""
        await asyncio.to_thread(self._do, what)

    def _do(self, what: Callable[[], Awaitable[None]]) -> None:
        async def done() -> None:
            await what()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result()
