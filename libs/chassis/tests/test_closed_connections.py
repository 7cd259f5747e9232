"""A connection to a broker that was lost a moment ago, on the event loop of the services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings

pytestmark = pytest.mark.integration


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    settings = KafkaSettings(kafka_bootstrap_servers=bootstrap)
    producer = AIOKafkaProducer(**connection_options(settings), request_timeout_ms=5_000, retry_backoff_ms=20)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def connections(producer: AIOKafkaProducer) -> list[AIOKafkaConnection]:
    return list(producer.client._conns.values())


def test_a_write_to_a_closed_connection_is_a_connection_error(kafka_bootstrap: str) -> None:
    async def main() -> None:
        async with producing(kafka_bootstrap) as producer:
            await producer.send_and_wait("closed-connections", b"1")
            for connection in connections(producer):
                connection._writer.transport.abort()
            await asyncio.sleep(0)  # now the transports are closed, and their readers have not noticed
            for connection in connections(producer):
                with pytest.raises(KafkaConnectionError, match="is closed"):
                    connection.send(MetadataRequest([]))
                assert not connection.connected()
            await producer.send_and_wait("closed-connections", b"2")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
