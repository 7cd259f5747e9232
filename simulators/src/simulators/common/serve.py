"""Runs a simulator: as a process of its own, or inside a test."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic_settings import BaseSettings


class ServeSettings(BaseSettings):
    """What every simulator takes from the environment: HTTP_HOST, HTTP_PORT, STATE_FILE, LOG_LEVEL, WEBHOOK_HOSTS."""

    http_host: str = "127.0.0.1"
    http_port: int
    state_file: Path | None = None
    log_level: str = "INFO"
    webhook_hosts: frozenset[str] = frozenset()  # besides loopback; a JSON list, such as ["webhook-ingest"]


def serve(app: FastAPI, settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, which may carry tokens
    # No access log: URLs carry codes and tokens.
    config = uvicorn.Config(app, settings.http_host, settings.http_port, log_level="warning", access_log=False)
    config.timeout_graceful_shutdown = 2
    uvicorn.Server(config).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended_starting = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ended_starting.set()


@contextmanager
def running(app: FastAPI, deadline: float = 20.0) -> Iterator[str]:
    """Serve on a free loopback port from a thread with its own event loop; gives the base URL, without a slash.

    Raises RuntimeError when the app does not start within ``deadline`` seconds.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(
            uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )

        def run() -> None:
            try:
                server.run(sockets=[listener])
            finally:
                server.ended_starting.set()

        thread = threading.Thread(target=run, daemon=True, name="simulator")
        thread.start()
        if not server.ended_starting.wait(deadline) or not server.started:
            raise RuntimeError("the simulator did not start; its log says why")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(deadline)
