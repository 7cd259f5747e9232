"""The outbox against a real MongoDB and broker: what is written is published, in order, whatever dies meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from chassis.settings import DatabaseSettings, ServiceSettings
from contracts.transport.topics import Topic
from contracts.values.ids import uuid7_hex
from pymongo.errors import AutoReconnect

from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
async def collection(settings: ServiceSettings, mongodb_uri: str) -> AsyncIterator[Collection]:
    database = DatabaseSettings(
        **dict(settings), mongodb_uri=mongodb_uri, mongodb_database=f"outbox_{uuid7_hex().lower()[:20]}"
    )
    async with open_database(database) as opened:
        documents = opened.collection("documents")
        await documents.create_indexes([OUTBOX_INDEX])
        yield documents


@pytest.fixture
async def topic(new_topic: Callable[..., Awaitable[Topic]]) -> Topic:
    return await new_topic(f"group-{uuid7_hex()}", partitions=1)


class Published:
    """Reads what is on a topic."""

    def __init__(self, settings: ServiceSettings, topic: Topic) -> None:
        self._settings, self._topic = settings, topic

    async def values(self) -> list[str]:
        at = TopicPartition(self._topic.name, 0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=10
        )
        async with consumer:
            consumer.assign([at])
            end = (await consumer.end_offsets([at]))[at]
            found: list[str] = []
            while await consumer.position(at) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value.decode() for record in records]
            return found


@pytest.fixture
def published(settings: ServiceSettings, topic: Topic) -> Published:
    return Published(settings, topic)


def document(topic: Topic, *said: str, version: int = 1, due_in: float = 10) -> dict[str, object]:
    nothing: Any = None  # neither reads nor publishes
    outbox = Outbox(nothing, nothing, relay_delay=due_in).contents(*(record(topic, word) for word in said))
    return {"_id": uuid7_hex(), "version": version} | outbox


def record(topic: Topic, word: str) -> OutgoingRecord:
    return OutgoingRecord(topic.name, b"k", word.encode(), [("ce_id", b"1")])


async def test_what_a_writer_says_is_published_in_order_and_cleared(
    collection: Collection, publisher: Publisher, topic: Topic, published: Published
) -> None:
    written = document(topic, "first", "second")
    await collection.insert_one(written)
    await Outbox(collection, publisher, relay_delay=10).flush([written])
    assert await published.values() == ["first", "second"]
    stored = await collection.find_one({"_id": written["_id"]})
    assert stored is not None
    assert stored["outbox"] == []
    assert "outboxDueAt" not in stored


async def test_the_relay_publishes_what_a_crashed_writer_left(
    collection: Collection, publisher: Publisher, topic: Topic, published: Published
) -> None:
    await collection.insert_one(document(topic, "left behind", due_in=-1))
    await collection.insert_one(document(topic, "in good hands", due_in=60))
    async with Outbox(collection, publisher, relay_delay=0.2).relay():

        async def relayed() -> bool:
            return "left behind" in await published.values()

        await until(relayed, what="the relay publishes")
    assert "in good hands" not in await published.values()


async def test_events_that_another_writer_added_meanwhile_are_not_cleared(
    collection: Collection, publisher: Publisher, topic: Topic, published: Published
) -> None:
    seen = document(topic, "one")
    newer = document(topic, "one", "two", version=2) | {"_id": seen["_id"]}
    await collection.insert_one(newer)
    outbox = Outbox(collection, publisher, relay_delay=10)
    await outbox.flush([seen])
    stored = await collection.find_one({"_id": seen["_id"]})
    assert stored is not None
    assert len(stored["outbox"]) == 2
    await outbox.flush([stored])
    assert await published.values() == ["one", "one", "two"]  # a repeat, never a gap or a swap


async def test_an_event_that_cannot_be_published_stops_those_after_it_and_stays(
    collection: Collection, publisher: Publisher, topic: Topic, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = publisher.publish

    async def refuse_second(outgoing: OutgoingRecord) -> None:
        if outgoing.value == b"second":
            raise KafkaConnectionError("away")
        await publish(outgoing)

    monkeypatch.setattr(publisher, "publish", refuse_second)
    failing, sound = document(topic, "first", "second", "third"), document(topic, "other")
    for one in (failing, sound):
        await collection.insert_one(one)
    outbox = Outbox(collection, publisher, relay_delay=10)
    with pytest.raises(KafkaConnectionError):
        await outbox.flush([failing, sound])
    monkeypatch.undo()
    assert sorted(await published.values()) == ["first", "other"]
    stored = await collection.find_one({"_id": failing["_id"]})
    assert stored is not None
    assert len(stored["outbox"]) == 3
    await outbox.flush([stored])
    assert [word for word in await published.values() if word != "other"] == ["first", "first", "second", "third"]


async def test_appended_events_follow_those_that_are_there(
    collection: Collection, publisher: Publisher, topic: Topic, published: Published
) -> None:
    outbox = Outbox(collection, publisher, relay_delay=10)
    await collection.update_one({"_id": "new", "version": 0}, outbox.append(), upsert=True)
    [empty] = await outbox.load(["new"])
    assert (empty["version"], empty["outbox"]) == (1, [])
    assert await collection.find_one({"outboxDueAt": {"$exists": True}}) is None
    for words in (["first"], ["second", "third"]):
        await collection.update_one({"_id": "new"}, outbox.append(*(record(topic, word) for word in words)))
    [written] = await outbox.load(["new"])
    assert written["version"] == 3
    await outbox.flush_or_defer([written])
    assert await published.values() == ["first", "second", "third"]


async def test_events_that_the_broker_does_not_take_stay_for_the_relay(
    collection: Collection, publisher: Publisher, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(outgoing: OutgoingRecord) -> None:
        raise KafkaConnectionError("away")

    outbox = Outbox(collection, publisher, relay_delay=10)
    await collection.insert_one({"_id": "new", "version": 1} | outbox.contents(record(topic, "first")))
    monkeypatch.setattr(publisher, "publish", refuse)
    await outbox.flush_or_defer(await outbox.load(["new"]))
    [kept] = await outbox.load(["new"])
    assert len(kept["outbox"]) == 1


async def test_events_that_cannot_be_cleared_are_left_to_the_relay(
    collection: Collection, publisher: Publisher, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_writes: object) -> None:
        raise AutoReconnect("away")

    outbox = Outbox(collection, publisher, relay_delay=10)
    await collection.insert_one({"_id": "new", "version": 1} | outbox.contents(record(topic, "first")))
    documents = await outbox.load(["new"])
    monkeypatch.setattr(collection, "bulk_write", fail)
    await outbox.flush_or_defer(documents)
    [kept] = await outbox.load(["new"])
    assert len(kept["outbox"]) == 1
