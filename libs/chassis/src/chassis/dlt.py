"""Dead letters for operators: ``python -m chassis.dlt list | show <topic> <offset> | replay <topic> <offset> …``.

A dead letter is replayed onto the retry topic of the group that parked it, so that no other group sees it again. The
letter itself stays until the topic's retention ends; replaying twice is harmless, because handlers are idempotent.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from contracts.topics import dead_letter_topics, retry_topic
from pydantic_settings import BaseSettings

from chassis.kafka.publisher import Publisher
from chassis.kafka.wire import Outgoing, Record

_PARTITION = 0  # a dead-letter topic has one partition


class OperatorSettings(BaseSettings):
    kafka_bootstrap_servers: str = "localhost:9092"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record, as an operator sees it."""

    topic: str
    record: Record

    def header(self, name: str) -> str:
        headers: dict[str, bytes] = dict(self.record.headers)
        return headers.get(name, b"").decode(errors="replace")

    @property
    def summary(self) -> str:
        """One line that says which record, when and why; no content, which may hold personal data."""
        origin = f"{self.header('dlt-topic')}[{self.header('dlt-partition')}]@{self.header('dlt-offset')}"
        what = self.header("ce_type") or "unreadable"
        return (
            f"{self.topic} {self.record.offset}  {self.header('dlt-at')}  {what}  {origin}  {self.header('dlt-error')}"
        )

    @property
    def whole(self) -> str:
        headers = (f"{name}: {value.decode(errors='replace')}" for name, value in self.record.headers)
        return "\n".join([*headers, "", (self.record.value or b"").decode(errors="backslashreplace")])

    @property
    def again(self) -> Outgoing:
        """The record that has the group handle it once more."""
        topic = retry_topic(self.header("dlt-group")).name
        return Outgoing(topic, self.record.key or b"", self.record.value or b"", list(self.record.headers))


class DeadLetterBox:
    """Reads all dead letters, and replays some."""

    def __init__(self, consumer: AIOKafkaConsumer, publisher: Publisher) -> None:
        self._consumer = consumer
        self._publisher = publisher

    async def all(self) -> list[DeadLetter]:
        """Every dead letter that is still kept, by topic and offset."""
        existing = await self._consumer.topics()
        partitions = [
            TopicPartition(topic.name, _PARTITION) for topic in dead_letter_topics() if topic.name in existing
        ]
        return [letter for partition in partitions for letter in await self._read(partition)]

    async def find(self, topic: str, offsets: Iterable[int]) -> list[DeadLetter]:
        """Those of one topic at these offsets.

        Raises:
            LookupError: there is none at one of them.
        """
        there = {letter.record.offset: letter for letter in await self._read(TopicPartition(topic, _PARTITION))}
        missing = [offset for offset in offsets if offset not in there]
        if missing:
            raise LookupError(f"{topic} has no dead letter at {', '.join(map(str, missing))}")
        return [there[offset] for offset in offsets]

    async def replay(self, letters: Iterable[DeadLetter]) -> None:
        """Have their groups handle them again, in order."""
        await self._publisher.publish_in_order(letter.again for letter in letters)

    async def _read(self, partition: TopicPartition) -> list[DeadLetter]:
        self._consumer.assign([partition])
        await self._consumer.seek_to_beginning(partition)
        end = (await self._consumer.end_offsets([partition]))[partition]
        letters: list[DeadLetter] = []
        while await self._consumer.position(partition) < end:
            for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                letters += [DeadLetter(partition.topic, record) for record in records]
        return letters


@asynccontextmanager
async def open_dead_letter_box(bootstrap: str) -> AsyncIterator[DeadLetterBox]:
    """A box on the broker at ``bootstrap``."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    async with consumer, producer:
        yield DeadLetterBox(consumer, Publisher(producer))


async def run(arguments: argparse.Namespace, bootstrap: str) -> list[str]:
    """Carry out one command; the lines to print."""
    async with open_dead_letter_box(bootstrap) as box:
        if arguments.command == "list":
            letters = await box.all()
            return [letter.summary for letter in letters] or ["no dead letters"]
        found = await box.find(arguments.topic, arguments.offsets)
        if arguments.command == "replay":
            await box.replay(found)
            return [f"replayed {letter.topic} {letter.record.offset} to {letter.again.topic}" for letter in found]
        return [letter.whole for letter in found]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m chassis.dlt", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="one line for each dead letter")
    for name, text in (("show", "headers and body: may hold personal data"), ("replay", "have them handled again")):
        command = commands.add_parser(name, help=text)
        command.add_argument("topic", help="a dead-letter topic, as `list` shows it")
        command.add_argument("offsets", nargs="+", type=int)
    return made


def main() -> None:
    arguments = parser().parse_args()
    try:
        lines = asyncio.run(run(arguments, OperatorSettings().kafka_bootstrap_servers))
    except LookupError as missing:
        sys.exit(str(missing))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
