"""Processes that end, as if killed, at a chosen await: the code under test is real, and so is the database.

``Process`` runs a coroutine and every task that it starts. At its nth suspension nothing of it runs any more: no later
line and no handler of an exception, as after SIGKILL; what was sent to the database before may still be carried out.
Its frames are freed at the end of the run: a ``finally`` runs then, up to its first await, which no port survives.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any, Generic, Protocol, TypeVar

import pytest
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, ReceivedMessage, decode
from contracts.model import Contract

KILLED_WHILE_CONNECTING = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""For tests that kill a process which may be opening a connection just then."""
_current: ContextVar["Process | None"] = ContextVar("process", default=None)


class _Buried(BaseException):
    """Unwinds a frame of a process that has ended; nothing handles it."""


class Process:
    """One process of a service. ``ends_at``: the suspension at which it is killed; None: it is never."""

    def __init__(self, ends_at: int | None = None) -> None:
        self._ends_at = ends_at
        self._suspensions = 0
        self._killed = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self._coroutines: list[tuple[Coroutine[Any, Any, Any], Context]] = []

    async def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run until ``main`` returns or the process is killed; whether it was killed."""
        with _tasks_of_processes(asyncio.get_running_loop()):
            token = _current.set(self)
            running = asyncio.create_task(main())
            _current.reset(token)
            killed = asyncio.create_task(self._killed.wait())
            try:
                await asyncio.wait({running, killed}, return_when=asyncio.FIRST_COMPLETED)
                if not self._killed.is_set():
                    running.result()
                return self._killed.is_set()
            finally:
                killed.cancel()
                await self._bury()

    def carry(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> Coroutine[Any, Any, Any]:
        """What a task of this process does: the same as ``coroutine``, until the process is killed."""
        self._coroutines.append((coroutine, context))
        return _carried(self, coroutine)

    def started(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.append(task)

    @property
    def is_killed(self) -> bool:
        return self._killed.is_set()

    def suspend(self) -> None:
        """Count one more suspension of some task."""
        self._suspensions += 1
        if self._suspensions == self._ends_at:
            self._killed.set()

    async def _bury(self) -> None:
        """Free what the process left: each frame is closed, and goes no further than its next await."""
        self._killed.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for coroutine, context in self._coroutines:
            context.run(_unwind, coroutine)


def _unwind(coroutine: Coroutine[Any, Any, Any]) -> None:
    # Not close(): an await in a finally block would make it a RuntimeError, which code under test handles.
    while getcoroutinestate(coroutine) != CORO_CLOSED:
        with suppress(_Buried, StopIteration, asyncio.CancelledError):
            coroutine.throw(_Buried())


async def _carried(process: Process, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await _Steps(process, coroutine)


class _Steps:
    """Drives a coroutine from one suspension to the next, for as long as its process lives."""

    def __init__(self, process: Process, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._process = process
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, Any]:
        thrown: BaseException | None = None
        while not self._process.is_killed:
            try:
                waited_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as returned:
                return returned.value
            thrown = None
            self._process.suspend()
            if self._process.is_killed:
                break
            try:
                yield waited_for
            except BaseException as error:
                thrown = error
        if thrown is not None:
            raise thrown
        yield from asyncio.get_running_loop().create_future()
        return None


@contextmanager
def _tasks_of_processes(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Tasks that a process starts belong to it."""
    before = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        process = _current.get()
        if process is None:
            return asyncio.Task(coroutine, loop=loop, **options)
        context = options.pop("context", None) or copy_context()
        steps = process.carry(coroutine, context)
        task: asyncio.Task[Any] = asyncio.Task(steps, loop=loop, context=context, **options)
        process.started(task)
        return task

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(before)


class Log(Publisher):
    """The records of Kafka, in memory: a publisher may be killed before or after the broker has a record."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []

    async def publish(self, outgoing: OutgoingRecord) -> None:
        await asyncio.sleep(0)
        self.records.append(outgoing)
        await asyncio.sleep(0)

    def received(self, topic: str) -> list[ReceivedMessage[Contract]]:
        """What a consumer of this topic reads."""
        return [decode(_AsRead(record)) for record in self.records if record.topic == topic]  # type: ignore[arg-type]


class _AsRead:
    """A published record as a consumer meets it."""

    def __init__(self, record: OutgoingRecord) -> None:
        self.topic, self.key, self.value, self.headers = record


Message = TypeVar("Message")


class Group(Generic[Message]):
    """A consumer group: batches come in order, and again while they are not committed."""

    def __init__(self, batches: list[list[Message]]) -> None:
        self._batches = batches
        self._committed = 0

    async def consume(self, handle: Callable[[list[Message]], Awaitable[None]]) -> None:
        """Handle what is not committed yet."""
        while self._committed < len(self._batches):
            await handle(self._batches[self._committed])
            await asyncio.sleep(0)
            self._committed += 1
            await asyncio.sleep(0)


class Crashable(Protocol):
    """Something that processes work on, one after the other."""

    async def live(self, ends_at: int | None) -> bool:
        """Run a process that is killed at its ``ends_at``th suspension, or never; whether it was killed."""


World = TypeVar("World", bound=Crashable)


async def single_crashes(begin: Callable[[], Awaitable[World]]) -> AsyncIterator[World]:
    """For each suspension of a process: begin anew, kill it there, and let another one end its work."""
    for suspension in itertools.count(1):
        world = await begin()
        killed = await world.live(suspension)
        assert not await world.live(None)
        yield world
        if not killed:
            return


async def double_crashes(begin: Callable[[], Awaitable[World]], *, step: int) -> AsyncIterator[World]:
    """The same with a second crash while the process recovers, at every ``step``th suspension of both."""
    for first in itertools.count(1, step):
        for second in itertools.count(1, step):
            world = await begin()
            killed = await world.live(first)
            killed_again = killed and await world.live(second)
            assert not await world.live(None)
            yield world
            if not killed_again:
                break
        if not killed:
            return
