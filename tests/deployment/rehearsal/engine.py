"""A Docker engine of our own: its data, socket and, while containers run, its network are separate.

It starts without systemd and is ended by its process id. For building it is in the machine's network, since builds read
package indexes, and changes nothing there; for running it is in a network namespace, with the same data and so the same
images. Two engines cannot use the same data at once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from localrun.processes import Process, ProcessFailedError

from tests.deployment.rehearsal.errors import PreparationError, RehearsalError, preparing
from tests.deployment.rehearsal.shell import run

NAMESPACE = f"meetings-rehearsal-{os.getpid()}"
_OUTSIDE_NAMESPACE = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
_START_SECONDS = 180.0
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

    def answers(self) -> bool:
        """Whether it is there yet."""
        with suppress(RehearsalError):
            self.docker("version", timeout=10)
            return True
        return False

    def version(self) -> str:
        return self.docker("version", "--format", "{{.Server.Version}}").strip()

    def size(self, image: str) -> int:
        """Bytes of an image, its base included."""
        return int(self.docker("image", "inspect", "--format", "{{.Size}}", image))

    def inside(self, *command: str | Path) -> list[str | Path]:
        """The command as a program whose localhost is the engine's.

        Not by ``ip netns exec``, which mounts another /sys, where no cgroups are.
        """
        return [*_entering(self.namespace), *command]


@contextmanager
def running_engine(folder: Path, *, namespace: str | None = None) -> Iterator[Engine]:
    """An engine with its data under ``folder``, stopped at the end, also the network namespace if one is named.

    Raises:
        PreparationError: it does not start.
    """
    with _network(namespace):
        engine = Engine(f"unix://{folder}/docker.sock", namespace)
        command: list[str | Path] = [
            *_entering(namespace), "dockerd", "--data-root", folder / "docker-root", "--exec-root", folder / "run",
            "--pidfile", folder / "docker.pid", "--host", engine.socket, "--storage-driver", "overlay2",
            *(() if namespace else _OUTSIDE_NAMESPACE),
        ]  # fmt: skip
        log = folder / "dockerd.log"
        process = Process("the Docker engine", [*map(str, command)], log=log, ready=engine.answers)
        try:
            process.start()
            process.wait_ready(_START_SECONDS)
            yield engine
        except ProcessFailedError as error:
            raise PreparationError(str(error)) from error
        finally:
            process.stop(_STOP_SECONDS)


@contextmanager
def _network(namespace: str | None) -> Iterator[None]:
    if namespace is None:
        yield
        return
    with preparing():
        run(["ip", "netns", "add", namespace])
    try:
        with preparing():
            run(["ip", "-n", namespace, "link", "set", "lo", "up"])
        yield
    finally:
        run(["ip", "netns", "delete", namespace])


def _entering(namespace: str | None) -> list[str]:
    return [] if namespace is None else ["nsenter", f"--net=/run/netns/{namespace}"]
