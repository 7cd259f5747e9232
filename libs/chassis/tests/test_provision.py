"""Topics as an installation wants them: how many partitions, how durable."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.provision import ProvisioningSettings, partition_counts, provision
from contracts.transport.topics import (
    CALENDAR_CHANNELS,
    GATEWAY_REPLIES,
    MEETING_COMMANDS,
    MEETING_CORE,
    MEETING_EVENTS,
    all_topics,
    retry_topic,
)
from localrun.kafka import running_tansu
from pydantic import ValidationError


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[str]:
    """One of the test's own, without topics."""
    with running_tansu(log=tmp_path / "tansu.log") as bootstrap:
        yield bootstrap


async def counts(bootstrap: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return await partition_counts(admin)
    finally:
        await admin.close()


def settings(bootstrap: str = "localhost:1", **changes: object) -> ProvisioningSettings:
    return ProvisioningSettings.model_validate({"kafka_bootstrap_servers": bootstrap} | changes)


@pytest.mark.integration
async def test_partitions_are_a_setting_of_what_is_read_in_parallel(broker: str) -> None:
    assert await provision(settings(broker, kafka_partitions=2, kafka_topic_partitions={"meetings.events": 4}))
    found = await counts(broker)
    assert found.keys() == {topic.name for topic in all_topics()}
    assert (found["meetings.events"], found["meetings.commands"], found["calendar.events"]) == (4, 2, 2)
    assert (found["gateway.replies"], found["calendar.channels"]) == (3, 1)
    assert {count for name, count in found.items() if name.endswith((".dlt", ".retry"))} == {1}


@pytest.mark.integration
async def test_what_exists_and_is_too_small_is_said_and_left(broker: str) -> None:
    assert await provision(settings(broker, kafka_partitions=2))
    assert not await provision(settings(broker, kafka_partitions=3))
    assert (await counts(broker))["meetings.events"] == 2
    assert await provision(settings(broker, kafka_partitions=1)), "more than wanted is no failure"


@pytest.mark.integration
async def test_more_replicas_than_brokers_are_refused_before_anything_is_made(broker: str) -> None:
    assert not await provision(settings(broker, kafka_replication_factor=3))
    assert await counts(broker) == {}


def test_a_topic_has_what_is_said_of_it_else_what_is_said_of_all() -> None:
    some = settings(kafka_partitions=12, kafka_topic_partitions={"gateway.replies": 9, "meetings.commands": 24})
    assert [some.partitions_of(topic) for topic in (MEETING_EVENTS, MEETING_COMMANDS, GATEWAY_REPLIES)] == [12, 24, 9]
    assert [some.partitions_of(topic) for topic in (CALENDAR_CHANNELS, retry_topic(MEETING_CORE))] == [1, 1]


@pytest.mark.parametrize(("replicas", "chosen", "in_sync"), [(1, None, 1), (2, None, 1), (3, None, 2), (3, 1, 1)])
def test_with_three_replicas_two_must_have_what_counts_as_written(
    replicas: int, chosen: int | None, in_sync: int
) -> None:
    found = settings(kafka_replication_factor=replicas, kafka_min_insync_replicas=chosen)
    assert found.min_insync_replicas == in_sync


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kafka_min_insync_replicas": 2}, "nothing could be written"),
        ({"kafka_topic_partitions": {"meetings.event": 3}}, "there is no topic meetings.event whose partitions"),
        ({"kafka_topic_partitions": {"invitations.retry": 3}}, "there is no topic invitations.retry whose partitions"),
        ({"kafka_topic_partitions": {"meetings.events": 0}}, "needs at least one partition"),
        ({"kafka_partitions": 0}, "greater than or equal to 1"),
        ({"kafka_replication_factor": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_at_start(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**wrong)
