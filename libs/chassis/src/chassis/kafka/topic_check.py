"""Whether the broker is there, and has the topics of a service."""

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from contracts.transport.topics import all_topics

from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings

_TIMEOUT = 10.0


class TopicsMissingError(KafkaError):  # type: ignore[misc]  # aiokafka's errors are untyped
    """Topics are not there yet, or not visible to this user: it passes when they are made, or its ACLs are."""

    retriable = True


async def check_topics(settings: KafkaSettings, service: str) -> None:
    """Ask the broker for the topics that ``service`` writes and reads.

    Raises:
        TopicsMissingError: some are missing.
        aiokafka.errors.KafkaError: the broker is away, or refuses.
        TimeoutError: it does not answer.
    """
    needed = {topic.name for topic in all_topics() if service in (*topic.writer, *topic.readers)}
    if not needed:
        return
    client = AIOKafkaClient(**connection_options(settings))
    try:
        async with asyncio.timeout(_TIMEOUT):
            await client.bootstrap()
            missing = needed - (await client.fetch_all_metadata()).topics()
    finally:
        await client.close()
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise TopicsMissingError(f"the topics {min(missing)}{others} are missing: has provisioning run?")
