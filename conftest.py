"""The infrastructure that tests share: a real MongoDB, a real broker, the whole platform.

Which broker: ``--kafka=tansu`` (default, from a wheel), ``--kafka=apache`` (Apache Kafka, needs Java 17 and Maven), or
``--containers`` for MongoDB and Kafka in Docker, the images that docker-compose.yml deploys.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from localrun.kafka import running_apache_kafka, running_tansu
from localrun.mongodb import running_mongod
from localrun.platform import Platform
from localrun.ports import Ports, require_free
from localrun.problem import LocalRunError

from tests.support.containers import running_kafka_container, running_mongodb_container
from tests.support.crowd import NO_MAILBOX_LIMIT

# Property tests try the same cases every time and are not timed: a test must not fail because a machine is busy.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def logging_configuration() -> Iterator[None]:
    """A program that a test runs in this process configures its logs; the tests after it have theirs."""
    before, disabled = structlog.get_config(), logging.root.manager.disable
    yield
    structlog.configure(**before)
    logging.disable(disabled)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kafka", choices=("tansu", "apache"), default="tansu", help="the broker that tests run against")
    parser.addoption("--containers", action="store_true", help="MongoDB and Apache Kafka from Docker containers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pure tests first, the whole platform last: what is quick to fail fails quickly."""
    order = {"integration": 1, "e2e": 2, "browser": 3, "chaos": 4}
    items.sort(key=lambda item: max((order.get(mark.name, 0) for mark in item.iter_markers()), default=0))


@pytest.fixture(scope="session")
def mongodb_uri(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB replica set; tests use databases of their own."""
    if pytestconfig.getoption("containers"):
        with running_mongodb_container() as uri:
            yield uri
        return
    with running_mongod(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@pytest.fixture(scope="session")
def kafka_bootstrap(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker without topics; tests create topics of their own."""
    folder = tmp_path_factory.mktemp("kafka")
    if pytestconfig.getoption("containers"):
        with running_kafka_container() as bootstrap:
            yield bootstrap
    elif pytestconfig.getoption("kafka") == "apache":
        with running_apache_kafka(folder) as bootstrap:
            yield bootstrap
    else:
        with running_tansu(log=folder / "tansu.log") as bootstrap:
            yield bootstrap


@pytest.fixture(scope="session")
def platform(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The whole platform with all its processes, shared by a session's tests."""
    state = Path(tmp_path_factory.mktemp("platform"))
    kafka: Any = pytestconfig.getoption("kafka")
    few_people = {"invitations": NO_MAILBOX_LIMIT}
    with Platform.start(state, port_offset=_free_offset(), kafka=kafka, env_overrides=few_people) as running:
        yield running


@pytest.fixture(scope="module")
def free_port_offset() -> int:
    """For platforms of a module's own, one at a time."""
    return _free_offset()


def _free_offset() -> int:
    """A shift at which every default port is free, so that test runs can go side by side.

    All ports stay below 32768, where the kernel begins to hand out ports of its own choice to outgoing connections.
    """
    steps = range(52)
    for step in steps:
        offset = 500 + (os.getpid() + step) % len(steps) * 100
        try:
            require_free(Ports.from_environment({}, offset).by_name())
        except LocalRunError:
            continue
        return offset
    raise RuntimeError("no free ports for the platform")
