"""Topics are declared once and completely."""

import re
from datetime import timedelta

import pytest
from contracts.transport.registry import MESSAGE_TYPES, MessageType, message, type_of
from contracts.transport.topics import (
    API_GATEWAY,
    CALENDAR_SYNC,
    INVITATIONS,
    MEETING_CORE,
    RETRY_TOPICS,
    TOPICS,
    WEBHOOK_INGEST,
    Topic,
    all_topics,
    dead_letter_topics,
)
from docgen.messages import message_types, types_on

SERVICES = {API_GATEWAY, MEETING_CORE, INVITATIONS, CALENDAR_SYNC, WEBHOOK_INGEST}
TYPES = list(message_types().values())


def named(topic: Topic) -> str:
    return topic.name


@pytest.mark.parametrize("topic", TOPICS, ids=named)
def test_a_topic_has_writers_readers_a_key_and_a_purpose(topic: Topic) -> None:
    assert topic.writer
    assert set(topic.writer) <= SERVICES
    assert topic.readers
    assert set(topic.readers) <= SERVICES
    assert topic.key
    assert topic.purpose.endswith(".")
    assert topic.partitions >= 1


@pytest.mark.parametrize("topic", TOPICS, ids=named)
def test_a_topic_carries_messages(topic: Topic) -> None:
    assert types_on(topic), "a topic that no message type is registered on is not needed"


@pytest.mark.parametrize("topic", [*TOPICS, *RETRY_TOPICS], ids=named)
def test_every_reader_has_a_dead_letter_topic_that_outlives_the_topic(topic: Topic) -> None:
    provisioned = {one.name: one for one in all_topics()}
    for reader in topic.readers:
        parked = provisioned[f"{topic.name}.{reader}.dlt"]
        assert parked.writer == (reader, "operators")
        assert parked.key == topic.key
        assert parked.retention == timedelta(days=30)
        assert topic.retention is None or parked.retention > topic.retention


def test_every_group_that_parks_can_be_made_to_try_again() -> None:
    groups = {reader for topic in TOPICS for reader in topic.readers}
    without_a_group = {API_GATEWAY, WEBHOOK_INGEST}
    assert {topic.readers[0] for topic in RETRY_TOPICS} == groups - without_a_group


def test_names_are_unique_and_fit_kafka() -> None:
    names = [topic.name for topic in all_topics()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9.-]{1,249}", name) for name in names)


def test_dead_letters_have_no_dead_letters() -> None:
    assert all(not topic.readers for topic in dead_letter_topics())


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_a_message_type_has_a_versioned_name_a_declared_topic_and_a_meaning(kind: MessageType) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z-]+)+\.v[1-9]\d*", kind.name)
    assert kind.topic in TOPICS
    assert kind.body.__doc__
    assert type_of(kind.body) is kind


def test_a_name_is_registered_once() -> None:
    kind = TYPES[0]
    with pytest.raises(ValueError, match="registered twice"):
        message(kind.name, kind.topic)(kind.body)
    assert MESSAGE_TYPES[kind.name] is kind
