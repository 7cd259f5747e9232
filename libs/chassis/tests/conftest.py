"""A bus of one's own: topics that no other test uses, on the real broker."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.provision import ProvisioningSettings, create_topics
from chassis.settings import ServiceSettings
from contracts.transport.topics import GATEWAY_REPLIES, Topic, retry_topic
from contracts.values.ids import uuid7_hex
from pydantic import SecretStr

NewTopic = Callable[..., Awaitable[Topic]]


@pytest.fixture(scope="session")
def settings(kafka_bootstrap: str) -> ServiceSettings:
    return ServiceSettings(
        service_name="test-service",
        http_port=0,
        internal_token=SecretStr("internal"),
        kafka_bootstrap_servers=kafka_bootstrap,
        kafka_fetch_max_wait_ms=10,
        kafka_session_timeout_ms=1_000,  # the embedded broker makes a joining member wait for half of it
        drain_timeout=10,
    )


@pytest.fixture(scope="session")
async def publisher(settings: ServiceSettings) -> AsyncIterator[Publisher]:
    async with open_publisher(settings) as running:
        yield running


@pytest.fixture(scope="session")
async def new_topic(settings: ServiceSettings) -> AsyncIterator[NewTopic]:
    """Makes a topic, with the retry and dead-letter topics of the group that reads it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()

    async def make(group: str, *, partitions: int = 2) -> Topic:
        topic = Topic(
            name=f"test.{uuid7_hex()}", purpose="a test", key="any", writer=(), readers=(group,), partitions=partitions
        )
        again = retry_topic(group)
        await create_topics(
            admin, [topic, topic.dead_letters(group), again, again.dead_letters(group)], ProvisioningSettings()
        )
        return topic

    yield make
    await admin.close()


@pytest.fixture(scope="session")
async def reply_topic(settings: ServiceSettings) -> Topic:
    """The topic of replies, which is the same for all."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        await create_topics(
            admin, [GATEWAY_REPLIES, GATEWAY_REPLIES.dead_letters(settings.service_name)], ProvisioningSettings()
        )
    finally:
        await admin.close()
    return GATEWAY_REPLIES
