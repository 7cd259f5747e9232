"""State that is published again after a broker came back without its data."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from chassis.kafka.publisher import open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.kafka.republisher import Republisher
from chassis.mongo.database import Collection, open_database
from chassis.provision import ProvisioningSettings, create_topics
from chassis.settings import DatabaseSettings, ServiceSettings
from contracts.transport.topics import Topic
from contracts.values.ids import uuid7_hex
from localrun.kafka import tansu
from localrun.ports import free_port
from localrun.processes import Process

from tests.support.waiting import until

pytestmark = pytest.mark.integration
TOPIC = Topic(name="test.state", purpose="a test", key="any", writer=(), readers=(), partitions=2, retention=None)


class Broker:
    """A broker that keeps everything in memory, and forgets it when it is restarted."""

    def __init__(self, port: int, log: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self.process: Process = tansu(port, log=log)

    async def start(self) -> None:
        self.process.start()
        self.process.wait_ready()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            await create_topics(admin, [TOPIC], ProvisioningSettings())
        finally:
            await admin.close()

    async def forget_everything(self) -> None:
        self.process.stop()
        await self.start()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(free_port(), tmp_path / "tansu.log")
    yield broker
    broker.process.stop()


@pytest.fixture
def own_settings(settings: ServiceSettings, broker: Broker) -> ServiceSettings:
    return settings.model_copy(update={"kafka_bootstrap_servers": broker.address})


@pytest.fixture
async def collection(settings: ServiceSettings, mongodb_uri: str) -> AsyncIterator[Collection]:
    name = f"republisher_{uuid7_hex().lower()[:20]}"
    async with open_database(DatabaseSettings(**dict(settings), mongodb_uri=mongodb_uri, mongodb_database=name)) as one:
        yield one.collection("topics")


class State:
    """What is published again, and how often."""

    def __init__(self) -> None:
        self.times = 0
        self.failing = 0

    async def republish(self) -> None:
        if self.failing:
            self.failing -= 1
            raise KafkaError
        self.times += 1


async def publish(settings: ServiceSettings, records: int) -> None:
    async with open_publisher(settings) as publisher:
        for number in range(records):
            await publisher.publish(OutgoingRecord(TOPIC.name, str(number).encode(), b"value", []))


async def test_a_topic_that_a_broker_forgot_is_published_again_once(
    broker: Broker, own_settings: ServiceSettings, collection: Collection
) -> None:
    await broker.start()
    await publish(own_settings, 20)
    state = State()
    async with Republisher(own_settings, collection, {TOPIC: state.republish}, interval=0.1).running():

        async def remembered(records: int) -> None:
            async def is_so() -> bool:
                document = await collection.find_one({"_id": TOPIC.name})
                return document is not None and sum(document["ends"].values()) >= records

            await until(is_so, what="the ends are remembered")

        await remembered(20)
        assert state.times == 0, "nothing was lost"
        state.failing = 1
        await broker.forget_everything()
        await until(_true(lambda: state.times == 1), what="the state is published again")
        await publish(own_settings, 3)
        await remembered(1)
        await broker.forget_everything()
        await until(_true(lambda: state.times == 2), what="the state is published again, also when there is little")


async def test_what_was_lost_while_nobody_looked_is_found_at_the_start(
    broker: Broker, own_settings: ServiceSettings, collection: Collection
) -> None:
    await broker.start()
    await collection.update_one({"_id": TOPIC.name}, {"$set": {"ends": {"0": 5, "1": 0}}}, upsert=True)
    state = State()
    for _ in range(2):
        async with Republisher(own_settings, collection, {TOPIC: state.republish}, interval=0.1).running():
            await until(_true(lambda: state.times == 1), what="the state is published again, once")


def _true(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return condition()

    return holds
