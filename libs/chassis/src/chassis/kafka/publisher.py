"""Publishing: acknowledged by all in-sync replicas, in order within a partition."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from chassis import metrics
from chassis.kafka.wire import Outgoing
from chassis.settings import ServiceSettings
from chassis.waiting import all_of


class Publisher:
    """Writes records to Kafka."""

    def __init__(self, producer: AIOKafkaProducer, *, patience: float = 10) -> None:
        """``patience``: seconds after which a record is given up."""
        self._producer = producer
        self._patience = patience

    async def publish(self, outgoing: Outgoing) -> None:
        """Publish one record and wait until the broker has it.

        Raises:
            aiokafka.errors.KafkaError: it was not acknowledged; it may or may not be in the log.
        """
        try:
            # The producer counts from when a record's turn comes: behind others it would wait much longer.
            async with asyncio.timeout(self._patience):
                await self._producer.send_and_wait(
                    outgoing.topic, outgoing.value, key=outgoing.key, headers=outgoing.headers
                )
        except TimeoutError as error:
            raise KafkaTimeoutError from error
        metrics.PUBLISHED.labels(outgoing.topic).inc()

    async def publish_in_order(self, records: Iterable[Outgoing]) -> None:
        """Publish one after the other; the first failure stops the rest, so that none overtakes it."""
        for outgoing in records:
            await self.publish(outgoing)

    async def publish_together(self, records: Iterable[Outgoing]) -> None:
        """Publish records that do not depend on each other, in as few requests as possible.

        Raises:
            aiokafka.errors.KafkaError: one of them was not acknowledged; all have been tried.
        """
        await all_of(*map(self.publish, records))


@asynccontextmanager
async def open_publisher(settings: ServiceSettings, *, request_timeout: float = 10) -> AsyncIterator[Publisher]:
    """A publisher that gives a record up after ``request_timeout`` seconds.

    The idempotent producer stays off (docs/decisions/0005): consumers drop repeats, and order within a partition holds
    without it, since aiokafka keeps one batch per partition in flight.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        client_id=settings.service_name,
        acks="all",
        enable_idempotence=False,
        request_timeout_ms=int(request_timeout * 1000),
        max_request_size=4 * 1024 * 1024,
    )
    await producer.start()
    try:
        yield Publisher(producer, patience=request_timeout)
    finally:
        await producer.stop()
