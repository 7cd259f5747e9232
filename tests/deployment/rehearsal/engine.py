"""A Docker engine of our own: its data, socket and, while containers run, its network touch nobody else.

It starts without systemd and is ended by the process id that it wrote. For building it is in the machine's network,
since builds read package indexes; for running it is in a network namespace, with the same data and so the same images.
Two engines cannot use the same data at once.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run

NAMESPACE = "meetings-rehearsal"
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Engine:
    """A running engine and how to call programs that use it."""

    socket: str
    namespace: str | None
    """The network namespace that its containers publish their ports in; None: the machine's own network."""

    @property
    def env(self) -> dict[str, str]:
        """What a Docker client needs to find it."""
        return {"DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}

    def docker(self, *arguments: str | Path, timeout: float = 120) -> str:
        """Run Debian's Docker client. Raises RehearsalError when it fails."""
        return run(["/usr/bin/docker", *arguments], timeout=timeout, env=self.env)

    def inside(self, *command: str | Path) -> list[str | Path]:
        """The command as a program whose localhost is the engine's.

        Not by ``ip netns exec``, which mounts another /sys, where no cgroups are.
        """
        return [*_entering(self.namespace), *command]


@contextmanager
def running_engine(folder: Path, *, namespace: str | None = None) -> Iterator[Engine]:
    """An engine with its data under ``folder``, stopped at the end, also the network namespace if one is named.

    Raises:
        RehearsalError: it does not start.
    """
    with _network(namespace):
        engine = Engine(f"unix://{folder}/docker.sock", namespace)
        pid_file = folder / "docker.pid"
        command: list[str | Path] = [
            *_entering(namespace), "dockerd", "--data-root", folder / "docker-root", "--exec-root", folder / "run",
            "--pidfile", pid_file, "--host", engine.socket, "--storage-driver", "overlay2",
        ]  # fmt: skip
        with (folder / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_until_it_answers(engine, process, folder / "dockerd.log")
            yield engine
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(engine: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(RehearsalError):
            engine.docker("version", timeout=10)
            return
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RehearsalError(f"the Docker engine does not start:\n{tail}")


@contextmanager
def _network(namespace: str | None) -> Iterator[None]:
    if namespace is None:
        yield
        return
    run(["ip", "netns", "add", namespace])
    try:
        run(["ip", "-n", namespace, "link", "set", "lo", "up"])
        yield
    finally:
        run(["ip", "netns", "delete", namespace])


def _entering(namespace: str | None) -> list[str]:
    return [] if namespace is None else ["nsenter", f"--net=/run/netns/{namespace}"]


def may_run() -> str | None:
    """Why no engine can be run here; None when it can."""
    if os.getuid() != 0:
        return "it needs root"
    if os.uname().machine != "x86_64":
        return "its stand-ins are for x86_64"
    return None
