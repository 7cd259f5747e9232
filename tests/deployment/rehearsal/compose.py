"""The compose file as people use it: brought up and waited for, its containers killed and watched as they come back."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.deployment.rehearsal.engine import Engine
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import COMPOSE_FILE, ROOT

PROJECT = "meetings"
_OURS = f"label=com.docker.compose.project={PROJECT}"
_READY_SECONDS = 600.0
_ONCE = frozenset({"topics", "replica-set"})
"""Services that do one thing and end."""


@dataclass(frozen=True)
class Stack:
    """The demonstration, by compose v2 where it is installed, else by Debian's docker-compose."""

    engine: Engine
    command: list[str] = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the compose files ask for, beyond deploy/demo.env."""

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

    def stop(self, *services: str) -> None:
        """Stop these services' containers, or all, in good order."""
        self._compose("stop", *services)

    def start(self) -> None:
        """Start all that was stopped, and wait; what is kept in volumes is there again."""
        self._compose("start")
        self.wait()

    def take_down(self) -> None:
        """``down`` with all that was kept.

        Docker 20.10 may count a killed container as still in the network, and keep the network until the engine ends.
        """
        with suppress(RehearsalError):
            self._compose("--profile", "operator", "down", "--volumes", "--remove-orphans")
        if self._containers():
            raise RehearsalError("compose down leaves containers")
        kept = self.engine.docker("volume", "ls", "--quiet", "--filter", _OURS).split()
        for volume in kept:
            self.engine.docker("volume", "rm", volume)

    def logs(self, *services: str) -> str:
        """The last lines of these services."""
        return self._compose("logs", "--no-color", "--tail", "15", *sorted(set(services)))

    def _compose(self, *arguments: str) -> str:
        return run([*self.command, *arguments], timeout=600, env=self.engine.env | dict(self.variables), cwd=ROOT)

    def _states(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for container in self._containers():
            yield container["Config"]["Labels"]["com.docker.compose.service"], container["State"]

    def _containers(self, service: str | None = None) -> list[dict[str, Any]]:
        labels = [_OURS]
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
def stack(engine: Engine, *files: str, **variables: str) -> Iterator[Stack]:
    """The demonstration, with these files over docker-compose.yml and these variables; at the end all is taken down."""
    chosen = [part for file in (COMPOSE_FILE.name, *files) for part in ("--file", str(ROOT / file))]
    command = [*_client(), "--env-file", str(ROOT / "deploy/demo.env"), *chosen]
    demo = Stack(engine, command, variables)
    try:
        yield demo
    finally:
        demo.take_down()


def client_version() -> str:
    """Which compose it is."""
    return f"compose {run([*_client(), 'version', '--short']).strip()}"


def _client() -> list[str]:
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if known.returncode == 0:
        return ["docker", "compose", "--project-name", PROJECT]
    classic = shutil.which("docker-compose")  # 1.29, Debian's
    if classic is None:
        raise RehearsalError("there is neither docker compose nor docker-compose")
    return [classic, "--project-name", PROJECT]
