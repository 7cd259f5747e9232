"""What is rehearsed, step by step."""

import os
import sys
from pathlib import Path

from tests.deployment.rehearsal import page, stand_ins
from tests.deployment.rehearsal.compose import Stack, client_version, stack
from tests.deployment.rehearsal.engine import NAMESPACE, Engine, running_engine
from tests.deployment.rehearsal.errors import RehearsalError, preparing
from tests.deployment.rehearsal.report import Report
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT

_KILLED = (
    "edge", "api-gateway", "meeting-core", "invitations", "calendar-sync", "webhook-ingest", "kafka", "mongodb",
    "platform", "mail", "google", "microsoft",
)  # fmt: skip
_KILLED_QUICK = ("meeting-core", "kafka", "mongodb")
_CONSUMERS = ("meeting-core", "invitations", "calendar-sync")
_CLUSTER = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092,kafka-2:9092,kafka-3:9092",
    "MONGODB_URI": "mongodb://mongodb,mongodb-2,mongodb-3/?replicaSet=rs0",
}
"""As docs/how-to/deploy.md says."""
_DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
_DRIVE_SECONDS = 900
_MAX_OWN_MB = 300
"""What the production image may hold above its base."""


def rehearse(folder: Path, report: Report, *, quick: bool) -> None:
    """Build the images, then use the demonstration, the cluster and the containers of tests.

    Raises:
        PreparationError: there is no engine, or no stand-in for a base image.
        RehearsalError: something of ours failed.
    """
    with running_engine(folder) as engine:
        _make_stand_ins(engine, folder, report)
        _build(engine, report)
    with running_engine(folder, namespace=NAMESPACE) as engine:
        with preparing():
            engine.docker("run", "--rm", stand_ins.BASE, "true")
        report.add_fact(f"Docker {engine.version()}, {client_version()}, {os.cpu_count()} cores")
        with stack(engine) as demo:
            _use_demonstration(demo, report, _KILLED_QUICK if quick else _KILLED)
            if not quick:
                _restart_and_scale(demo, report)
        if not quick:
            with stack(engine, "docker-compose.cluster.yml", **_CLUSTER) as cluster:
                _use_cluster(cluster, report)
        with report.step("pytest --containers, chassis"):
            _test_on_containers(engine)


def _make_stand_ins(engine: Engine, folder: Path, report: Report) -> None:
    known = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    with preparing(), report.step("base images from packages"):
        if stand_ins.BASE not in known:
            stand_ins.make_base(engine, folder)
        for name, tag in stand_ins.images().items():
            stand_ins.make(engine, folder, name, tag)


def _build(engine: Engine, report: Report) -> None:
    for target, tag in (("production", "meetings:local"), ("demo", "meetings-demo:local")):
        with report.step(f"build {target}"):
            arguments: list[str | Path] = ["--network=host", "--target", target, "--tag", tag, "--file", _DOCKERFILE]
            engine.docker("build", *arguments, ROOT, timeout=1800)
    own = (engine.size("meetings:local") - engine.size(stand_ins.images()["python"])) / 1e6
    report.add_fact(f"the production image is {own:.0f} MB above its base")
    if own > _MAX_OWN_MB:
        raise RehearsalError(f"the production image has {own:.0f} MB above its base, more than {_MAX_OWN_MB}")


def _use_demonstration(demo: Stack, report: Report, killed: tuple[str, ...]) -> None:
    with report.step("compose up, all healthy"):
        demo.up()
    _begin(demo.engine, report)
    with report.step("the commands at the head of this page"):
        page.follow(demo, "make rehearsal: demonstration", "201")
    with report.step("TLS by an authority of one's own, then back"):
        page.follow(demo, "make rehearsal: tls", "200")
        demo.up()
    for service in killed:
        with report.step(f"`kill -9` of {service}, all healthy again"):
            demo.kill(service)
            demo.wait()
        _hold_meetings(demo.engine, report)


def _restart_and_scale(demo: Stack, report: Report) -> None:
    with report.step("compose stop"):
        demo.stop()
    with report.step("compose start, all healthy"):
        demo.start()
    _hold_meetings(demo.engine, report)
    with report.step(f"two replicas of {', '.join(_CONSUMERS)}"):
        demo.up(*(part for name in _CONSUMERS for part in ("--scale", f"{name}=2")))
    _hold_meetings(demo.engine, report)


def _use_cluster(cluster: Stack, report: Report) -> None:
    with report.step("three brokers, three members: compose up, all healthy"):
        cluster.up()
    _begin(cluster.engine, report)
    for service in ("kafka", "mongodb"):
        with report.step(f"of them {service} is stopped"):
            cluster.stop(service)
        _hold_meetings(cluster.engine, report)


def _begin(engine: Engine, report: Report) -> None:
    """What a new installation is used for first."""
    for step, seconds in _drive(engine, "first"):
        report.add(step, seconds)
    _hold_meetings(engine, report)


def _hold_meetings(engine: Engine, report: Report) -> None:
    report.add_meetings([seconds for _, seconds in _drive(engine, "again")])


def _drive(engine: Engine, what: str) -> list[tuple[str, float]]:
    command = engine.inside(sys.executable, "-m", "tests.deployment.rehearsal.drive", what)
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    lines = run(command, timeout=_DRIVE_SECONDS, env=proxies, cwd=ROOT).splitlines()
    return [(step, float(seconds)) for step, _, seconds in (line.rpartition("\t") for line in lines)]


def _test_on_containers(engine: Engine) -> None:
    command = engine.inside(sys.executable, "-m", "pytest", "--containers", "-q", "-x", ROOT / "libs/chassis")
    run(command, timeout=1200, env=engine.env | {"TESTCONTAINERS_RYUK_DISABLED": "true"}, cwd=ROOT)
