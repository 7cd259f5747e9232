"""The compose file as people use it: brought up and waited for, its containers killed and watched as they come back."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deployment.rehearsal.engine import Engine
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import COMPOSE_FILE, ROOT

PROJECT = "meetings"
_READY_SECONDS = 240.0
_ONCE = frozenset({"topics", "replica-set"})
"""Services that do one thing and end."""


@dataclass(frozen=True)
class Stack:
    """The demonstration, by compose v2 where it is installed, else by Debian's docker-compose."""

    engine: Engine
    command: list[str | Path] = field(repr=False)

    def up(self, *arguments: str) -> None:
        """Start what is not running and wait for all of it, as ``up --wait`` does.

        Raises:
            RehearsalError: something is not healthy in time, or ended.
        """
        self._compose("up", "--detach", "--no-build", *arguments)
        self.wait()

    def wait(self) -> None:
        """Wait until every container is healthy, and those that do one thing have done it."""
        deadline = time.monotonic() + _READY_SECONDS
        while waiting := [name for name, state in self._states() if not _is_ready(name, state)]:
            if time.monotonic() > deadline:
                raise RehearsalError(f"not ready after {_READY_SECONDS:.0f} s: {waiting}\n{self.logs(*waiting)}")
            time.sleep(0.5)

    def kill(self, service: str) -> None:
        """End a service's container as the kernel would, without a word; its restart policy brings it back.

        Not by ``docker kill``, after which a container stays down.
        """
        (container,) = self._containers(service)
        os.kill(container["State"]["Pid"], signal.SIGKILL)
        deadline = time.monotonic() + _READY_SECONDS
        while self._containers(service)[0]["State"]["StartedAt"] == container["State"]["StartedAt"]:
            if time.monotonic() > deadline:
                raise RehearsalError(f"{service} is not started again")
            time.sleep(0.1)

    def restart(self) -> None:
        """``stop``, then ``start``; what they keep in volumes is there again."""
        self._compose("stop")
        self._compose("start")
        self.wait()

    def run_operator(self, *arguments: str) -> str:
        """The operators' ``meetings`` in a container of its own; its output."""
        return self._compose("run", "--rm", "-T", "operator", *arguments)

    def logs(self, *services: str) -> str:
        """The last lines of these services."""
        return self._compose("logs", "--no-color", "--tail", "15", *sorted(set(services)))

    def _compose(self, *arguments: str) -> str:
        return run([*self.command, *arguments], timeout=300, env=self.engine.env, cwd=ROOT)

    def _states(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for container in self._containers():
            yield container["Config"]["Labels"]["com.docker.compose.service"], container["State"]

    def _containers(self, service: str | None = None) -> list[dict[str, Any]]:
        labels = [f"label=com.docker.compose.project={PROJECT}"]
        labels += [f"label=com.docker.compose.service={service}"] if service else []
        filters = [part for label in labels for part in ("--filter", label)]
        ids = self.engine.docker("ps", "--all", "--quiet", *filters).split()
        return list(json.loads(self.engine.docker("inspect", *ids))) if ids else []


def _is_ready(service: str, state: dict[str, Any]) -> bool:
    if service in _ONCE:
        return (state["Status"], state["ExitCode"]) == ("exited", 0)
    health = state.get("Health", {}).get("Status", "healthy")
    return (state["Status"], health) == ("running", "healthy")


@contextmanager
def stack(engine: Engine, folder: Path) -> Iterator[Stack]:
    """The demonstration's commands; at the end everything is taken down, volumes too."""
    demo = Stack(engine, [*_client(engine, folder), "--env-file", ROOT / "deploy/demo.env"])
    try:
        yield demo
    finally:
        demo._compose("--profile", "operator", "down", "--volumes", "--remove-orphans")


def _client(engine: Engine, folder: Path) -> list[str | Path]:
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if known.returncode == 0:
        return ["docker", "compose", "--project-name", PROJECT]
    classic = shutil.which("docker-compose")
    if classic is None:
        raise RehearsalError("there is neither docker compose nor docker-compose")
    # 1.29, Debian's, refuses a file with a name.
    nameless = folder / "docker-compose.yml"
    lines = COMPOSE_FILE.read_text(encoding="utf-8").splitlines(keepends=True)
    nameless.write_text("".join(line for line in lines if not line.startswith("name:")), encoding="utf-8")
    return [classic, "--project-name", PROJECT, "--project-directory", ROOT, "--file", nameless]
