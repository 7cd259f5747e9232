"""Connections that can be cut: each service reaches the database and the broker through a small forwarder of ours."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

_CHUNK = 65536


class Link:
    """One way from ``port`` to ``target``, both on 127.0.0.1. What it carries is not looked at."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
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
        self._flowing.clear()

    async def resume(self) -> None:
        """Deliver what was held back, and everything after it, as retransmission does."""
        self._flowing.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._forward(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._carrying.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            ways = [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


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
