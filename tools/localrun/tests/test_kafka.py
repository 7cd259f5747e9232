"""The two brokers, and what a newcomer without Java or Maven is told."""

import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from localrun import kafka
from localrun.kafka import apache_kafka, running_apache_kafka, running_tansu
from localrun.ports import free_port
from localrun.problem import LocalRunError
from localrun.processes import accepts_connections


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def first(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        value: bytes | None = (await consumer.getone()).value
        return value


@pytest.mark.integration
async def test_tansu_carries_a_message_and_is_gone_afterwards(tmp_path: Path) -> None:
    with running_tansu(log=tmp_path / "tansu.log") as bootstrap:
        await create(bootstrap, "greetings")
        await send(bootstrap, "greetings", b"hello")
        assert await first(bootstrap, "greetings") == b"hello"
    assert not accepts_connections(int(bootstrap.rpartition(":")[2]))


@pytest.mark.integration
@pytest.mark.timeout(300)  # the first time, Maven fetches the jars
async def test_apache_kafka_keeps_its_messages_over_a_restart_at_another_port(tmp_path: Path) -> None:
    with running_apache_kafka(tmp_path) as bootstrap:
        await create(bootstrap, "greetings")
        await send(bootstrap, "greetings", b"hello")
    with running_apache_kafka(tmp_path) as moved:
        assert moved != bootstrap
        assert await first(moved, "greetings") == b"hello"


@pytest.mark.integration
@pytest.mark.timeout(300)
async def test_whoever_comes_by_a_detour_is_told_to_stay_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" * 16))  # as a cluster id it begins with a dash
    port, listening, advertised = free_port(), free_port(), free_port()
    process = apache_kafka(tmp_path, port, log=tmp_path / "kafka.log", detours={listening: advertised})
    process.start()
    try:
        process.wait_ready()
        assert await told(kafka.bootstrap(port)) == [port]
        assert await told(kafka.bootstrap(listening)) == [advertised]
    finally:
        process.stop()


async def told(address: str) -> list[int]:
    """The ports that a client who asks here is told to use."""
    client = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    try:
        return [broker.port for broker in client.cluster.brokers()]
    finally:
        await client.close()


def java(folder: Path, version: str) -> None:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    program.chmod(0o755)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_without_java_the_way_out_is_told(only: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(LocalRunError, match=r"no java on PATH.*apt-get install openjdk-17.*without KAFKA=apache"),
        running_apache_kafka(tmp_path / "data"),
    ):
        pytest.fail("it runs")


@pytest.mark.parametrize("version", ["11.0.20", "1.8.0_292"])
def test_an_old_java_is_told(only: Path, tmp_path: Path, version: str) -> None:
    java(only, version)
    with (
        pytest.raises(LocalRunError, match=rf"too old \(openjdk version .{version}.*needs Java 17"),
        running_apache_kafka(tmp_path / "data"),
    ):
        pytest.fail("it runs")


def test_a_java_home_without_java_is_told(only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(only, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(LocalRunError, match=r"no java under JAVA_HOME"), running_apache_kafka(tmp_path / "data"):
        pytest.fail("it runs")


def test_without_maven_the_way_out_is_told(only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(only, "21.0.1")
    files = tmp_path / "kafka"
    files.mkdir()
    (files / "pom.xml").write_text("<project/>")
    monkeypatch.setattr(kafka, "_KAFKA_FILES", files)
    with (
        pytest.raises(LocalRunError, match=r"no mvn on PATH.*apt-get install maven"),
        running_apache_kafka(tmp_path / "data"),
    ):
        pytest.fail("it runs")


def test_a_maven_that_fails_is_told_with_its_output(
    only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(only, "17")
    (only / "mvn").write_text("#!/bin/sh\necho 'no route to the repository'; exit 1\n")
    (only / "mvn").chmod(0o755)
    files = tmp_path / "kafka"
    files.mkdir()
    (files / "pom.xml").write_text("<project/>")
    monkeypatch.setattr(kafka, "_KAFKA_FILES", files)
    with pytest.raises(LocalRunError, match="no route to the repository"), running_apache_kafka(tmp_path / "data"):
        pytest.fail("it runs")
