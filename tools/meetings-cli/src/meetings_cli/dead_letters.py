"""Dead letters: reading them, having them handled again, and putting them away.

A dead letter is replayed onto the retry topic of the group that could not handle it: no other group sees it again.
Replaying twice is harmless, because handlers are idempotent. Kafka deletes only the oldest part of a log, never one
record, so what was done about a letter is written behind it into the same topic, as a mark: a record without content
whose headers say which offset it marks, how and when. Letters and their marks go when the topic's retention ends.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError
from chassis.kafka.connection import connection_options
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.kafka.records import OutgoingRecord, Record
from contracts.transport.envelope import Headers
from contracts.transport.topics import RETRY_TOPICS, dead_letter_topics, retry_topic
from contracts.values.times import format_instant, utc_now

from meetings_cli.settings import Settings

TOPICS = tuple(topic.name for topic in dead_letter_topics())
_PARTITION = 0  # a dead-letter topic has one partition
_REPLAYABLE = frozenset(topic.name for topic in RETRY_TOPICS)
_MARK, _MARKED = "dlt-mark", "dlt-marked-offset"
_READ_TIMEOUT = 10.0


class State(StrEnum):
    """What was done about a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter without its content, which may be large and personal."""

    topic: str
    offset: int
    headers: Headers
    state: State = State.OPEN
    done_at: str = ""
    """When it was replayed or discarded."""

    def header(self, name: str) -> str:
        return next((value.decode(errors="replace") for key, value in self.headers if key == name), "")

    @property
    def origin(self) -> str:
        """Where the record was read, as ``topic[partition]@offset``."""
        return f"{self.header('dlt-topic')}[{self.header('dlt-partition')}]@{self.header('dlt-offset')}"

    @property
    def kind(self) -> str:
        """The message type, as far as it could be read."""
        return self.header("ce_type") or "unreadable"

    @property
    def retry_topic(self) -> str | None:
        """Where it goes to be handled again; None when its reader takes nothing back: the outcome is past."""
        name = retry_topic(self.header("dlt-group")).name
        return name if name in _REPLAYABLE else None


class DeadLetterBox:
    """All dead-letter topics of one broker."""

    def __init__(self, consumer: AIOKafkaConsumer, publisher: Publisher) -> None:
        self._consumer = consumer
        self._publisher = publisher

    async def letters(self, topic: str | None = None) -> list[DeadLetter]:
        """Every letter that is still kept and was not discarded, by topic and offset; of one topic, or of all.

        Raises:
            aiokafka.errors.KafkaError: they cannot be read.
        """
        existing = await self._consumer.topics()
        found = await self._all([name for name in (TOPICS if topic is None else [topic]) if name in existing])
        return [letter for letter in found if letter.state is not State.DISCARDED]

    async def records(self, letters: Sequence[DeadLetter]) -> AsyncIterator[tuple[DeadLetter, Record]]:
        """The dead letters, those of one topic in the order of their offsets."""
        wanted = {(letter.topic, letter.offset): letter for letter in letters}
        async for record in self._read({letter.topic for letter in letters}):
            letter = wanted.get((record.topic, record.offset))
            if letter is not None:
                yield letter, record

    async def replay(self, letters: Sequence[DeadLetter]) -> AsyncIterator[DeadLetter]:
        """Have their groups handle them again, each topic's in order; each is named once that is done.

        Those without a retry topic are passed over. When this is broken off, what was named is done, and the next one
        may be; repeating harms nothing.
        """
        replayable = [letter for letter in letters if letter.retry_topic is not None]
        async for letter, record in self.records(replayable):
            again = OutgoingRecord(letter.retry_topic or "", record.key or b"", record.value or b"", letter.headers)
            await self._publisher.publish(again)
            await self._publisher.publish(_mark(letter, State.REPLAYED))
            yield letter

    async def discard(self, letters: Sequence[DeadLetter]) -> AsyncIterator[DeadLetter]:
        """Put them away; each is named once that is done."""
        for letter in letters:
            await self._publisher.publish(_mark(letter, State.DISCARDED))
            yield letter

    async def _all(self, topics: Collection[str]) -> list[DeadLetter]:
        letters: dict[tuple[str, int], DeadLetter] = {}
        async for record in self._read(topics):
            found = DeadLetter(record.topic, record.offset, list(record.headers))
            marked = letters.get((found.topic, _number(found.header(_MARKED))))
            if not found.header(_MARK):
                letters[found.topic, found.offset] = found
            elif marked is not None:  # else its letter is gone already
                letters[marked.topic, marked.offset] = _marked(marked, found)
        return sorted(letters.values(), key=lambda letter: (letter.topic, letter.offset))

    async def _read(self, topics: Collection[str]) -> AsyncIterator[Record]:
        """All that is in these topics now."""
        partitions = [TopicPartition(topic, _PARTITION) for topic in topics]
        begins, ends = await self._consumer.beginning_offsets(partitions), await self._consumer.end_offsets(partitions)
        left = [partition for partition in partitions if begins[partition] < ends[partition]]
        self._consumer.assign(left)
        for partition in left:
            self._consumer.seek(partition, begins[partition])
        while left:
            found = await self._consumer.getmany(timeout_ms=int(_READ_TIMEOUT * 1000))
            if not found:
                raise KafkaTimeoutError
            for records in found.values():
                for record in records:
                    yield record
            left = [partition for partition in left if await self._consumer.position(partition) < ends[partition]]


@asynccontextmanager
async def open_dead_letter_box(settings: Settings) -> AsyncIterator[DeadLetterBox]:
    """The box of the broker in ``settings``. Raises KafkaError or TimeoutError when that cannot be reached."""
    consumer = AIOKafkaConsumer(
        **connection_options(settings),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        request_timeout_ms=int(_READ_TIMEOUT * 1000),
    )
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            await consumer.start()
        async with open_publisher(settings) as publisher:
            yield DeadLetterBox(consumer, publisher)
    finally:
        await consumer.stop()


def chosen(letters: Sequence[DeadLetter], offsets: Collection[int]) -> list[DeadLetter]:
    """Those of one topic's letters at these offsets.

    Raises:
        LookupError: there is none at one of them.
    """
    there = {letter.offset: letter for letter in letters}
    missing = [offset for offset in offsets if offset not in there]
    if missing:
        raise LookupError(f"no dead letter at {', '.join(map(str, missing))}")
    return [there[offset] for offset in sorted(offsets)]


def _mark(letter: DeadLetter, state: State) -> OutgoingRecord:
    headers = {_MARK: state.value, _MARKED: str(letter.offset), "dlt-at": format_instant(utc_now())}
    return OutgoingRecord(letter.topic, b"", b"", [(name, value.encode()) for name, value in headers.items()])


def _marked(letter: DeadLetter, mark: DeadLetter) -> DeadLetter:
    try:
        state = State(mark.header(_MARK))
    except ValueError:  # of a newer version than this
        return letter
    return DeadLetter(letter.topic, letter.offset, letter.headers, state, mark.header("dlt-at"))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
