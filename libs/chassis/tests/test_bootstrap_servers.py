"""A list of brokers of which one is away, in either order: everything that talks to Kafka takes the other."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.kafka.broadcast_consumer import BroadcastConsumer
from chassis.kafka.consumer import Batch, Consumer
from chassis.kafka.publisher import open_publisher
from chassis.kafka.records import ReceivedMessage, encode, envelope_for
from chassis.provision import ProvisioningSettings, provision
from chassis.settings import ServiceSettings
from contracts.messages.meeting_commands import AnswerInvitation
from contracts.transport.envelope import Message
from contracts.transport.topics import MEETING_COMMANDS, Topic
from contracts.values.enums import RsvpStatus
from contracts.values.ids import uuid7_hex

from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
def dead_server() -> Iterator[str]:
    """An address at which nobody listens: bound, so that it stays free for the length of the test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(params=["{dead},{live}", "{live},{dead}", "{dead}, {live}"])
def several(request: pytest.FixtureRequest, settings: ServiceSettings, dead_server: str) -> ServiceSettings:
    servers = request.param.format(dead=dead_server, live=settings.kafka_bootstrap_servers)
    return settings.model_copy(update={"kafka_bootstrap_servers": servers})


async def test_a_service_reads_and_writes(several: ServiceSettings, new_topic: Callable[..., Awaitable[Topic]]) -> None:
    group = f"group-{uuid7_hex()}"
    topic = await new_topic(group)
    consumed: list[str] = []
    tailed: list[str] = []

    async def process(batch: Batch) -> None:
        consumed.extend(received.body.meeting_uuid for received in batch)

    def handle(received: ReceivedMessage[Any]) -> None:
        tailed.append(received.body.meeting_uuid)

    async with (
        open_publisher(several) as publisher,
        BroadcastConsumer(several, publisher, topic=topic, handle=handle).running(),
        Consumer(several, publisher, group=group, topics=[topic], handler=process).running(),
    ):
        body = AnswerInvitation(
            command_id="c", fingerprint="", meeting_uuid="M1", participant_uuid="MP1", status=RsvpStatus.ACCEPTED
        )
        envelope = envelope_for(body, source="test", subject="M1")
        await publisher.publish(encode(Message(envelope, body), "M1")._replace(topic=topic.name))

        async def both() -> bool:
            return (consumed, tailed) == (["M1"], ["M1"])

        await until(both, what="the record is read by the group and by the tail")


async def test_topics_are_provisioned(several: ServiceSettings) -> None:
    await provision(ProvisioningSettings(kafka_bootstrap_servers=several.kafka_bootstrap_servers))
    admin = AIOKafkaAdminClient(bootstrap_servers=several.bootstrap_servers)
    try:
        await admin.start()
        assert MEETING_COMMANDS.name in await admin.list_topics()
    finally:
        await admin.close()
