"""Creates the topics of the contracts: ``python -m chassis.provision``. Topics that exist are left as they are."""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from contracts.transport.topics import Topic, all_topics

from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings
from chassis.telemetry.logs import configure_logging

log = structlog.get_logger()


class ProvisioningSettings(KafkaSettings):
    """Where the topics are created, and how many brokers keep each partition."""

    kafka_replication_factor: int = 1


async def provision(settings: ProvisioningSettings) -> None:
    """Create what is missing.

    Raises:
        aiokafka.errors.KafkaError: a topic could not be created.
    """
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in all_topics() if topic.name not in existing]
        await create_topics(admin, missing, replication_factor=settings.kafka_replication_factor)
        log.info("topics provisioned", created=len(missing), existing=len(existing))
    finally:
        await admin.close()


async def create_topics(admin: AIOKafkaAdminClient, topics: Sequence[Topic], *, replication_factor: int) -> None:
    """Create topics; one that exists already, made by another job just now, is fine.

    Raises:
        aiokafka.errors.KafkaError: a topic could not be created.
    """
    answer = await admin.create_topics([_new(topic, replication_factor) for topic in topics])
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)


def _new(topic: Topic, replication_factor: int) -> NewTopic:
    kept = (
        {"cleanup.policy": "compact"}
        if topic.retention is None
        else {"cleanup.policy": "delete", "retention.ms": str(int(topic.retention.total_seconds() * 1000))}
    )
    return NewTopic(topic.name, topic.partitions, replication_factor, topic_configs=kept)


def main() -> None:
    configure_logging("provision", "INFO")
    asyncio.run(provision(ProvisioningSettings()))


if __name__ == "__main__":
    main()
