"""Publishing: acknowledged by all in-sync replicas, in order within a partition."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, KafkaTimeoutError, NodeNotReadyError
from aiokafka.protocol.produce import ProduceRequest

from chassis.kafka.connection import connection_options
from chassis.kafka.records import OutgoingRecord
from chassis.settings import ServiceSettings
from chassis.tasks import gather_all
from chassis.telemetry import metrics

_GRACE = 1.0
"""Seconds that the producer gets beyond its own timeout to say what became of a record."""
_MAY_BE_APPENDED = frozenset({-1, 7, 20})
"""Error codes after which a record may be in the log: unknown, timed out, too few replicas after it was appended."""


class UnacknowledgedError(KafkaTimeoutError):  # type: ignore[misc]  # aiokafka's errors are untyped
    """The record was sent, or is about to be, and its acknowledgement did not come in time: it may be in the log."""


class Publisher:
    """Writes records to Kafka."""

    def __init__(self, producer: AIOKafkaProducer, *, timeout: float = 10) -> None:
        """``timeout``: seconds after which the producer gives a record up."""
        self._producer = producer
        self._timeout = timeout
        self._sends = _SendMonitor(producer.client)

    def problem(self) -> str | None:
        """A reason to restart this process: the producer has ended, and takes no record any more."""
        return "the producer has ended" if self._producer._sender.sender_task.done() else None  # noqa: SLF001

    async def publish(self, outgoing: OutgoingRecord) -> None:
        """Publish one record and wait until the broker has it.

        Raises:
            UnacknowledgedError: it may be in the log, now or later.
            aiokafka.errors.KafkaError: it is certainly not in the log: it was never sent, or the broker refused it.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                acknowledged = await self._producer.send(
                    outgoing.topic, outgoing.value, key=outgoing.key, headers=outgoing.headers
                )
        except TimeoutError as error:
            raise KafkaTimeoutError from error
        try:
            # The producer counts from when a record's turn comes: behind others it would wait much longer.
            async with asyncio.timeout(began + self._timeout + _GRACE - time.monotonic()):
                await acknowledged
        except TimeoutError as error:
            raise UnacknowledgedError from error
        except KafkaError as error:
            if self._sends.has_doubtful(since=began):
                raise UnacknowledgedError from error
            raise
        metrics.PUBLISHED.labels(outgoing.topic).inc()

    async def publish_in_order(self, records: Iterable[OutgoingRecord]) -> None:
        """Publish one after the other; the first failure stops the rest, so that none overtakes it."""
        for outgoing in records:
            await self.publish(outgoing)

    async def publish_together(self, records: Iterable[OutgoingRecord]) -> None:
        """Publish records that do not depend on each other, in as few requests as possible.

        Raises:
            aiokafka.errors.KafkaError: one of them was not acknowledged; all have been tried.
        """
        await gather_all(*map(self.publish, records))


class _SendMonitor:
    """Watches a client's produce requests: one that failed once it was on the wire may have been carried out.

    The producer retries by itself and says of a record only how its last attempt went.
    """

    def __init__(self, client: AIOKafkaClient) -> None:
        self._send = client.send
        self._doubtful_at = -1.0
        client.send = self._watched_send

    def has_doubtful(self, *, since: float) -> bool:
        """Whether some request failed in doubt since then (``time.monotonic``), of whatever records."""
        return self._doubtful_at >= since

    async def _watched_send(self, node_id: int, request: Any, **options: Any) -> Any:
        if not isinstance(request, ProduceRequest):
            return await self._send(node_id, request, **options)
        try:
            answer = await self._send(node_id, request, **options)
        except NodeNotReadyError:  # no connection: nothing was sent
            raise
        except BaseException:
            self._doubtful_at = time.monotonic()
            raise
        if _MAY_BE_APPENDED & {partition[1] for _, partitions in answer.topics for partition in partitions}:
            self._doubtful_at = time.monotonic()
        return answer


@asynccontextmanager
async def open_publisher(settings: ServiceSettings, *, request_timeout: float = 10) -> AsyncIterator[Publisher]:
    """A publisher that gives a record up after ``request_timeout`` seconds.

    The idempotent producer stays off (docs/decisions/0005): consumers drop repeats, and order within a partition holds
    without it, since aiokafka keeps one batch per partition in flight.
    """
    producer = AIOKafkaProducer(
        **connection_options(settings),
        client_id=settings.service_name,
        acks="all",
        enable_idempotence=False,
        request_timeout_ms=int(request_timeout * 1000),
        max_request_size=4 * 1024 * 1024,
    )
    try:
        await producer.start()
        yield Publisher(producer, timeout=request_timeout)
    finally:
        await producer.stop()
