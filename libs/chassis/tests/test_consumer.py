"""The consumer stack against a real broker: nothing is lost, nothing blocks, everything is handled in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chassis.kafka.consumer import Batch, BatchHandler, Consumer
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from chassis.settings import ServiceSettings
from contracts.messages.meeting_commands import AnswerInvitation
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Message
from contracts.transport.topics import GATEWAY_REPLIES, Topic, retry_topic
from contracts.values.enums import RsvpStatus
from contracts.values.ids import uuid7_hex
from pymongo.errors import AutoReconnect

from tests.support.waiting import until

pytestmark = pytest.mark.integration

NewTopic = Callable[..., Awaitable[Topic]]


class Handled:
    """Notes what a consumer handled, and fails as told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failing: dict[str, list[Exception]] = {}

    async def __call__(self, batch: Batch) -> None:
        for received in batch:
            if errors := self.failing.get(received.body.meeting_uuid):
                raise errors.pop()
        self.batches.append([received.body.meeting_uuid for received in batch])

    @property
    def all(self) -> list[str]:
        return [one for batch in self.batches for one in batch]

    async def until(self, *expected: str, within: float = 20) -> None:
        async def there() -> bool:
            return set(expected) <= set(self.all)

        await until(there, what=f"{expected} handled", within=within)


class Bus:
    """One topic with one group, and what a test does with them."""

    def __init__(self, settings: ServiceSettings, publisher: Publisher, topic: Topic, group: str) -> None:
        self.settings, self.publisher, self.topic, self.group = settings, publisher, topic, group

    @asynccontextmanager
    async def consuming(self, process: BatchHandler, topics: list[Topic] | None = None) -> AsyncIterator[Consumer]:
        consumer = Consumer(
            self.settings, self.publisher, group=self.group, topics=topics or [self.topic], handler=process
        )
        async with consumer.running():
            yield consumer

    async def say(self, name: str, *, key: str = "k", reply: bool = False) -> OutgoingRecord:
        body = AnswerInvitation(
            command_id=name, fingerprint="", meeting_uuid=name, participant_uuid="MP1", status=RsvpStatus.ACCEPTED
        )
        reply_to = GATEWAY_REPLIES.name if reply else None
        envelope = envelope_for(body, source="test", subject=name, reply_to=reply_to)
        sound = encode(Message(envelope, body), key)._replace(topic=self.topic.name)
        await self.publisher.publish(sound)
        return sound

    async def read_all(self, topic: str) -> list[tuple[bytes | None, dict[str, bytes]]]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=10
        )
        async with consumer:
            partitions = [TopicPartition(topic, 0)]
            consumer.assign(partitions)
            end = (await consumer.end_offsets(partitions))[partitions[0]]
            found = []
            while await consumer.position(partitions[0]) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(record.value, dict(record.headers)) for record in records]
            return found

    async def parked(self, count: int) -> list[tuple[bytes | None, dict[str, bytes]]]:
        async def there() -> list[tuple[bytes | None, dict[str, bytes]]] | None:
            letters = await self.read_all(self.topic.dead_letters(self.group).name)
            return letters if len(letters) >= count else None

        return await until(there, what=f"{count} dead letters")


@pytest.fixture
async def bus(settings: ServiceSettings, publisher: Publisher, new_topic: NewTopic) -> Bus:
    group = f"group-{uuid7_hex()}"
    return Bus(settings, publisher, await new_topic(group), group)


async def test_what_was_published_before_the_first_start_is_handled(bus: Bus) -> None:
    await bus.say("early")
    handled = Handled()
    async with bus.consuming(handled):
        await handled.until("early")


async def test_records_of_one_key_stay_in_order_through_a_failure_among_them(bus: Bus) -> None:
    handled = Handled()
    handled.failing["3"] = [RuntimeError("in the batch"), RuntimeError("alone"), RuntimeError("alone again")]
    async with bus.consuming(handled):
        for number in range(6):
            await bus.say(str(number))
        await handled.until("5")
    assert list(dict.fromkeys(handled.all)) == [str(number) for number in range(6)]


async def test_a_failing_record_is_tried_alone_then_parked_alone(bus: Bus) -> None:
    handled = Handled()
    handled.failing["bad"] = [ZeroDivisionError("a bug with jane.roe@example.com")] * 100
    for name in ("good-1", "bad", "good-2"):
        await bus.say(name)
    async with bus.consuming(handled):
        await handled.until("good-1", "good-2")
        [(value, headers)] = await bus.parked(1)
    assert b'"bad"' in (value or b"")
    assert headers["dlt-topic"] == bus.topic.name.encode()
    assert headers["dlt-error"] == "ZeroDivisionError: a bug with …".encode()
    assert headers["ce_type"] == b"meetings.invitation.answer.v1"
    assert "bad" not in handled.all


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (b"\xff\xfe", None),
        (b'{"commandId"', None),
        (b"{}", None),
        (b"{}", ("ce_id", b"\xff")),
        (b"{}", ("ce_time", b"yesterday")),
    ],
    ids=["invalid UTF-8", "truncated JSON", "wrong schema", "undecodable header", "unreadable header"],
)
async def test_what_cannot_be_decoded_is_parked_as_it_came(
    bus: Bus, value: bytes, header: tuple[str, bytes] | None
) -> None:
    sound = await bus.say("before")
    headers = [one for one in sound.headers if header is None or one[0] != header[0]] + ([header] if header else [])
    await bus.publisher.publish(sound._replace(value=value, headers=headers))
    await bus.say("after")
    handled = Handled()
    async with bus.consuming(handled):
        await handled.until("before", "after")
        [(parked, origin)] = await bus.parked(1)
    assert parked == value
    assert origin["dlt-group"] == bus.group.encode()


