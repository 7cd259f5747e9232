"""More partitions under load: by the procedure of docs/how-to/deploy.md no key's records change their order."""

import asyncio
from collections import defaultdict
from itertools import count

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.kafka.consumer import Batch, Consumer
from chassis.kafka.publisher import open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.provision import ProvisioningSettings, partition_counts, provision
from chassis.settings import ServiceSettings
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Envelope
from contracts.transport.registry import type_of
from contracts.transport.topics import INVITATIONS, MEETING_EVENTS
from contracts.values.ids import uuid7_hex
from pydantic import SecretStr

from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
KEYS = [uuid7_hex() for _ in range(40)]
BODY = Reply(outcome=Outcome.OK)


class Load:
    """Writers of numbered records, one writer after the other, and what a consumer has read."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._number = count(1)
        self.written = 0
        self.read: dict[str, list[int]] = defaultdict(list)
        self.partitions: set[int] = set()

    async def write(self, *, rounds: int) -> None:
        """As a service that is started, and stopped in the end."""
        async with open_publisher(self._settings) as publisher:
            for _ in range(rounds):
                number = next(self._number)
                await publisher.publish_together(_record(key, number) for key in KEYS)
                self.written = number

    async def handle(self, batch: Batch) -> None:
        """As any handler: what comes again is passed over."""
        for received in batch:
            numbers, number = self.read[received.envelope.subject], received.envelope.sequence or 0
            if not numbers or number > numbers[-1]:
                numbers.append(number)
            self.partitions.add(received.record.partition)

    async def all_read(self) -> None:
        async def is_read() -> bool:
            return all(self.read[key] and self.read[key][-1] == self.written for key in KEYS)

        await until(is_read, what=f"all {self.written} of each key", within=120)


async def test_no_record_is_lost_or_overtaken_when_partitions_are_added(
    pytestconfig: pytest.Config, kafka_bootstrap: str
) -> None:
    if pytestconfig.getoption("kafka") != "apache":
        pytest.skip("Tansu adds no partitions: --kafka=apache")
    settings = ServiceSettings(
        service_name="growing", http_port=0, internal_token=SecretStr("x"), kafka_bootstrap_servers=kafka_bootstrap
    )
    assert await provision(ProvisioningSettings(kafka_bootstrap_servers=kafka_bootstrap, kafka_partitions=3))
    load = Load(settings)
    async with open_publisher(settings) as publisher:
        consumer = Consumer(settings, publisher, group=INVITATIONS, topics=[MEETING_EVENTS], handler=load.handle)
        async with consumer.running():
            await load.write(rounds=50)  # and then the writer is stopped
            await load.all_read()
            more = ProvisioningSettings(
                kafka_bootstrap_servers=kafka_bootstrap, kafka_partitions=7, kafka_grow_partitions=True
            )
            assert await provision(more)
            await asyncio.gather(load.write(rounds=200), _counted(kafka_bootstrap))
            await load.all_read()
    assert all(load.read[key] == list(range(1, load.written + 1)) for key in KEYS)
    assert load.partitions == set(range(7)), "the consumer reads the new partitions without a restart"


async def _counted(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await partition_counts(admin)
    finally:
        await admin.close()
    assert found["meetings.events"] == 7
    assert {number for name, number in found.items() if name.endswith((".dlt", ".retry"))} == {1}


def _record(key: str, number: int) -> OutgoingRecord:
    envelope = Envelope(
        type=type_of(BODY).name, source="growing", subject=key, tenant="T1", sequence=number, correlation_id=uuid7_hex()
    )
    return OutgoingRecord(MEETING_EVENTS.name, key.encode(), BODY.model_dump_json().encode(), envelope.to_headers())
