"""What a user may do on a broker, found out by trying, a request each."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.admin import AlterConfigsRequest, CreateTopicsRequest, DeleteTopicsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings

_TOPIC = 2


class BrokerRights:
    """One user's rights."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def readable(self, topics: Iterable[str]) -> set[str]:
        """Those from which records may be fetched."""
        answer = await self._ask(FetchRequest(1, 0, 1024, 0, [(topic, [(0, 0, 1024)]) for topic in topics]))
        codes = {topic: partition[1] for topic, [partition] in answer.topics}
        return {topic for topic, code in codes.items() if for_code(code) is not TopicAuthorizationFailedError}

    async def writable(self, topics: Iterable[str]) -> set[str]:
        """Those to which a record could be written, which then is there."""
        batch = DefaultRecordBatchBuilder(2, 0, 0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1024)
        batch.append(0, timestamp=None, key=None, value=b"{}", headers=[])
        record = bytes(batch.build())
        answer = await self._ask(ProduceRequest(None, -1, 1000, [(topic, [(0, record)]) for topic in topics]))
        codes = {topic: partition[1] for topic, [partition] in answer.topics}
        return {topic for topic, code in codes.items() if for_code(code) is not TopicAuthorizationFailedError}

    async def joinable(self, groups: Iterable[str]) -> set[str]:
        """Those of which the user may be a member."""
        answers = {group: await self._ask(HeartbeatRequest(group, -1, "nobody")) for group in groups}
        refused = GroupAuthorizationFailedError
        return {group for group, answer in answers.items() if for_code(answer.error_code) is not refused}

    async def seen(self) -> set[str]:
        """The topics that the broker names."""
        return set((await self._client.fetch_all_metadata()).topics()) - {"__consumer_offsets"}

    async def creatable(self, topics: Iterable[str]) -> set[str]:
        """Those that could be created; nothing is."""
        requests: list[Any] = [(topic, 1, 1, [], {}) for topic in topics]
        answer = await self._ask(CreateTopicsRequest(requests, 1000, validate_only=True))
        return _permitted(dict(found[:2] for found in answer.topic_errors))

    async def alterable(self, topics: Iterable[str]) -> set[str]:
        """Those whose configuration could be changed, which then is."""
        answer = await self._ask(AlterConfigsRequest([(_TOPIC, topic, [("retention.ms", "-1")]) for topic in topics]))
        return _permitted({name: code for code, _message, _type, name in answer.resources})

    async def deletable(self, topics: Iterable[str]) -> set[str]:
        """Those that could be deleted, which then are."""
        answer = await self._ask(DeleteTopicsRequest(list(topics), 1000))
        return _permitted(dict(answer.topic_error_codes))

    async def _ask(self, request: Any) -> Any:
        return await self._client.send(self._client.get_random_node(), request)


@asynccontextmanager
async def rights(environment: dict[str, str]) -> AsyncIterator[BrokerRights]:
    """Those of the user in these settings."""
    settings = KafkaSettings.model_validate({name.lower(): value for name, value in environment.items() if value})
    client = AIOKafkaClient(**connection_options(settings))
    try:
        await client.bootstrap()
        yield BrokerRights(client)
    finally:
        await client.close()


def _permitted(codes: dict[str, int]) -> set[str]:
    return {name for name, code in codes.items() if for_code(code) is not TopicAuthorizationFailedError}
