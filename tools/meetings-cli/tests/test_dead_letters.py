"""The operators' dead-letter box against a real broker."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.provision import ProvisioningSettings, create_topics
from contracts.transport.topics import API_GATEWAY, GATEWAY_REPLIES, INVITATIONS, MEETING_EVENTS, retry_topic
from meetings_cli.dead_letters import DeadLetter, DeadLetterBox, State, chosen, open_dead_letter_box
from meetings_cli.settings import Settings

from tests.support.topics import TopicLog, recording

pytestmark = pytest.mark.integration

LETTERS = MEETING_EVENTS.dead_letters(INVITATIONS)
OTHER_LETTERS = GATEWAY_REPLIES.dead_letters(API_GATEWAY)
RETRY = retry_topic(INVITATIONS)


@pytest.fixture
async def box(settings: Settings) -> AsyncIterator[DeadLetterBox]:
    """A box in which everything from other tests is discarded."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await create_topics(admin, [LETTERS, OTHER_LETTERS, RETRY], ProvisioningSettings())
    await admin.close()
    async with open_dead_letter_box(settings) as opened:
        _ = [letter async for letter in opened.discard(await opened.letters())]
        assert await opened.letters() == []
        yield opened


@pytest.fixture
async def publisher(settings: Settings) -> AsyncIterator[Publisher]:
    async with open_publisher(settings) as running:
        yield running


def parked(number: int, *, topic: str = LETTERS.name, group: str = INVITATIONS) -> OutgoingRecord:
    headers = [
        ("ce_type", b"meetings.meeting.created.v1"),
        ("dlt-topic", MEETING_EVENTS.name.encode()),
        ("dlt-partition", b"3"),
        ("dlt-offset", str(number).encode()),
        ("dlt-group", group.encode()),
        ("dlt-error", b"ZeroDivisionError: a bug"),
    ]
    return OutgoingRecord(topic, b"M1", b'{"name": "Jane \xff"}', headers)


async def replayed(log: TopicLog, count: int) -> list[bytes]:
    """Where the records came from that are on the retry topic, once there are so many."""
    records = await log.some(count, lambda record: record.topic == RETRY.name, what="replayed records")
    return [dict(record.headers)["dlt-offset"] for record in records]


async def test_letters_are_known_by_what_their_headers_say(box: DeadLetterBox, publisher: Publisher) -> None:
    await publisher.publish(parked(17))
    [letter] = await box.letters()
    assert (letter.origin, letter.kind) == ("meetings.events[3]@17", "meetings.meeting.created.v1")
    assert (letter.state, letter.retry_topic) == (State.OPEN, "invitations.retry")
    assert not hasattr(letter, "value"), "contents are read only when they are asked for"
    [(_, record)] = [found async for found in box.records([letter])]
    assert record.value == parked(17).value
    assert [one.origin for one in await box.letters(LETTERS.name)] == [letter.origin]
    assert await box.letters(OTHER_LETTERS.name) == []


async def test_what_is_replayed_goes_to_its_group_in_order_and_stays_to_be_seen(
    box: DeadLetterBox, publisher: Publisher, settings: Settings
) -> None:
    await publisher.publish_in_order(map(parked, range(5)))
    first, second, third, *_ = await box.letters()
    async with recording(settings.kafka_bootstrap_servers, RETRY.name) as log:
        assert [one async for one in box.replay([third, first])] == [first, third]
        assert await replayed(log, 2) == [b"0", b"2"]
        [record, _] = log.records
        assert (record.key, record.value, list(record.headers)) == parked(0)[1:]
    found = await box.letters()
    assert [one.state for one in found] == ["replayed", "open", "replayed", "open", "open"]
    assert found[0].done_at.endswith("Z")
    assert second.origin == found[1].origin


async def test_what_is_discarded_is_gone_from_the_list(box: DeadLetterBox, publisher: Publisher) -> None:
    await publisher.publish_in_order(map(parked, range(3)))
    first, second, third = await box.letters()
    assert [one async for one in box.replay([first])] == [first]
    assert [one async for one in box.discard([first, third])] == [first, third]
    assert [one.offset for one in await box.letters()] == [second.offset]
    with pytest.raises(LookupError, match=f"no dead letter at {third.offset}"):
        chosen(await box.letters(), [third.offset])


async def test_what_nobody_takes_back_is_not_replayed(
    box: DeadLetterBox, publisher: Publisher, settings: Settings
) -> None:
    """Neither replies, which no request waits for any more, nor what names a group that there is not."""
    await publisher.publish(parked(1, topic=OTHER_LETTERS.name, group=API_GATEWAY))
    await publisher.publish(parked(2, group="no-such-group"))
    await publisher.publish(parked(3))
    letters = await box.letters()
    assert [one.retry_topic for one in letters] == [None, None, RETRY.name]
    async with recording(settings.kafka_bootstrap_servers, RETRY.name) as log:
        assert [one async for one in box.replay(letters)] == [letters[2]]
        assert await replayed(log, 1) == [b"3"]


@pytest.mark.parametrize(
    "headers",
    [
        {"dlt-mark": b"discarded"},
        {"dlt-mark": b"discarded", "dlt-marked-offset": b"first"},
        {"dlt-mark": b"discarded", "dlt-marked-offset": b"99999999"},
        {"dlt-mark": b"sung about", "dlt-marked-offset": b"%d"},
    ],
)
async def test_a_mark_that_makes_no_sense_changes_nothing(
    box: DeadLetterBox, publisher: Publisher, headers: dict[str, bytes]
) -> None:
    await publisher.publish(parked(1))
    [letter] = await box.letters()
    marks = [(name, value.replace(b"%d", str(letter.offset).encode())) for name, value in headers.items()]
    await publisher.publish(OutgoingRecord(LETTERS.name, b"", b"", marks))
    assert await box.letters() == [letter]


def test_what_is_asked_for_must_be_there() -> None:
    letters = [DeadLetter("t", offset, []) for offset in (3, 5)]
    assert chosen(letters, [5, 3]) == letters
    with pytest.raises(LookupError, match="no dead letter at 4, 6"):
        chosen(letters, [4, 5, 6])
