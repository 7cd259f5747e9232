"""Request and reply against a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka.errors import KafkaTimeoutError
from chassis.kafka.command_client import BrokerUnavailableError, CommandClient
from chassis.kafka.publisher import Publisher, UnacknowledgedError
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from chassis.settings import ServiceSettings
from chassis.telemetry.context import Context, use_context
from contracts.messages.meeting_commands import AnswerInvitation
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Envelope, Message
from contracts.transport.topics import Topic
from contracts.values.enums import RsvpStatus

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("reply_topic")]

COMMAND = AnswerInvitation(
    command_id="c", fingerprint="", meeting_uuid="M1", participant_uuid="MP1", status=RsvpStatus.ACCEPTED
)


class Answering:
    """Stands in for the bus: takes commands off the publisher's hands and answers them on the real reply topic."""

    def __init__(self, publisher: Publisher, answers: list[Reply]) -> None:
        self._publisher, self._answers = publisher, answers

    async def publish(self, outgoing: OutgoingRecord) -> None:
        command = Envelope.from_headers(outgoing.headers)
        for reply in self._answers:
            with use_context(Context.of(command)):
                envelope = envelope_for(reply, source="test", subject="M1")
            await self._publisher.publish(encode(Message(envelope, reply), key=command.id))


class Refusing:
    async def publish(self, _outgoing: OutgoingRecord) -> None:
        raise KafkaTimeoutError


class Unsure:
    """The broker does not acknowledge in time; the reply comes all the same, or never."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def publish(self, outgoing: OutgoingRecord) -> None:
        await self._answering.publish(outgoing)
        raise UnacknowledgedError


@pytest.fixture
async def opened(settings: ServiceSettings) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def requests(
    stack: AsyncExitStack, settings: ServiceSettings, bus: object, *, deadline: float = 10, most: int = 100
) -> CommandClient:
    made = CommandClient(settings, bus, deadline=deadline, max_in_flight=most)  # type: ignore[arg-type]
    return await stack.enter_async_context(made.running())


async def test_the_reply_to_a_command_is_its_answer(
    opened: AsyncExitStack, settings: ServiceSettings, publisher: Publisher, reply_topic: Topic
) -> None:
    answering = Answering(publisher, [Reply(outcome=Outcome.OK, version=3, data={"a": 1})])
    asking = await requests(opened, settings, answering)
    replies = await asyncio.gather(*(asking.request(COMMAND, key="M1") for _ in range(50)))
    assert all(reply is not None and reply.version == 3 and reply.data == {"a": 1} for reply in replies)


async def test_repeated_and_foreign_replies_are_passed_over(
    opened: AsyncExitStack, settings: ServiceSettings, publisher: Publisher
) -> None:
    twice = [Reply(outcome=Outcome.OK, version=1), Reply(outcome=Outcome.OK, version=2)]
    other = await requests(opened, settings, Refusing())
    asking = await requests(opened, settings, Answering(publisher, twice))
    for _ in range(5):
        reply = await asking.request(COMMAND, key="M1")
        assert reply is not None
        assert reply.version == 1
    assert other.problem() is None


async def test_without_a_reply_in_time_the_outcome_is_unknown(
    opened: AsyncExitStack, settings: ServiceSettings, publisher: Publisher
) -> None:
    asking = await requests(opened, settings, Answering(publisher, []), deadline=0.2)
    assert await asking.request(COMMAND, key="M1") is None


async def test_a_command_that_the_bus_does_not_take_is_not_accepted(
    opened: AsyncExitStack, settings: ServiceSettings
) -> None:
    asking = await requests(opened, settings, Refusing())
    with pytest.raises(BrokerUnavailableError):
        await asking.request(COMMAND, key="M1")


async def test_a_command_without_an_acknowledgement_may_have_been_accepted(
    opened: AsyncExitStack, settings: ServiceSettings, publisher: Publisher
) -> None:
    silent = await requests(opened, settings, Unsure(Answering(publisher, [])), deadline=0.2)
    assert await silent.request(COMMAND, key="M1") is None
    answered = await requests(opened, settings, Unsure(Answering(publisher, [Reply(outcome=Outcome.OK, version=1)])))
    reply = await answered.request(COMMAND, key="M1")
    assert reply is not None
    assert reply.version == 1


async def test_more_than_the_allowed_number_in_flight_is_refused_at_once(
    opened: AsyncExitStack, settings: ServiceSettings, publisher: Publisher
) -> None:
    asking = await requests(opened, settings, Answering(publisher, []), deadline=2, most=2)
    waiting = [asyncio.create_task(asking.request(COMMAND, key="M1")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BrokerUnavailableError):
        await asking.request(COMMAND, key="M1")
    assert await asyncio.gather(*waiting) == [None, None]
