"""The one consumer stack: every service reads its topics through it, in batches, at least once, in order per key.

- A record that cannot be decoded, or that still fails after being tried alone a few times, goes to the dead-letter
  topic of its topic and group; the partition moves on. A command's caller gets an error reply.
- During an outage nothing is dead-lettered: the batch is read again after a pause, since every record would fail.
- Offsets are committed after the effects. Handlers are idempotent, so a repeat changes nothing.

FastStream's own policies are all wrong for this (its default acknowledges first and loses records, the others commit
failures silently or redeliver without pause), so acknowledgement is manual here and nowhere else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.model import Contract
from contracts.transport.envelope import Envelope, Message
from contracts.transport.topics import GATEWAY_REPLIES, Topic, retry_topic
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage

from chassis.backoff import backoff
from chassis.kafka.connection import faststream_options
from chassis.kafka.dead_letters import DeadLetters
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import ReceivedMessage, Record, UnknownTypeError, decode, encode, envelope_for
from chassis.outages import is_outage
from chassis.settings import ServiceSettings
from chassis.tasks import cancel_and_wait
from chassis.telemetry import metrics
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import batch_span, span

log = structlog.get_logger()

Batch = Sequence[ReceivedMessage[Any]]
BatchHandler = Callable[[Batch], Awaitable[None]]
_TRIES_ALONE = 4
_LAG_INTERVAL = 5.0
_METADATA_MAX_AGE_MS = 30_000
"""After which partitions that a topic has gained are read; the client's default is five minutes."""