@pytest.mark.usefixtures("reply_topic")
async def test_events_of_an_unknown_type_are_ignored_but_commands_are_parked(bus: Bus) -> None:
    sound = await bus.say("known", reply=True)
    newer = [("ce_type", b"meetings.meeting.postponed.v1") if one[0] == "ce_type" else one for one in sound.headers]
    await bus.publisher.publish(sound._replace(headers=[one for one in newer if one[0] != "ce_replyto"]))
    await bus.publisher.publish(sound._replace(headers=newer))
    handled = Handled()
    async with bus.consuming(handled):
        await handled.until("known")
        [(_, headers)] = await bus.parked(1)
    assert headers["dlt-error"].startswith(b"UnknownTypeError")


async def test_the_caller_of_a_parked_command_gets_an_error_reply(bus: Bus, replies: "Replies") -> None:
    handled = Handled()
    handled.failing["bad"] = [ZeroDivisionError("a bug")] * 100
    async with bus.consuming(handled):
        sent = await bus.say("bad", reply=True)
        reply = await replies.to(dict(sent.headers)["ce_id"])
    assert reply.outcome is Outcome.FAILED
    assert reply.error is not None
    assert reply.error.code == "BE0500"
    assert "bug" not in reply.model_dump_json()


async def test_nothing_is_parked_while_a_dependency_is_away(bus: Bus) -> None:
    handled = Handled()
    handled.failing["1"] = [AutoReconnect("away")] * 7
    async with bus.consuming(handled) as consumer:
        for number in range(3):
            await bus.say(str(number))

        await handled.until("0", "1", "2", within=40)
        assert consumer.problem() is None
    assert await bus.read_all(bus.topic.dead_letters(bus.group).name) == []


async def test_a_restart_goes_on_after_the_last_committed_batch(bus: Bus) -> None:
    first, second = Handled(), Handled()
    async with bus.consuming(first):
        await bus.say("one")
        await first.until("one")
    await bus.say("two")
    async with bus.consuming(second):
        await second.until("two")
    assert "one" not in second.all


async def test_a_batch_in_hand_is_finished_and_committed_at_shutdown(bus: Bus) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def slow(batch: Batch) -> None:
        begun.set()
        await go_on.wait()
        finished.extend(received.body.meeting_uuid for received in batch)

    await bus.say("slow")
    async with bus.consuming(slow):
        await asyncio.wait_for(begun.wait(), 15)
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    assert finished == ["slow"]
    again = Handled()
    await bus.say("next")
    async with bus.consuming(again):
        await again.until("next")
    assert again.all == ["next"]


async def test_a_dead_letter_put_on_the_retry_topic_is_handled_by_its_group_again(bus: Bus) -> None:
    handled = Handled()
    handled.failing["bad"] = [ZeroDivisionError("a bug")] * 100
    async with bus.consuming(handled):
        sent = await bus.say("bad")
        [(value, headers)] = await bus.parked(1)
        again = OutgoingRecord(retry_topic(bus.group).name, sent.key, value or b"", list(headers.items()))
        await bus.publisher.publish(again)
        assert len(await bus.parked(2)) == 2  # still failing: back where it came from
        del handled.failing["bad"]
        await bus.publisher.publish(again)
        await handled.until("bad")


async def test_a_consumer_that_makes_no_progress_has_a_problem(
    bus: Bus, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.kafka.consumer._LAG_INTERVAL", 0.1)
    bus.settings = settings.model_copy(update={"stall_timeout": 0.5, "drain_timeout": 1})
    stuck = asyncio.Event()

    async def hang(_batch: Batch) -> None:
        await stuck.wait()

    async with bus.consuming(hang) as consumer:
        await bus.say("never")

        async def dead() -> bool:
            return consumer.problem() is not None

        await until(dead, what="a consumer that hangs is not alive")
        stuck.set()

        async def alive() -> bool:
            return consumer.problem() is None

        await until(alive, what="a consumer that goes on is alive")


class Replies:
    """What arrives on the reply topic."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def to(self, command: bytes) -> Reply:
        async with asyncio.timeout(15):
            async for record in self._consumer:
                if dict(record.headers).get("ce_causationid") == command:
                    return Reply.model_validate_json(record.value)
        raise AssertionError("no reply")


@pytest.fixture
async def replies(settings: ServiceSettings, reply_topic: Topic) -> AsyncIterator[Replies]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=10
    )
    async with consumer:
        consumer.assign([TopicPartition(reply_topic.name, number) for number in range(reply_topic.partitions)])
        yield Replies(consumer)
