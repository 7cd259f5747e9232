"""What is remembered of commands, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts.api.errors import ApiError, ErrorCode
from contracts.transport.idempotency import MAX_WITH_KEY, MAX_WITHOUT_KEY, CommandRecord, ProcessedCommands
from contracts.values.ids import is_derived, uuid7_hex, uuid8_hex

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def record(command_id: str, *, at: datetime = NOW, version: int | None = 2) -> CommandRecord:
    return CommandRecord(command_id=command_id, fingerprint="F", at=at, version=version)


def keyed(number: int) -> str:
    return uuid8_hex("key", str(number))


def filled(count: int, *, at: datetime = NOW) -> ProcessedCommands:
    commands = ProcessedCommands()
    for number in range(count):
        commands.add(record(keyed(number), at=at + timedelta(seconds=number)))
    return commands


def test_ids_say_whether_they_were_derived_from_a_key() -> None:
    assert is_derived(uuid8_hex("tenant", "user", "key"))
    assert not is_derived(uuid7_hex())
    assert not is_derived("")


def test_commands_without_a_key_push_out_none_with_one() -> None:
    commands = filled(1)
    for _ in range(MAX_WITHOUT_KEY + 10):
        commands.add(record(uuid7_hex()))
    assert commands.find(keyed(0)) is not None
    assert len(commands.without_key) == MAX_WITHOUT_KEY


@pytest.mark.parametrize(("age", "remembered"), [(DAY - timedelta(seconds=1), True), (DAY, False)])
def test_a_key_is_remembered_for_its_time(age: timedelta, remembered: bool) -> None:
    commands = filled(1)
    assert commands.take_overflow(NOW + age, retention=DAY) == []
    assert (commands.find(keyed(0)) is not None) is remembered


def test_the_command_that_made_the_aggregate_is_never_forgotten() -> None:
    commands = ProcessedCommands(with_key=[record(keyed(999), version=1)])
    for number in range(2 * MAX_WITH_KEY):
        commands.add(record(keyed(number)))
    overflow = commands.take_overflow(NOW + DAY / 2, retention=DAY)
    assert commands.find(keyed(999)) is not None
    assert keyed(999) not in {one.command_id for one in overflow}
    commands.take_overflow(NOW + 400 * DAY, retention=DAY)
    assert [one.command_id for one in commands.with_key] == [keyed(999)]


def test_what_is_too_much_for_a_document_is_recalled_from_an_archive() -> None:
    commands = filled(MAX_WITH_KEY)
    assert commands.take_overflow(NOW + DAY / 2, retention=DAY) == []
    assert commands.to_recall([keyed(5_000)], NOW + DAY / 2) == []
    commands.add(record(keyed(MAX_WITH_KEY)))
    overflow = commands.take_overflow(NOW + DAY / 2, retention=DAY)
    assert [one.command_id for one in overflow] == [keyed(number) for number in range(MAX_WITH_KEY // 2 + 1)]
    stored = ProcessedCommands.model_validate(commands.model_dump())
    assert stored.find(keyed(0)) is None
    assert stored.to_recall([keyed(0), keyed(MAX_WITH_KEY), uuid7_hex()], NOW + DAY / 2) == [keyed(0)]
    stored.recall(overflow)
    assert stored.find(keyed(0)) == overflow[0]
    assert stored.model_dump() == commands.model_dump(), "what was recalled is not stored again"
    assert stored.to_recall([keyed(5_000)], NOW + 2 * DAY) == [], "the archive is empty by then"


def test_a_record_without_news_is_small_in_a_document() -> None:
    assert set(record("A", version=None).model_dump()) == {"commandId", "fingerprint", "at"}


def test_a_repeat_of_a_refused_command_is_refused_the_same() -> None:
    commands = ProcessedCommands()
    refusal = ApiError(ErrorCode.VALIDATION_FAILED, details=["title: no"])
    repeat = record(keyed(1))
    commands.add(CommandRecord.of(repeat, refusal, at=NOW))
    with pytest.raises(ApiError) as raised:
        ProcessedCommands.model_validate(commands.model_dump()).has(repeat)
    assert (raised.value.code, raised.value.details) == (refusal.code, refusal.details)