class Consumer:
    """Reads topics as one consumer group and hands decoded batches to ``handler``.

    ``handler`` is called with one batch at a time, in order within each partition. It must be idempotent: after a
    failure it sees the same messages again, one by one.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        publisher: Publisher,
        *,
        group: str,
        topics: Sequence[Topic],
        handler: BatchHandler,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._group = group
        self._topics = [*topics, retry_topic(group)]
        self._handler = handler
        self._dead_letters = DeadLetters(publisher, group, self._topics)
        self._failures_in_a_row = 0
        self._stalled_since: float | None = None
        self._in_hand: dict[TopicPartition, int] = {}
        self._handled_before: dict[TopicPartition, int] = {}
        self._broker = KafkaBroker(
            **faststream_options(settings),
            client_id=settings.service_name,
            graceful_timeout=settings.drain_timeout / 2,
            allow_auto_create_topics=False,
            consumer_only=True,
            metadata_max_age_ms=_METADATA_MAX_AGE_MS,
            apply_types=False,
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            *(topic.name for topic in self._topics),
            batch=True,
            group_id=group,
            group_instance_id=settings.kafka_group_instance_id,
            session_timeout_ms=settings.kafka_session_timeout_ms,
            heartbeat_interval_ms=settings.kafka_session_timeout_ms // 4,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=settings.kafka_fetch_max_wait_ms,
            max_records=500,
            parser=self._keep_raw,
            decoder=_decode_later,
        )
        self._subscriber(self._on_batch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Consumer"]:
        """Consume until left; then the batch in hand is finished and committed."""
        await self._broker.start()
        watching = asyncio.create_task(self._watch_lag())
        try:
            yield self
        finally:
            await cancel_and_wait(watching)
            await self._broker.stop()

    def problem(self) -> str | None:
        """A reason to restart this process: records wait and none has been handled for too long."""
        if self._stalled_since is None:
            return None
        stalled = time.monotonic() - self._stalled_since
        return f"no progress for {stalled:.0f} s" if stalled > self._settings.stall_timeout else None

    async def _keep_raw(self, records: tuple[Record, ...]) -> KafkaMessage:
        """Parse nothing yet: FastStream's parser decodes all headers, and one bad header would fail the whole batch."""
        return KafkaAckableMessage(raw_message=records, body=b"", consumer=self._subscriber.consumer)

    async def _on_batch(self, message: KafkaMessage) -> None:
        records: tuple[Record, ...] = message.raw_message
        for record in records:
            self._in_hand.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        metrics.BATCH_RECORDS.labels(self._group).observe(len(records))
        try:
            with metrics.BATCH_SECONDS.labels(self._group).time():
                await self._handle(await self._decode(records))
        except Exception as error:
            if not is_outage(error):
                log.exception("batch failed", group=self._group)
            await self._rewind_and_back_off(message, error)
        else:
            self._failures_in_a_row = 0
            await _commit(message)
        finally:
            self._stalled_since = None
            self._in_hand.clear()

    async def _rewind_and_back_off(self, message: KafkaMessage, error: Exception) -> None:
        """Rewind to the start of the batch and wait; polling goes on, so the group keeps its member."""
        self._failures_in_a_row += 1
        pause = backoff(self._failures_in_a_row, initial=0.2, maximum=5)
        metrics.OUTAGES.labels(self._group).inc()
        log.warning("waiting for a dependency", group=self._group, error=type(error).__name__, fold=True)
        await message.nack()
        await asyncio.sleep(pause)

    async def _decode(self, records: Sequence[Record]) -> list[ReceivedMessage[Contract]]:
        batch: list[ReceivedMessage[Contract]] = []
        for record in records:
            try:
                batch.append(decode(record))
            except UnknownTypeError as unknown:
                if _wants_reply(record):
                    await self._dead_letter(record, unknown)
                else:  # an event of a newer producer, which we may ignore
                    self._count(record, "ignored")
            except ValueError as unreadable:
                await self._dead_letter(record, unreadable)
        return batch

    async def _handle(self, batch: Batch) -> None:
        """All together; if that fails for a reason of its own, one by one, so that no message fails its neighbours."""
        if not batch:
            return
        try:
            await self._handle_traced(batch)
        except Exception as error:
            if is_outage(error):
                raise
            log.warning("handling a batch one by one", group=self._group, error=type(error).__name__, size=len(batch))
            for received in batch:
                await self._handle_alone(received)
        else:
            for received in batch:
                self._count(received.record, "handled")

    async def _handle_alone(self, received: ReceivedMessage[Contract]) -> None:
        for attempt in range(1, _TRIES_ALONE + 1):
            try:
                await self._handle_traced([received])
            except Exception as error:
                if is_outage(error):
                    raise
                if attempt == _TRIES_ALONE:
                    await self._dead_letter(received.record, error)
                    return
                await asyncio.sleep(backoff(attempt, initial=0.05, maximum=1))
            else:
                self._count(received.record, "handled")
                return

    async def _handle_traced(self, batch: Batch) -> None:
        with batch_span(f"process {self._group}", [received.envelope.traceparent for received in batch]):
            await self._handler(batch)

    async def _dead_letter(self, record: Record, error: Exception) -> None:
        await self._dead_letters.add(record, error)
        self._count(record, "dead-lettered")
        if _wants_reply(record):
            await self._reply_failed(Envelope.from_headers(record.headers), error)

    async def _reply_failed(self, command: Envelope, error: Exception) -> None:
        code = ErrorCode.MALFORMED_REQUEST if isinstance(error, ValueError) else ErrorCode.INTERNAL_ERROR
        reply = Reply(outcome=Outcome.FAILED, error=ReplyError.of(ApiError(code)))
        with use_context(Context.of(command)):
            envelope = envelope_for(reply, source=self._group, subject=command.subject)
        await self._publisher.publish(encode(Message(envelope, reply), key=command.id))

    def _count(self, record: Record, outcome: str) -> None:
        metrics.MESSAGES.labels(record.topic, self._group, outcome).inc()

    async def _watch_lag(self) -> None:
        while True:
            await asyncio.sleep(_LAG_INTERVAL)
            try:
                await self._measure_lag()
            except KafkaError as error:
                log.warning("lag unknown", group=self._group, error=type(error).__name__, fold=True)

    async def _measure_lag(self) -> None:
        """Compare positions with the partitions' ends, asked from the broker: a dead consumer's own view is stale."""
        consumer = self._subscriber.consumer
        assigned = () if consumer is None else consumer.assignment()
        if consumer is None or not assigned:  # another member has them all, and their lag
            for topic in self._topics:
                metrics.CONSUMER_LAG.labels(topic.name, self._group).set(0)
            self._stalled_since, self._handled_before = None, {}
            return
        ends = await consumer.end_offsets(list(assigned))
        handled = {
            partition: self._in_hand.get(partition, await consumer.position(partition)) for partition in assigned
        }
        for topic in self._topics:
            waiting = (max(0, end - handled[at]) for at, end in ends.items() if at.topic == topic.name)
            metrics.CONSUMER_LAG.labels(topic.name, self._group).set(sum(waiting))
        stuck = any(handled[at] < end and self._handled_before.get(at) == handled[at] for at, end in ends.items())
        self._stalled_since = (self._stalled_since or time.monotonic()) if stuck else None
        self._handled_before = handled


@contextmanager
def handling(received: ReceivedMessage[Any]) -> Iterator[None]:
    """What follows is done because of this message."""
    with use_context(Context.of(received.envelope)), span(f"handle {received.envelope.type}"):
        yield


def _wants_reply(record: Record) -> bool:
    try:
        return Envelope.from_headers(record.headers).reply_to == GATEWAY_REPLIES.name
    except ValueError:
        return False


async def _commit(message: KafkaMessage) -> None:
    try:
        await message.ack()
    except CommitFailedError:
        log.info("the group was rebalanced; another member handles these records again")
    except KafkaError as error:
        log.warning("not committed; a restart would handle these records again", error=type(error).__name__)


async def _decode_later(message: KafkaMessage) -> KafkaMessage:
    return message
