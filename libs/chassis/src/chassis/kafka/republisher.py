"""Publishes state again when its topic has lost records.

A compacted topic is only as old as its broker's disk. Where a database has the truth, the topic can be made complete
again: after a broker came back without its data, or a topic was deleted and created anew.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from contracts.transport.topics import Topic
from pymongo.errors import PyMongoError

from chassis.kafka.connection import connection_options
from chassis.mongo.database import Collection
from chassis.settings import ServiceSettings
from chassis.tasks import cancel_and_wait

log = structlog.get_logger()

Republish = Callable[[], Awaitable[None]]
Ends = dict[str, int]


class Republisher:
    """Remembers in the database where each topic ended; an earlier end is proof that records are lost.

    Only for topics that this service alone writes: whatever it publishes while it does not look is above the end that
    it remembers.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        collection: Collection,
        topics: Mapping[Topic, Republish],
        *,
        interval: float = 2,
    ) -> None:
        """``collection`` keeps one document per topic; ``interval``: seconds between two checks."""
        self._collection = collection
        self._topics = topics
        self._interval = interval
        self._consumer = AIOKafkaConsumer(
            **connection_options(settings), client_id=settings.service_name, group_id=None
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check in the background until left."""
        async with self._consumer:
            first = [TopicPartition(topic.name, 0) for topic in self._topics]
            self._consumer.assign(first)
            self._consumer.pause(*first)  # only ends are wanted, of all partitions
            checking = asyncio.create_task(self._check_for_ever())
            try:
                yield
            finally:
                await cancel_and_wait(checking)

    async def check(self) -> None:
        """Republish the topics that lost records since the last check.

        Raises:
            KafkaError: the topics cannot be read or written now; the next check finds what is lost.
            PyMongoError: the same of the database.
        """
        for topic, republish in self._topics.items():
            remembered, ends = await self._remembered(topic), await self._ends(topic)
            if any(ends.get(partition, 0) < end for partition, end in remembered.items()):
                log.warning("a topic has lost records; its state is republished", topic=topic.name)
                await republish()
                ends = await self._ends(topic)
            if ends != remembered:
                await self._collection.update_one({"_id": topic.name}, {"$set": {"ends": ends}}, upsert=True)

    async def _ends(self, topic: Topic) -> Ends:
        await self._consumer.end_offsets([TopicPartition(topic.name, 0)])  # from then on the topic is known
        numbers = self._consumer.partitions_for_topic(topic.name) or ()
        found = await self._consumer.end_offsets([TopicPartition(topic.name, number) for number in numbers])
        return {str(partition.partition): offset for partition, offset in found.items()}

    async def _remembered(self, topic: Topic) -> Ends:
        document = await self._collection.find_one({"_id": topic.name})
        return {} if document is None else document["ends"]

    async def _check_for_ever(self) -> None:
        while True:
            try:
                await self.check()
            except (KafkaError, PyMongoError) as error:
                log.info("topics cannot be checked now", error=type(error).__name__, fold=True)
            await asyncio.sleep(self._interval)
