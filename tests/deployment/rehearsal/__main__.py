"""A rehearsal of the deployment: images built, the compose file brought up, used, hurt, scaled and taken down.

There is no image registry in it: base images are stand-ins of Debian packages, tagged as the project's files ask
(`stand-ins/`). What this shows is that our files, images and services work together; it shows nothing of the real base
images, of MongoDB 8 (the stand-in is 6.0.5), or of a network of several machines.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.deployment.rehearsal import page, stand_ins
from tests.deployment.rehearsal.compose import stack
from tests.deployment.rehearsal.engine import NAMESPACE, Engine, may_run, running_engine
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT

_PACKAGES = {
    "dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap", "docker-compose": "docker-compose",
    "chromium": "chromium", "java": "openjdk-17-jre-headless", "mvn": "maven",
}  # fmt: skip
_KILLED = (
    "edge", "api-gateway", "meeting-core", "invitations", "calendar-sync", "webhook-ingest", "kafka", "mongodb",
    "platform", "mail", "google", "microsoft",
)  # fmt: skip
_CONSUMERS = ("meeting-core", "invitations", "calendar-sync")
_CLUSTER = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092,kafka-2:9092,kafka-3:9092",
    "MONGODB_URI": "mongodb://mongodb,mongodb-2,mongodb-3/?replicaSet=rs0",
}
"""As docs/how-to/deploy.md says."""
_DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
_DRIVE_SECONDS = 600
_MAX_OWN_MB = 300
"""What the production image may hold above its base."""


class Report:
    """The steps and how long they took."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._rows: list[tuple[str, str]] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.add(what, f"{time.monotonic() - began:.1f} s")

    def add(self, what: str, result: str) -> None:
        self._rows.append((what, result))
        self._console.print(f"{what}: {result}")

    def show(self) -> None:
        table = Table("step", "result")
        for row in self._rows:
            table.add_row(*row)
        self._console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearsal", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="install missing Debian packages without asking")
    parser.add_argument("--folder", type=Path, help="keep images and logs here for the next rehearsal")
    parser.add_argument("--quick", action="store_true", help="kill only a few containers")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the engine is ended in any case
    reason = may_run() or _missing_packages(install=options.yes)
    if reason:
        print(f"SKIPPED: no rehearsal of the deployment here: {reason}")
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="meetings-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    try:
        _rehearse(folder, report, _KILLED[1:3] + _KILLED[6:8] if options.quick else _KILLED)
    except RehearsalError as error:
        report.show()
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    report.show()
    return 0


def _missing_packages(*, install: bool) -> str | None:
    """Install what is missing, if that is wanted. Why it cannot go on; None when everything is here."""
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return None
    if not install and sys.stdin.isatty():
        install = input(f"Install {', '.join(missing)} with apt-get? [y/N] ").strip().lower() == "y"
    if not install:
        return f"it needs the packages {' '.join(missing)} (--yes installs them)"
    try:
        run(["apt-get", "update", "-qq"], timeout=300)
        command = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", *missing]
        run(command, timeout=900, env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})
    except RehearsalError as error:
        return str(error)
    return None


def _rehearse(folder: Path, report: Report, killed: tuple[str, ...]) -> None:
    with running_engine(folder) as engine:
        _make_stand_ins(engine, folder, report)
        _build(engine, report)
    with running_engine(folder, namespace=NAMESPACE) as engine:
        with stack(engine) as demo:
            with report.step("compose up, all healthy"):
                demo.up()
            _drive(engine, report, "first")
            with report.step("the commands of docs/how-to/deploy.md"):
                page.follow(demo)
            for service in killed:
                with report.step(f"kill -9 {service}, all healthy again"):
                    demo.kill(service)
                    demo.wait()
                _drive(engine, report, "again")
            with report.step("compose stop"):
                demo.stop()
            with report.step("compose start, all healthy"):
                demo.start()
            _drive(engine, report, "again")
            with report.step(f"two replicas of {', '.join(_CONSUMERS)}"):
                demo.up(*(part for name in _CONSUMERS for part in ("--scale", f"{name}=2")))
            _drive(engine, report, "again")
        with stack(engine, "docker-compose.cluster.yml", **_CLUSTER) as cluster:
            with report.step("three brokers and three members: compose up, all healthy"):
                cluster.up()
            _drive(engine, report, "first")
            for service in ("kafka", "mongodb"):
                with report.step(f"{service} is stopped"):
                    cluster.stop(service)
                _drive(engine, report, "again")
        with report.step("pytest --containers, chassis"):
            command = engine.inside(sys.executable, "-m", "pytest", "--containers", "-q", "-x", ROOT / "libs/chassis")
            run(command, timeout=600, env=engine.env | {"TESTCONTAINERS_RYUK_DISABLED": "true"}, cwd=ROOT)


def _make_stand_ins(engine: Engine, folder: Path, report: Report) -> None:
    here = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if stand_ins.BASE not in here:
        with report.step(f"stand-in: {stand_ins.BASE}"):
            stand_ins.make_base(engine, folder)
    for name, tag in stand_ins.images().items():
        with report.step(f"stand-in for {tag}"):
            stand_ins.make(engine, folder, name, tag)


def _build(engine: Engine, report: Report) -> None:
    for target, tag in (("production", "meetings:local"), ("demo", "meetings-demo:local")):
        with report.step(f"build {target}"):
            arguments: list[str | Path] = ["--network=host", "--target", target, "--tag", tag, "--file", _DOCKERFILE]
            engine.docker("build", *arguments, ROOT, timeout=900)
    sizes = [int(engine.docker("image", "inspect", "--format", "{{.Size}}", tag)) for tag in
             ("meetings:local", stand_ins.images()["python"])]  # fmt: skip
    own = (sizes[0] - sizes[1]) / 1e6
    report.add("production image above its base", f"{own:.0f} MB")
    if own > _MAX_OWN_MB:
        raise RehearsalError(f"the production image has {own:.0f} MB above its base, more than {_MAX_OWN_MB}")


def _drive(engine: Engine, report: Report, what: str) -> None:
    command = engine.inside(sys.executable, "-m", "tests.deployment.rehearsal.drive", what)
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    for line in run(command, timeout=_DRIVE_SECONDS, env=proxies, cwd=ROOT).splitlines():
        step, _, seconds = line.partition("\t")
        report.add(f"  {step}", f"{seconds} s")


if __name__ == "__main__":
    sys.exit(main())
