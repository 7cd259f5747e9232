"""The history says what it said when it was written, or is seen to be changed."""

import hashlib
from collections.abc import Sequence

import pytest
from contracts.history import GENESIS, HistoryCheck, HistoryEntry, entry_id
from contracts.transport.envelope import Envelope
from contracts.values.changes import ActorRef, FieldChange
from contracts.values.enums import ActorType, Way
from contracts.values.times import parse_instant

HOST = ActorRef(id="TS-HOST", type=ActorType.TENANT_STAFF, way=Way.GATEWAY)
TITLE = FieldChange(field="title", old="Review", new="Revisión ✓")
ANSWER = FieldChange(field="rsvpStatus", participant_uuid="MP1", old="UNKNOWN", new="ACCEPTED")


def entry(version: int = 1, previous: str = GENESIS, changes: Sequence[FieldChange] = (TITLE, ANSWER)) -> HistoryEntry:
    event = Envelope(
        type="meetings.meeting.updated.v1",
        source="meeting-core",
        subject="M1",
        tenant="T1",
        id="E1",
        time=parse_instant("2026-06-15T10:30:00.123456Z"),
        sequence=version,
        correlation_id="R1",
    )
    return HistoryEntry.of(event, HOST, changes, previous_hash=previous)


def chain(length: int) -> list[HistoryEntry]:
    entries, last = list[HistoryEntry](), GENESIS
    for version in range(1, length + 1):
        entries.append(entry(version, last))
        last = entries[-1].hash
    return entries


def problems(entries: Sequence[HistoryEntry], version: int, last_hash: str) -> list[str]:
    check = HistoryCheck()
    found = [problem for each in entries for problem in check.problems_of(each)]
    return [*found, *check.problems_at_end(version, last_hash)]


def test_the_hash_is_of_exactly_these_bytes() -> None:
    written = entry()
    meeting, participant = written.changes
    canonical = (
        '{"actor":{"id":"TS-HOST","type":"TENANT_STAFF","way":"GATEWAY"},"at":"2026-06-15T10:30:00.123Z","changes":['
        f'{{"digest":"{meeting.digest}","participantUuid":null}},{{"digest":"{participant.digest}","participantUuid":'
        '"MP1"}],"correlationId":"R1","eventId":"E1","eventType":"meetings.meeting.updated.v1","meetingUuid":"M1",'
        f'"previousHash":"{GENESIS}","tenantUuid":"T1","version":1}}'
    )
    assert written.hash == hashlib.sha256(canonical.encode()).hexdigest()
    said = (
        f'{{"fields":[{{"field":"title","new":"Revisión ✓","old":"Review","withheld":false}}],"salt":"{meeting.salt}"}}'
    )
    assert meeting.digest == hashlib.sha256(said.encode()).hexdigest()


def test_what_is_stored_is_read_as_it_was_written() -> None:
    stored = entry()
    read = HistoryEntry.model_validate(stored.model_dump())
    assert (read.computed_hash(), list(read.problems())) == (stored.hash, [])


def test_a_whole_chain_has_no_problem() -> None:
    entries = chain(3)
    assert problems(entries, 3, entries[-1].hash) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"actor": HOST.model_copy(update={"id": "TS-OTHER"})}, "version 2 was changed"),
        ({"actor": HOST.model_copy(update={"way": Way.MAIL_LINK})}, "version 2 was changed"),
        ({"at": parse_instant("2026-06-15T10:30:01Z")}, "version 2 was changed"),
        ({"event_type": "meetings.meeting.canceled.v1"}, "version 2 was changed"),
        ({"correlation_id": None}, "version 2 was changed"),
        ({"changes": []}, "version 2 was changed"),
    ],
)
def test_an_entry_that_was_changed_is_named(change: dict[str, object], said: str) -> None:
    entries = chain(3)
    entries[1] = entries[1].model_copy(update=change)
    assert problems(entries, 3, entries[-1].hash) == [said]


def test_an_entry_that_was_changed_with_its_hash_breaks_the_chain() -> None:
    entries = chain(3)
    entries[1] = entry(2, entries[0].hash, [TITLE.model_copy(update={"new": "Lunch"})])
    assert problems(entries, 3, entries[-1].hash) == ["version 3 does not follow the entry before it"]


def test_a_value_that_was_changed_is_named() -> None:
    entries = chain(2)
    meeting, participant = entries[1].changes
    forged = participant.model_copy(update={"fields": [ANSWER.model_copy(update={"new": "DECLINED"})]})
    entries[1] = entries[1].model_copy(update={"changes": [meeting, forged]})
    assert problems(entries, 2, entries[-1].hash) == ["version 2 what it says of MP1 was changed"]


def test_what_is_said_of_a_person_can_be_erased_and_the_chain_holds() -> None:
    entries = chain(3)
    meeting, participant = entries[1].changes
    erased = participant.model_copy(update={"fields": None, "salt": None})
    entries[1] = entries[1].model_copy(update={"changes": [meeting, erased]})
    assert problems(entries, 3, entries[-1].hash) == []
    half = participant.model_copy(update={"salt": None})
    assert not half.is_intact


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ([1, 4], ["versions 2 to 3 are missing"]),
        ([1, 2, 4], ["version 3 is missing"]),
        ([2, 3, 4], ["version 1 is missing"]),
        ([1, 2, 3], ["version 4 is missing"]),
        ([], ["versions 1 to 4 are missing"]),
    ],
)
def test_gaps_are_named(left: list[int], said: list[str]) -> None:
    entries = chain(4)
    assert problems([entries[version - 1] for version in left], 4, entries[-1].hash) == said


def test_a_last_entry_that_was_replaced_is_not_the_one_that_the_meeting_names() -> None:
    entries = chain(2)
    forged = entry(2, entries[0].hash, [])
    assert problems([entries[0], forged], 2, entries[-1].hash) == [
        "version 2 is not the entry that the meeting names as its last"
    ]


def test_the_same_values_of_two_entries_have_different_digests() -> None:
    """So that nobody who knows a digest finds out an erased value by trying."""
    assert entry().changes[0].digest != entry().changes[0].digest


def test_keys_sort_by_version() -> None:
    assert sorted([entry_id("M1", 10), entry_id("M1", 9), entry_id("M1", 100_000)]) == [
        entry_id("M1", 9),
        entry_id("M1", 10),
        entry_id("M1", 100_000),
    ]
