"""Creates the topics of the contracts, and checks or grows those that exist: ``python -m chassis.provision``."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from contracts.transport.topics import DEFAULT_PARTITIONS, TOPICS, Topic, all_topics
from pydantic import Field, model_validator

from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings
from chassis.telemetry.logs import configure_logging

log = structlog.get_logger()


class ProvisioningSettings(KafkaSettings):
    """How topics are created, and what is asked of those that exist."""

    kafka_replication_factor: int = Field(default=1, ge=1, description="how many brokers keep each partition")
    kafka_min_insync_replicas: int | None = Field(
        default=None,
        ge=1,
        description="how many of them must have a record before it counts as written; unset: 2 of 3 or more, else 1",
    )
    kafka_partitions: int = Field(
        default=DEFAULT_PARTITIONS,
        ge=1,
        description="of topics that are read in parallel: so many replicas of a consumer work at once",
    )
    kafka_topic_partitions: dict[str, int] = Field(
        default={}, description='of single topics, as JSON: `{"meetings.events": 24}`'
    )
    kafka_grow_partitions: bool = Field(
        default=False,
        description="whether topics that exist get more partitions; keys then move (docs/how-to/deploy.md)",
    )

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> Self:
        if self.min_insync_replicas > self.kafka_replication_factor:
            raise ValueError(
                f"KAFKA_MIN_INSYNC_REPLICAS={self.min_insync_replicas} is more than KAFKA_REPLICATION_FACTOR="
                f"{self.kafka_replication_factor}: nothing could be written"
            )
        for name, partitions in self.kafka_topic_partitions.items():
            if name not in {topic.name for topic in TOPICS}:
                raise ValueError(f"KAFKA_TOPIC_PARTITIONS: there is no topic {name} whose partitions may be chosen")
            if partitions < 1:
                raise ValueError(f"KAFKA_TOPIC_PARTITIONS: {name} needs at least one partition")
        return self

    @property
    def min_insync_replicas(self) -> int:
        """What counts as written. With three replicas one may be lost, and writing goes on."""
        return self.kafka_min_insync_replicas or (2 if self.kafka_replication_factor > 2 else 1)

    def partitions_of(self, topic: Topic) -> int:
        """How many partitions a topic has in this installation."""
        default = self.kafka_partitions if topic.partitions == DEFAULT_PARTITIONS else topic.partitions
        return self.kafka_topic_partitions.get(topic.name, default)


async def provision(settings: ProvisioningSettings) -> bool:
    """Create what is missing; grow what is too small, if that is wanted.

    Returns:
        whether all topics are as the settings want them; if not, the log says what differs.

    Raises:
        aiokafka.errors.KafkaError: a topic could not be created or grown.
    """
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        existing = await partition_counts(admin)
        brokers = len((await admin.describe_cluster())["brokers"])
        if brokers < settings.kafka_replication_factor:
            wanted = settings.kafka_replication_factor
            log.error("KAFKA_REPLICATION_FACTOR is more than there are brokers", wanted=wanted, brokers=brokers)
            return False
        missing = [topic for topic in all_topics() if topic.name not in existing]
        await create_topics(admin, missing, settings)
        log.info("topics provisioned", created=len(missing), existing=len(existing))
        small = dict(_too_small(settings, existing))
        if small and settings.kafka_grow_partitions:
            await admin.create_partitions({name: NewPartitions(wanted) for name, wanted in small.items()})
            log.info("topics grown", **small)
        return not small or settings.kafka_grow_partitions
    finally:
        await admin.close()


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """How many partitions each topic has on the broker."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def create_topics(admin: AIOKafkaAdminClient, topics: Sequence[Topic], settings: ProvisioningSettings) -> None:
    """Create topics; one that exists already, made by another job just now, is fine.

    Raises:
        aiokafka.errors.KafkaError: a topic could not be created.
    """
    answer = await admin.create_topics([_new(topic, settings) for topic in topics])
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)


def _new(topic: Topic, settings: ProvisioningSettings) -> NewTopic:
    kept = (
        {"cleanup.policy": "compact"}
        if topic.retention is None
        else {"cleanup.policy": "delete", "retention.ms": str(int(topic.retention.total_seconds() * 1000))}
    )
    return NewTopic(
        topic.name,
        settings.partitions_of(topic),
        settings.kafka_replication_factor,
        topic_configs=kept | {"min.insync.replicas": str(settings.min_insync_replicas)},
    )


def _too_small(settings: ProvisioningSettings, existing: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Existing topics with fewer partitions than are wanted, and the number that is."""
    for topic in all_topics():
        found, wanted = existing.get(topic.name), settings.partitions_of(topic)
        if found is None or found == wanted:
            continue
        if found > wanted:
            log.warning("a topic has more partitions than wanted; they stay", topic=topic.name, found=found)
            continue
        yield topic.name, wanted
        if not settings.kafka_grow_partitions:
            log.error(
                "a topic has fewer partitions than wanted; KAFKA_GROW_PARTITIONS=true adds them",
                topic=topic.name,
                found=found,
                wanted=wanted,
            )


def main() -> None:
    configure_logging("provision", "INFO")
    if not asyncio.run(provision(ProvisioningSettings())):
        sys.exit(1)


if __name__ == "__main__":
    main()
