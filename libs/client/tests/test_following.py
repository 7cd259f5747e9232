"""The subscriber against a real broker: what it handles, what it passes over, where a later run goes on."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.topics import MEETING_EVENTS
from contracts.values.ids import uuid7_hex
from meetings_client import MeetingMessage, Snapshot, SqliteInbox, Subscriber
from meetings_client.subscriber import read_message

from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SAMPLES = Path(__file__).parents[2] / "contracts" / "samples" / "meetings.meeting.created.v1"
SAMPLE = json.loads(next(SAMPLES.glob("*.json")).read_text())


@pytest.fixture
async def producer(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    with suppress(TopicAlreadyExistsError):
        await admin.create_topics([NewTopic(MEETING_EVENTS.name, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as running:
        yield running


class Publisher:
    """Publishes versions of one meeting, and other things."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.meeting = f"M{uuid7_hex()}"
        self._producer = producer

    async def version(self, number: int, event_type: str = "meetings.meeting.created.v1") -> None:
        await self.raw(*self.record(number, event_type))

    def record(self, number: int, event_type: str = "meetings.meeting.created.v1") -> tuple[bytes, dict[str, str]]:
        body = SAMPLE["body"] | {"meeting": SAMPLE["body"]["meeting"] | {"meetingUuid": self.meeting}}
        return json.dumps(body).encode(), SAMPLE["headers"] | {"ce_sequence": str(number), "ce_type": event_type}

    async def raw(self, value: bytes | None, headers: dict[str, str]) -> None:
        encoded = [(name, text.encode()) for name, text in headers.items()]
        await self._producer.send_and_wait(MEETING_EVENTS.name, value, self.meeting.encode(), headers=encoded)


class Service:
    """A subscriber that keeps the versions of one meeting."""

    def __init__(self, bootstrap: str, meeting: str, snapshot: Snapshot | None = None) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE seen (version INTEGER, kind TEXT)")
        self.failures = 0
        self._meeting = meeting
        self._bootstrap, self._group = bootstrap, f"test-{meeting}"
        inbox = SqliteInbox(self.database)
        self._subscriber = Subscriber(
            bootstrap, group=self._group, inbox=inbox, snapshot=snapshot, instance="replica-0"
        )

    async def run_until(self, *versions: int) -> None:
        """Run until these versions were handled and everything was committed."""
        running = asyncio.create_task(self._subscriber.run(self._record))

        async def is_done() -> bool:
            return running.done() or (self.seen() == [*versions] and await self._is_committed())

        await until(is_done, what=f"versions {versions}", within=60)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def _is_committed(self) -> bool:
        partition = TopicPartition(MEETING_EVENTS.name, 0)
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=self._group) as consumer:
            ends = await consumer.end_offsets([partition])
            return bool(await consumer.committed(partition) == ends[partition])

    def seen(self) -> list[int]:
        return [version for (version,) in self.database.execute("SELECT version FROM seen ORDER BY rowid")]

    async def _record(self, database: sqlite3.Connection, event: MeetingMessage) -> None:
        if event.body.meeting.meeting_uuid != self._meeting:
            return
        kind = type(event.body).__name__
        database.execute("INSERT INTO seen VALUES (?, ?)", (event.envelope.sequence, kind))
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the database is gone")


async def test_events_are_handled_once_in_order_whatever_comes_between(
    kafka_bootstrap: str, producer: AIOKafkaProducer
) -> None:
    publisher = Publisher(producer)
    await publisher.version(1)
    await publisher.raw(b"[" * 100_000, SAMPLE["headers"])
    await publisher.raw(None, {})
    await publisher.version(1)  # delivered again
    await publisher.version(3, "meetings.meeting.praised.v7")  # a type of a newer release
    await publisher.version(2)  # late
    await publisher.version(4)
    service = Service(kafka_bootstrap, publisher.meeting)
    await service.run_until(1, 3, 4)
    kinds: list[Any] = [kind for (kind,) in service.database.execute("SELECT kind FROM seen")]
    assert kinds == ["MeetingCreated", MeetingEvent.__name__, "MeetingCreated"]

    service.database.execute("DELETE FROM seen")
    service.database.execute("DELETE FROM handled_meetings")  # what is committed does not come again
    await publisher.version(5)
    await service.run_until(5)


async def test_an_event_whose_handler_fails_comes_again(kafka_bootstrap: str, producer: AIOKafkaProducer) -> None:
    publisher = Publisher(producer)
    await publisher.version(1)
    service = Service(kafka_bootstrap, publisher.meeting)
    service.failures = 1
    with pytest.raises(ConnectionError):
        await service.run_until(1)
    assert service.seen() == []  # rolled back
    await service.run_until(1)


async def test_a_snapshot_comes_first_and_its_events_do_not_come_again(
    kafka_bootstrap: str, producer: AIOKafkaProducer
) -> None:
    publisher = Publisher(producer)
    for number in (1, 2, 3, 4):
        await publisher.version(number)

    async def third_version() -> AsyncIterator[MeetingMessage]:
        value, headers = publisher.record(3)
        yield read_message([(name, text.encode()) for name, text in headers.items()], value)

    service = Service(kafka_bootstrap, publisher.meeting, third_version)
    await service.run_until(3, 4)
    await publisher.version(5)
    await service.run_until(3, 4, 5)  # after another start, which reads the snapshot again
