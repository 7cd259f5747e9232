"""Reading and writing the running broker's topics in tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from chassis.kafka.records import Record

from tests.support.waiting import until


class TopicLog:
    """What came on some topics since the recording began, in order within each partition."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def first(self, matches: Callable[[Record], bool], *, what: str) -> Record:
        """The first record that matches, waited for."""
        return (await self.some(1, matches, what=what))[0]

    async def some(self, count: int, matches: Callable[[Record], bool], *, what: str) -> list[Record]:
        """All records that match, once there are ``count`` of them."""

        async def enough() -> list[Record] | None:
            found = [record for record in self.records if matches(record)]
            return found if len(found) >= count else None

        return await until(enough, what=what)


@asynccontextmanager
async def recording(bootstrap: str, *topics: str) -> AsyncIterator[TopicLog]:
    """Record what comes on these topics from now on."""
    log = TopicLog()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, fetch_max_wait_ms=20)
    await consumer.start()
    try:
        partitions = [at for topic in topics for at in await _partitions(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for at in partitions:
            await consumer.position(at)  # resolved now, so that nothing from here on is missed
        reading = asyncio.create_task(_read(consumer, log))
        try:
            yield log
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await consumer.stop()


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that sends whatever it is told to, raw."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def read_until(bootstrap: str, group: str, at: TopicPartition, offset: int) -> None:
    """Wait until a consumer group has committed everything of a partition up to and with this offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:

        async def committed() -> bool:
            return (await consumer.committed(at) or 0) > offset

        await until(committed, what=f"{group} has read {at.topic}[{at.partition}] beyond {offset}")
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    async def known() -> Any:
        await consumer._client.force_metadata_update()
        return consumer.partitions_for_topic(topic)

    return [TopicPartition(topic, number) for number in await until(known, what=f"topic {topic} is there")]


async def _read(consumer: AIOKafkaConsumer, log: TopicLog) -> None:
    async for record in consumer:
        log.records.append(record)
