"""How far consumer groups are behind, asked of the broker and not of the consumers, who may be down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata
from chassis.kafka.connection import connection_options
from chassis.provision import partition_counts
from contracts.transport.topics import RETRY_TOPICS, TOPICS, Topic
from pydantic import BaseModel

from meetings_cli.settings import Settings

TIMEOUT = 10.0
"""Seconds for one question to the broker."""
_AGAIN = 0.2
GROUPS = {topic.readers[0]: topic.name for topic in RETRY_TOPICS}
"""The consumer groups, and the topic from which each takes dead letters back.

The gateway reads replies, and webhook-ingest channels, without a group: every replica reads all, so neither can lag.
"""


class Lag(BaseModel):
    """``records`` of a topic that a group has not committed yet."""

    group: str
    topic: str
    records: int


async def ask_lags(settings: Settings) -> list[Lag]:
    """The lag of every group on every topic that it reads.

    Exact on Apache Kafka. Tansu, the local run's broker, counts the last batch of a partition as one record.

    Raises:
        aiokafka.errors.KafkaError: the broker cannot be asked.
        TimeoutError: nor within ten seconds.
    """
    async with asyncio.timeout(2 * TIMEOUT), _opened(settings) as (admin, consumer):
        return [lag for group in GROUPS for lag in await _lags(admin, consumer, group)]


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    admin = AIOKafkaAdminClient(**connection_options(settings), request_timeout_ms=int(TIMEOUT * 1000))
    try:
        await admin.start()
        async with AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False) as consumer:
            yield admin, consumer
    finally:
        await admin.close()


async def _lags(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str) -> list[Lag]:
    existing = await partition_counts(admin)
    topics: list[Topic] = [
        topic for topic in (*TOPICS, *RETRY_TOPICS) if group in topic.readers and topic.name in existing
    ]
    partitions = [TopicPartition(topic.name, number) for topic in topics for number in range(existing[topic.name])]
    committed = await _committed(admin, group, partitions)
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    behind = dict.fromkeys((topic.name for topic in topics), 0)
    for partition in partitions:
        offset = committed[partition].offset if partition in committed else -1
        # -1: nothing was committed here yet. Records deleted by retention cannot be read any more.
        behind[partition.topic] += max(0, ends[partition] - max(offset, begins[partition]))
    return [Lag(group=group, topic=topic, records=records) for topic, records in behind.items()]


async def _committed(
    admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    while True:
        try:
            return dict(await admin.list_consumer_group_offsets(group, partitions=partitions))
        except GroupCoordinatorNotAvailableError:  # the first question that a new broker is asked about groups
            await asyncio.sleep(_AGAIN)
