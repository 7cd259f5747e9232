"""What is called wrong, and how far behind groups are on a real broker."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from chassis.jobs.admin import QueueStats
from chassis.kafka.publisher import open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.provision import ProvisioningSettings, provision
from contracts.transport.topics import INVITATIONS, MEETING_EVENTS, RETRY_TOPICS
from contracts.values.times import utc_now
from meetings_cli.dead_letters import DeadLetter, State
from meetings_cli.health import ServiceHealth
from meetings_cli.lag import GROUPS, Lag, ask_lags
from meetings_cli.settings import Settings
from meetings_cli.status import DeadLetterCount, Status, counted
from meetings_cli.stores import CalendarStats, JobStats, OutboxStats

NOW = utc_now()
WELL = ServiceHealth(name="meeting-core", url="http://core", alive=True, ready=True, problems={})
IDLE = QueueStats(due=0, later=0, leased=0, interrupted=0, blocked=0, discarded=0, overdue=0)


def jobs(**changes: Any) -> JobStats:
    return JobStats(kind="delivery", stats=replace(IDLE, **changes))


def test_a_quiet_platform_is_well() -> None:
    status = Status(
        at=NOW,
        services=[WELL],
        lags=[Lag(group="g", topic="t", records=1000)],
        dead_letters=[DeadLetterCount(topic="t", open=0, replayed=3)],
        outboxes=[OutboxStats(service="s", collection="c", pending=9, overdue=30)],
        jobs=[jobs(due=9, later=9, leased=9, overdue=120)],
        calendars=CalendarStats(connections={}, feeds=1, watched=0, oldest_pull=NOW - timedelta(minutes=30)),
    )
    assert status.wrong == []


def test_what_is_wrong_is_said_in_a_sentence_each() -> None:
    status = Status(
        at=NOW,
        services=[
            WELL.model_copy(update={"alive": False, "ready": False, "problems": {"process": "does not answer"}}),
            WELL.model_copy(update={"ready": False, "problems": {"mongodb": "AutoReconnect"}}),
        ],
        lags=[Lag(group="g", topic="t", records=1001)],
        dead_letters=[DeadLetterCount(topic="t.g.dlt", open=2, replayed=3)],
        outboxes=[OutboxStats(service="s", collection="c", pending=1, overdue=31)],
        jobs=[jobs(discarded=4), jobs(overdue=121), jobs(overdue=121, blocked=1)],
        calendars=CalendarStats(connections={}, feeds=1, watched=1, oldest_pull=NOW - timedelta(minutes=31)),
        unknown={"broker": "no answer from the broker"},
    )
    assert status.wrong == [
        "meeting-core is down: process does not answer",
        "meeting-core is not ready: mongodb AutoReconnect",
        "no answer from the broker",
        "dead letters in t.g.dlt: 2",
        "g is 1001 records behind on t",
        "events of s (c) are unpublished for 31 s",
        "4 × delivery jobs were discarded",
        "delivery jobs are overdue by 121 s: no worker runs them",
        "delivery jobs are overdue by 121 s: a dependency is unavailable",
        "a connected calendar was last read 1860 s ago",
    ]


def test_dead_letters_are_counted_by_topic_and_what_was_done() -> None:
    letters = [DeadLetter("a", 0, []), DeadLetter("a", 1, [], State.REPLAYED), DeadLetter("b", 0, [], State.REPLAYED)]
    assert counted(letters) == [
        DeadLetterCount(topic="a", open=1, replayed=1),
        DeadLetterCount(topic="b", open=0, replayed=1),
    ]


def test_every_group_is_asked_for() -> None:
    assert set(GROUPS) == {reader for topic in RETRY_TOPICS for reader in topic.readers}


@pytest.mark.integration
async def test_lag_is_what_a_group_has_not_committed(settings: Settings, kafka_bootstrap: str) -> None:
    """Asked of the broker, so it is known while no consumer runs."""
    await provision(ProvisioningSettings(kafka_bootstrap_servers=kafka_bootstrap))

    async def lag() -> int:
        [one] = [
            one for one in await ask_lags(settings) if (one.group, one.topic) == (INVITATIONS, MEETING_EVENTS.name)
        ]
        return one.records

    before = await lag()
    async with open_publisher(settings) as publisher:
        for number in range(10):
            await publisher.publish(_record(number))
    assert await lag() == before + 10
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap, group_id=INVITATIONS, enable_auto_commit=False
    ) as consumer:
        partitions = [TopicPartition(MEETING_EVENTS.name, number) for number in range(MEETING_EVENTS.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.commit({one: OffsetAndMetadata(max(0, end - 1), "") for one, end in ends.items()})
        assert await lag() == sum(min(1, end) for end in ends.values())
        await consumer.commit({one: OffsetAndMetadata(end, "") for one, end in ends.items()})
        assert await lag() == 0


def _record(number: int) -> OutgoingRecord:
    return OutgoingRecord(MEETING_EVENTS.name, str(number).encode(), b"{}", [])
