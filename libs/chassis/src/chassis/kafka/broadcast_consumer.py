"""Reading a topic without a consumer group: every process sees every record.

A group takes seconds to join and loses what is published meanwhile; a reader without one is ready in milliseconds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from contracts.transport.topics import Topic

from chassis.kafka.connection import connection_options
from chassis.kafka.dead_letters import DeadLetters
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import ReceivedMessage, decode
from chassis.settings import ServiceSettings
from chassis.tasks import cancel_and_wait

log = structlog.get_logger()


class BroadcastConsumer:
    """Hands each record of a topic to ``handle``: what comes from now on; with ``replay`` what there is, first."""

    def __init__(
        self,
        settings: ServiceSettings,
        publisher: Publisher,
        *,
        topic: Topic,
        handle: Callable[[ReceivedMessage[Any]], None],
        replay: bool = False,
    ) -> None:
        self._topic = topic
        self._handle = handle
        self._replay = replay
        self._dead_letters = DeadLetters(publisher, settings.service_name, [topic])
        self._failed: str | None = "not started"
        self._consumer = AIOKafkaConsumer(
            topic.name,
            **connection_options(settings),
            client_id=settings.service_name,
            group_id=None,
            auto_offset_reset="earliest" if replay else "latest",
            fetch_max_wait_ms=settings.kafka_fetch_max_wait_ms,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["BroadcastConsumer"]:
        """Read until left. On entry every position is known; with ``replay`` all that was there has been handled."""
        async with self._consumer:
            await self._pin()
            if self._replay:
                await self._catch_up()
            self._failed = None
            reading = asyncio.create_task(self._read())
            try:
                yield self
            finally:
                await cancel_and_wait(reading)

    def problem(self) -> str | None:
        return self._failed

    async def _pin(self) -> None:
        """Settle the positions now: resolved lazily, a record published in between would be missed."""
        for partition in self._consumer.assignment():
            await self._consumer.position(partition)

    async def _catch_up(self) -> None:
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    await self._take(record)

    async def _read(self) -> None:
        while True:
            try:
                async for record in self._consumer:
                    self._failed = None
                    await self._take(record)
            except KafkaError as error:
                self._failed = type(error).__name__
                log.warning("broadcast consumer interrupted", topic=self._topic.name, error=self._failed, fold=True)
                await asyncio.sleep(1)

    async def _take(self, record: Any) -> None:
        try:
            self._handle(decode(record))
        except Exception as error:  # whatever is wrong with this record, the next ones must be read
            await self._dead_letters.add(record, error)
