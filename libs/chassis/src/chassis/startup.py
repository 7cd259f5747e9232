"""Starting while what a service depends on may be away: it waits, says so, and goes on by itself."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from chassis.backoff import backoff
from chassis.outages import is_outage
from chassis.redaction import describe_error
from chassis.tasks import cancel_and_wait

log = structlog.get_logger()

_MAX_REASON = 160
"""Characters: the database's driver tells of each member at length."""
Parts = Callable[[FastAPI], AbstractAsyncContextManager[object]]


class Startup:
    """Runs a service's parts in the background of its HTTP server, so that the server can say what they wait for."""

    def __init__(self, parts: Parts, check: Callable[[], Awaitable[None]], *, stop_server: Callable[[], None]) -> None:
        """``check`` raises an outage while the parts need not be tried; ``stop_server`` ends a process that failed."""
        self._parts = parts
        self._check = check
        self._stop_server = stop_server
        self._leaving = asyncio.Event()
        self._problem: str | None = "starting"
        self.failed = False

    def problem(self) -> str | None:
        """What is waited for; None once all parts run."""
        return self._problem

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Entered at once; when it is left, the parts have stopped."""
        running = asyncio.create_task(self._run(app))
        try:
            yield
        finally:
            self._leaving.set()
            if self._problem is not None:
                await cancel_and_wait(running)
            await asyncio.gather(running, return_exceptions=True)

    async def _run(self, app: FastAPI) -> None:
        routes, attempt = list(app.router.routes), 0
        while True:
            attempt += 1
            try:
                await self._check()
                async with self._parts(app):
                    _freeze_what_stays()
                    log.info("started", attempts=attempt)
                    self._problem = None
                    await self._leaving.wait()
                    return
            except Exception as error:
                if self._problem is None or not is_outage(error):
                    self._fail(error)
                    return
                self._problem = f"waits for {_dependency(error)}: {describe_error(error)[:_MAX_REASON]}"
                log.warning("waiting to start", error=type(error).__name__, reason=self._problem, fold=True)
            app.router.routes[:] = routes  # the parts add their queries
            await asyncio.sleep(backoff(attempt, initial=0.2, maximum=5))

    def _fail(self, error: Exception) -> None:
        """Waiting does not help: the settings are wrong, or the program is."""
        self.failed = True
        log.critical("failed", exc_info=error)
        self._stop_server()


def _freeze_what_stays() -> None:
    """Keep what start-up made (a hundred thousand objects) out of later garbage collections: each took 60 ms of all."""
    gc.collect()
    gc.freeze()


def _dependency(error: Exception) -> str:
    match error:
        case KafkaError():
            return "Kafka"
        case PyMongoError():
            return "MongoDB"
        case _:
            return "a dependency"
