"""Reading without a group: no record stops the reading of those behind it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chassis.kafka.broadcast_consumer import BroadcastConsumer
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, ReceivedMessage
from chassis.settings import ServiceSettings
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Envelope
from contracts.transport.topics import Topic

from tests.support.topics import recording
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_record_whose_handling_fails_is_parked_and_the_next_are_handled(
    settings: ServiceSettings, publisher: Publisher, new_topic: Callable[..., Awaitable[Topic]]
) -> None:
    topic = await new_topic(settings.service_name, partitions=1)
    handled: list[int | None] = []

    def handle(received: ReceivedMessage[Any]) -> None:
        reply: Reply = received.body
        if reply.version == 1:
            raise KeyError("something that the handler did not expect")
        handled.append(reply.version)

    tail = BroadcastConsumer(settings, publisher, topic=topic, handle=handle)
    dead_letters = topic.dead_letters(settings.service_name).name
    async with recording(settings.kafka_bootstrap_servers, dead_letters) as log, tail.running():
        for version in (1, 2):
            envelope = Envelope(type="gateway.command.replied.v1", source="test", subject="M1", tenant="T1")
            value = Reply(outcome=Outcome.OK, version=version).model_dump_json().encode()
            await publisher.publish(OutgoingRecord(topic.name, b"key", value, envelope.to_headers()))

        async def second() -> bool:
            return handled == [2]

        await until(second, what="the second record is handled")
        parked = await log.first(lambda _: True, what="the first record is parked")
        assert b'"version":1' in (parked.value or b"")
        assert tail.problem() is None
