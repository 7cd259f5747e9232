"""The operators' dead-letter box against a real broker."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.dlt import parser, run
from chassis.kafka.publisher import Publisher
from chassis.kafka.wire import Outgoing
from chassis.provision import create_topics
from chassis.settings import ServiceSettings
from contracts.topics import INVITATIONS, MEETING_EVENTS, retry_topic

pytestmark = pytest.mark.integration

LETTERS = MEETING_EVENTS.dead_letters(INVITATIONS)


@pytest.fixture
async def parked(settings: ServiceSettings, publisher: Publisher) -> Outgoing:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await create_topics(admin, [LETTERS, retry_topic(INVITATIONS)], replication_factor=1)
    await admin.close()
    headers = [
        ("ce_type", b"meetings.meeting.created.v1"),
        ("dlt-topic", MEETING_EVENTS.name.encode()),
        ("dlt-partition", b"3"),
        ("dlt-offset", b"17"),
        ("dlt-group", INVITATIONS.encode()),
        ("dlt-error", b"ZeroDivisionError: a bug"),
    ]
    letter = Outgoing(LETTERS.name, b"M1", b'{"name": "Jane \xff"}', headers)
    await publisher.publish(letter)
    return letter


async def operate(settings: ServiceSettings, *words: str) -> str:
    return "\n".join(await run(parser().parse_args(words), settings.kafka_bootstrap_servers))


async def test_dead_letters_are_listed_without_their_content_shown_and_replayed_to_their_group(
    settings: ServiceSettings, parked: Outgoing
) -> None:
    [line] = (await operate(settings, "list")).splitlines()
    assert line.startswith(f"{LETTERS.name} 0 ")
    assert "meetings.events[3]@17" in line
    assert line.endswith("ZeroDivisionError: a bug")
    assert "Jane" not in line
    assert '{"name": "Jane \\xff"}' in await operate(settings, "show", LETTERS.name, "0")
    assert await operate(settings, "replay", LETTERS.name, "0") == f"replayed {LETTERS.name} 0 to invitations.retry"
    with pytest.raises(LookupError, match="no dead letter at 5"):
        await operate(settings, "replay", LETTERS.name, "5")
