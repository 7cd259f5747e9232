"""MongoDB and Apache Kafka in Docker containers, of the images that are deployed."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from localrun.kafka import bootstrap
from localrun.ports import free_port
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support.deployment import COMPOSE_FILE

_START_SECONDS = 60
_INITIATE = "rs.initiate(); while (!db.hello().isWritablePrimary) sleep(100)"


@contextmanager
def running_mongodb_container() -> Iterator[str]:
    """A replica set of one; gives its URI."""
    container = (
        DockerContainer(_image("mongodb"))
        .with_command("--replSet rs0 --bind_ip_all")
        .with_exposed_ports(27017)
        .waiting_for(LogMessageWaitStrategy("Waiting for connections").with_startup_timeout(_START_SECONDS))
    )
    with container:
        initiated = container.exec(["mongosh", "--quiet", "--eval", _INITIATE])
        assert initiated.exit_code == 0, initiated.output
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(27017)}"
        yield f"mongodb://{address}/?directConnection=true"


@contextmanager
def running_kafka_container() -> Iterator[str]:
    """One node; gives its bootstrap address. Clients must find it where it says that it is, so its port is fixed."""
    port = free_port()
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://{bootstrap(port)}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",  # tests of lost consumers do not wait for six seconds
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = DockerContainer(_image("kafka")).with_bind_ports(port, port)
    for name, value in settings.items():
        container.with_env(f"KAFKA_{name}", value)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_START_SECONDS))
    with container:
        yield bootstrap(port)


def _image(service: str) -> str:
    """What docker-compose.yml deploys."""
    return str(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"][service]["image"])
