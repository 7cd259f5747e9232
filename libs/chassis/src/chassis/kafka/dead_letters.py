"""Dead letters: records that could not be handled, as they came, with their origin and error."""

from collections.abc import Sequence

import structlog
from contracts.transport.topics import Topic
from contracts.values.times import format_instant, utc_now

from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, Record
from chassis.redaction import describe_error

log = structlog.get_logger()


class DeadLetters:
    """The dead letters of one consumer group."""

    def __init__(self, publisher: Publisher, group: str, topics: Sequence[Topic]) -> None:
        """``topics`` are what the group reads."""
        self._publisher = publisher
        self._group = group
        self._dead_letter_topics = {topic.name: topic.dead_letters(group).name for topic in topics}

    async def add(self, record: Record, error: Exception) -> None:
        """Publish a record to its dead-letter topic, with its raw bytes, headers, origin and error.

        A replayed record that fails again goes back to the dead letters of the topic it first came from.

        Raises:
            aiokafka.errors.KafkaError: it was not published, so the record must not be committed either.
        """
        replayed_from = dict(record.headers).get("dlt-topic", b"").decode(errors="replace")
        topic = replayed_from if replayed_from in self._dead_letter_topics else record.topic
        origin = {
            "dlt-topic": topic,
            "dlt-partition": str(record.partition),
            "dlt-offset": str(record.offset),
            "dlt-group": self._group,
            "dlt-error": describe_error(error),
            "dlt-at": format_instant(utc_now()),
        }
        kept = [(name, value) for name, value in record.headers if not name.startswith("dlt-")]
        await self._publisher.publish(
            OutgoingRecord(
                self._dead_letter_topics[topic],
                record.key or b"",
                record.value or b"",
                [*kept, *((name, value.encode()) for name, value in origin.items())],
            )
        )
        log.error("message dead-lettered", exc_info=error, **origin)
