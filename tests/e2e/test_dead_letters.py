"""Poison on every topic: it is parked as it came, the partition moves on, and a waiting caller is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from chassis.kafka.records import Record
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import CancelMeeting
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Envelope, Headers
from contracts.transport.topics import (
    API_GATEWAY,
    GATEWAY_REPLIES,
    MEETING_COMMANDS,
    MEETING_CORE,
    RETRY_TOPICS,
    TOPICS,
    WEBHOOK_INGEST,
    Topic,
)
from contracts.values.enums import UserType
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller
from tests.support.topics import TopicLog, producing, read_until, recording

pytestmark = pytest.mark.e2e

KNOWN = "gateway.command.replied.v1"  # a type that every service knows
WITHOUT_GROUP = (API_GATEWAY, WEBHOOK_INGEST)


def _new_key() -> bytes:
    return f"poison {uuid7_hex()}".encode()


@dataclass(frozen=True)
class Poison:
    """A record that no reader can handle, with a key of its own: other readers park it in their own time."""

    name: str
    value: bytes | None
    headers: Headers
    key: bytes = field(default_factory=_new_key)


def envelope(kind: str = KNOWN, *, reply_to: str | None = None) -> Envelope:
    correlation = uuid7_hex()
    return Envelope(type=kind, source="test", subject="M1", tenant="T1", correlation_id=correlation, reply_to=reply_to)


def poisons() -> Iterator[Poison]:
    sound = dict(envelope().to_headers())
    yield Poison("no headers", b"{}", [])
    for missing in ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_tenant"):
        yield Poison(f"no {missing}", b"{}", [(name, value) for name, value in sound.items() if name != missing])
    yield Poison("type that is no UTF-8", b"{}", [*(sound | {"ce_type": b"\xff\xfe"}).items()])
    yield Poison("time that is none", b"{}", [*(sound | {"ce_time": b"soon"}).items()])
    yield Poison("sequence that is none", b"{}", [*sound.items(), ("ce_sequence", b"first")])
    yield Poison("no JSON", b"{not JSON", [*sound.items()])
    yield Poison("no UTF-8", b'{"outcome": "\xff"}', [*sound.items()])
    yield Poison("cut off", b'{"outcome": "OK"', [*sound.items()])
    yield Poison("nested deeply", b"[" * 100_000, [*sound.items()])
    yield Poison("another schema", b'{"outcome": "PERHAPS", "version": "first"}', [*sound.items()])
    yield Poison("empty", b"", [*sound.items()])
    yield Poison("no value", None, [*sound.items()])


READERS = [(topic, reader) for topic in (*TOPICS, *RETRY_TOPICS) for reader in topic.readers]


async def send(producer: AIOKafkaProducer, topic: Topic, poison: Poison, partition: int = 0) -> int:
    """Publish it; its offset."""
    sent = await producer.send_and_wait(
        topic.name, poison.value, key=poison.key, headers=poison.headers, partition=partition
    )
    offset: int = sent.offset
    return offset


async def parked(log: TopicLog, poison: Poison) -> Record:
    return await log.first(lambda record: record.key == poison.key, what=f"{poison.name} is parked")


@pytest.mark.parametrize(("topic", "reader"), READERS, ids=lambda value: getattr(value, "name", value))
async def test_poison_is_parked_as_it_came_and_the_partition_moves_on(
    platform: Platform, topic: Topic, reader: str
) -> None:
    bootstrap, dead_letters = platform.addresses.kafka, topic.dead_letters(reader).name
    last = Poison("the last one", b"{", envelope().to_headers())
    async with recording(bootstrap, dead_letters) as log, producing(bootstrap) as producer:
        everything = [*poisons(), last]
        offsets = {poison.key: await send(producer, topic, poison) for poison in everything}
        for poison in everything:
            record = await parked(log, poison)
            assert (record.value or b"") == (poison.value or b""), poison.name
            headers = dict(record.headers)
            assert poison.headers == [(name, value) for name, value in record.headers if not name.startswith("dlt-")]
            assert headers["dlt-topic"] == topic.name.encode()
            assert headers["dlt-partition"] == b"0"
            assert headers["dlt-offset"] == str(offsets[poison.key]).encode()
            assert headers["dlt-group"] == reader.encode()
            assert headers["dlt-error"]
            assert headers["dlt-at"].endswith(b"Z")
    if reader not in WITHOUT_GROUP:
        await read_until(bootstrap, reader, TopicPartition(topic.name, 0), offsets[last.key])


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if topic.name.endswith(".commands")], ids=lambda topic: topic.name
)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(KNOWN, b"{not JSON", id="no JSON"),
        pytest.param(KNOWN, b'{"outcome": "PERHAPS"}', id="another schema"),
        pytest.param("meetings.meeting.explode.v1", b"{}", id="a command that nobody knows"),
    ],
)
async def test_the_caller_of_a_command_that_cannot_be_read_is_told(
    platform: Platform, topic: Topic, kind: str, value: bytes
) -> None:
    bootstrap, (reader,) = platform.addresses.kafka, topic.readers
    command = envelope(kind, reply_to=GATEWAY_REPLIES.name)
    poison = Poison("command", value, command.to_headers())
    async with (
        recording(bootstrap, topic.dead_letters(reader).name, GATEWAY_REPLIES.name) as log,
        producing(bootstrap) as producer,
    ):
        await send(producer, topic, poison)
        await parked(log, poison)
        envelope_of_reply, reply = await reply_to(log, command)
    assert reply.outcome is Outcome.FAILED
    assert reply.error is not None
    assert (reply.error.code, reply.data) == ("BE0202", None)
    assert envelope_of_reply.correlation_id == command.correlation_id


async def test_a_command_whose_handling_fails_is_parked_and_its_neighbours_are_carried_out(
    platform: Platform, valentina: Caller
) -> None:
    """A reply among the commands: readable, but meeting-core has no idea what to do with it."""
    bootstrap, meeting = platform.addresses.kafka, await valentina.creates()
    failing = envelope(reply_to=GATEWAY_REPLIES.name)
    poison = Poison("command", b'{"outcome": "OK"}', failing.to_headers())
    good = envelope("meetings.meeting.cancel.v1", reply_to=GATEWAY_REPLIES.name)
    actor = Actor(
        tenant_uuid=valentina.person.tenant_uuid,
        user_id=valentina.user_id,
        user_type=UserType(valentina.person.user_type),
        email=valentina.person.email,
    )
    cancel = CancelMeeting(command_id=uuid7_hex(), fingerprint="", meeting_uuid=meeting["meetingUuid"], actor=actor)
    dead_letters = MEETING_COMMANDS.dead_letters(MEETING_CORE).name
    async with recording(bootstrap, dead_letters, GATEWAY_REPLIES.name) as log, producing(bootstrap) as producer:
        batch = producer.create_batch()
        batch.append(key=poison.key, value=poison.value, timestamp=None, headers=poison.headers)
        batch.append(key=b"M1", value=cancel.model_dump_json().encode(), timestamp=None, headers=good.to_headers())
        await (await producer.send_batch(batch, MEETING_COMMANDS.name, partition=1))
        record = await parked(log, poison)
        assert record.value == poison.value
        _, failed = await reply_to(log, failing)
        _, done = await reply_to(log, good)
    assert failed.outcome is Outcome.FAILED
    assert failed.error is not None
    assert failed.error.code == "BE0500"
    assert "AttributeError" not in failed.model_dump_json()
    assert (done.outcome, done.data["status"]) == (Outcome.OK, "CANCELED")
    assert (await valentina.sees(meeting))["status"] == "CANCELED"


async def test_poison_among_the_replies_keeps_no_caller_waiting(platform: Platform, valentina: Caller) -> None:
    bootstrap, dead_letters = platform.addresses.kafka, GATEWAY_REPLIES.dead_letters(API_GATEWAY).name
    async with recording(bootstrap, dead_letters) as log, producing(bootstrap) as producer:
        for partition in range(GATEWAY_REPLIES.partitions):
            poison = Poison("reply", b"{", envelope().to_headers())
            await send(producer, GATEWAY_REPLIES, poison, partition)
            await parked(log, poison)
    for _ in range(6):  # their replies come on all partitions
        await valentina.creates()


EVENTS = [(topic, reader) for topic, reader in READERS if topic.name.endswith(".events")]


@pytest.mark.parametrize(("topic", "reader"), EVENTS, ids=lambda value: getattr(value, "name", value))
async def test_an_event_of_a_newer_producer_is_passed_over(platform: Platform, topic: Topic, reader: str) -> None:
    """An unknown type is no poison unless somebody waits for its outcome: consumers are tolerant."""
    bootstrap = platform.addresses.kafka
    newer = Poison("newer event", b'{"what": "unknown yet"}', envelope("meetings.meeting.sung.v9").to_headers())
    marker = Poison("after the newer event", b"{", envelope().to_headers())
    async with recording(bootstrap, topic.dead_letters(reader).name) as log, producing(bootstrap) as producer:
        await send(producer, topic, newer)
        await send(producer, topic, marker)
        await parked(log, marker)
        assert newer.key not in [record.key for record in log.records]


async def test_a_replayed_record_that_fails_again_returns_to_where_it_came_from(platform: Platform) -> None:
    bootstrap, (retry, *_) = platform.addresses.kafka, RETRY_TOPICS
    assert retry.readers == (MEETING_CORE,)
    origin = [("dlt-topic", MEETING_COMMANDS.name.encode()), ("dlt-offset", b"1")]
    poison = Poison("replayed", b"{", [*envelope().to_headers(), *origin])
    dead_letters = MEETING_COMMANDS.dead_letters(MEETING_CORE).name
    async with recording(bootstrap, dead_letters) as log, producing(bootstrap) as producer:
        await send(producer, retry, poison)
        record = await parked(log, poison)
    assert [value for name, value in record.headers if name == "dlt-topic"] == [MEETING_COMMANDS.name.encode()]


async def reply_to(log: TopicLog, command: Envelope) -> tuple[Envelope, Reply]:
    """The reply to a command message."""
    record = await log.first(
        lambda record: record.topic == GATEWAY_REPLIES.name and record.key == command.id.encode(),
        what=f"a reply to {command.id}",
    )
    found = Envelope.from_headers(record.headers)
    assert found.causation_id == command.id
    return found, Reply.model_validate_json(record.value or b"")
