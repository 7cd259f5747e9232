"""What is certain about a record that was not acknowledged."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    NotEnoughReplicasError,
    RequestTimedOutError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from chassis.kafka.publisher import Publisher, UnacknowledgedError, open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.outages import is_outage
from chassis.provision import ProvisioningSettings, create_topics
from chassis.settings import ServiceSettings
from contracts.transport.topics import Topic
from localrun.kafka import bootstrap, tansu
from localrun.ports import free_port

from tests.support.waiting import until

RECORD = OutgoingRecord(topic="t", key=b"k", value=b"v", headers=[])
PRODUCE = ProduceRequest(transactional_id=None, required_acks=-1, timeout=1000, topics=[])
Answer = Callable[[], Any]


def failing(error: type[BaseException]) -> Answer:
    def answer() -> Any:
        raise error

    return answer


def saying(code: int) -> Answer:
    return lambda: SimpleNamespace(topics=[("t", [(0, code, -1)])])


class Client:
    """A connection to a broker that does as it is told, one request after the other."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers

    async def send(self, _node_id: int, _request: Any) -> Any:
        return self._answers.pop(0)()


class Producer:
    """Sends each record as often as its client has answers, then says how it ended, as aiokafka's producer does."""

    def __init__(self, answers: list[Answer], ends: BaseException | None, request: Any = PRODUCE) -> None:
        self.client: Any = Client(answers)
        self._attempts, self._ends, self._request = len(answers), ends, request

    async def send(self, *_: Any, **__: Any) -> "asyncio.Future[None]":
        end = asyncio.get_running_loop().create_future()
        for _ in range(self._attempts):
            try:
                await self.client.send(1, self._request)
            except KafkaError:
                continue
        if self._ends is not None:
            end.set_exception(self._ends)
        return end


async def published(producer: Any, seconds: float = 5.0) -> BaseException:
    with pytest.raises(KafkaError) as failed:
        await Publisher(producer, timeout=seconds).publish(RECORD)
    assert is_outage(failed.value) or isinstance(failed.value, MessageSizeTooLargeError)
    return failed.value


@pytest.mark.parametrize(
    ("answers", "ends"),
    [
        ([failing(RequestTimedOutError)], RequestTimedOutError()),
        ([failing(KafkaConnectionError)], KafkaConnectionError()),
        ([failing(KafkaConnectionError), failing(NodeNotReadyError)], NodeNotReadyError()),
        ([failing(RequestTimedOutError), saying(19)], NotEnoughReplicasError()),
        ([saying(7), saying(19)], NotEnoughReplicasError()),
        ([saying(20)], KafkaError()),
        ([saying(-1)], KafkaError()),
    ],
)
async def test_what_was_on_the_wire_may_be_in_the_log(answers: list[Answer], ends: BaseException) -> None:
    assert isinstance(await published(Producer(answers, ends)), UnacknowledgedError)


@pytest.mark.parametrize(
    ("answers", "ends"),
    [
        ([failing(NodeNotReadyError)] * 3, NodeNotReadyError()),
        ([], KafkaTimeoutError()),
        ([saying(19)] * 2, NotEnoughReplicasError()),
        ([saying(3)], UnknownTopicOrPartitionError()),
        ([saying(10)], MessageSizeTooLargeError()),
    ],
)
async def test_what_was_never_sent_or_refused_is_certainly_not_in_the_log(
    answers: list[Answer], ends: BaseException
) -> None:
    assert await published(Producer(answers, ends)) is ends


async def test_doubts_about_other_requests_do_not_count() -> None:
    request = MetadataRequest([])
    ends = NodeNotReadyError()
    assert await published(Producer([failing(RequestTimedOutError)], ends, request)) is ends


async def test_what_is_still_under_way_may_come_into_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.kafka.publisher._GRACE", 0.05)
    assert isinstance(await published(Producer([], None), seconds=0.05), UnacknowledgedError)


async def test_what_finds_no_room_in_time_was_never_sent() -> None:
    class Full(Producer):
        async def send(self, *_: Any, **__: Any) -> "asyncio.Future[None]":
            await asyncio.Event().wait()
            raise AssertionError

    failed = await published(Full([], None), seconds=0.05)
    assert isinstance(failed, KafkaTimeoutError)
    assert not isinstance(failed, UnacknowledgedError)


@pytest.mark.integration
async def test_a_silent_broker_may_have_it_and_one_that_is_gone_has_not(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    """On a broker of the test's own, which is stopped in mid-request, goes on, and is killed."""
    port = free_port()
    broker = tansu(port, log=tmp_path / "tansu.log")
    broker.start()
    try:
        broker.wait_ready()
        own = settings.model_copy(update={"kafka_bootstrap_servers": bootstrap(port)})
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap(port))
        await admin.start()
        await create_topics(
            admin, [Topic(name="t", purpose="a test", key="any", writer=(), readers=())], ProvisioningSettings()
        )
        await admin.close()
        async with open_publisher(own, request_timeout=1.0) as publisher:

            async def is_taken() -> bool:
                with suppress(KafkaError):
                    await publisher.publish(RECORD)
                    return True
                return False

            await until(is_taken, what="the first record is taken")
            with broker.paused(), pytest.raises(UnacknowledgedError):
                await publisher.publish(RECORD)
            await until(is_taken, what="the broker takes records again")
            broker.kill()
            with pytest.raises(KafkaError) as refused:
                await publisher.publish(RECORD)
            assert not isinstance(refused.value, UnacknowledgedError)
    finally:
        broker.stop()
