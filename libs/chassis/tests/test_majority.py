"""What no majority of three real members has is not read, and nobody may go on as if it were written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from chassis.kafka.publisher import Publisher
from chassis.mongo.database import ConflictError, Database, open_database
from chassis.mongo.outbox import Outbox
from chassis.outages import is_outage
from chassis.settings import DatabaseSettings
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pydantic import SecretStr
from pymongo import AsyncMongoClient, InsertOne, UpdateOne

from tests.support.replica_set import ReplicaSet

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet.running(tmp_path_factory.mktemp("members")) as running:
        yield running


@pytest.fixture
async def database(members: ReplicaSet) -> AsyncIterator[Database]:
    settings = DatabaseSettings(
        service_name="test-service",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=members.uri,
        mongodb_database="majority",
    )
    async with open_database(settings) as opened:
        yield opened


class _Published(Publisher):
    """Publishes nothing, and counts what it was to publish."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def publish_in_order(self, records: Any) -> None:
        self.records.extend(records)


async def test_what_only_the_primary_has(members: ReplicaSet, database: Database) -> None:
    name = f"collection-{uuid7_hex()}"
    collection = database.collection(name)
    await collection.insert_one({"_id": "common", "version": 1, "outbox": []})
    await asyncio.to_thread(members.stop_replication)
    async with AsyncMongoClient[dict[str, Any]](members.uri, w=1) as client:
        entry = {"topic": "t", "key": b"", "value": b"", "headers": []}
        alone = {"_id": "alone", "version": 2, "outbox": [entry], "outboxDueAt": utc_now()}
        await client["majority"][name].insert_one(alone)

    assert await collection.find_one({"_id": "alone"}) is None
    assert [one["_id"] for one in await collection.find({})] == ["common"]
    assert await collection.count({}, hint="_id_") == 1

    published = _Published()
    attempts = {
        "a repeated insert": collection.insert_one({"_id": "alone"}),
        "an upsert of what is known": collection.update_one(
            {"_id": "alone", "version": {"$lt": 2}}, {"$set": {"version": 2}}, upsert=True
        ),
        "both together": collection.bulk_write(
            [InsertOne({"_id": "alone"}), UpdateOne({"_id": "common"}, {"$set": {"version": 2}})]
        ),
        "an update of nothing": collection.update_one({"_id": "absent"}, {"$set": {"version": 1}}),
        "what the outbox still has": Outbox(collection, published, relay_delay=1).publish_overdue(),
    }
    ends = await asyncio.gather(*attempts.values(), return_exceptions=True)
    for what, end in zip(attempts, ends, strict=True):
        assert isinstance(end, Exception), what
        assert is_outage(end), (what, end)
        assert not isinstance(end, ConflictError), what
    assert published.records == []

    await asyncio.to_thread(members.resume_replication)
    with pytest.raises(ConflictError) as raised:
        await collection.insert_one({"_id": "alone"})
    assert raised.value.ids == {"alone"}
    assert (await collection.find_one({"_id": "alone"}) or {})["version"] == 2
