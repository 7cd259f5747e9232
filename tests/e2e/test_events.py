"""What the platform tells other teams on meetings.events: every change, once, in order, and never a secret."""

import json
import re

import pytest
from chassis.kafka.records import Record
from contracts.messages.meeting_events import MeetingCreated
from contracts.transport.envelope import Envelope
from contracts.values.ids import uuid7_hex

from tests.support.callers import MEETINGS, Caller, Json, done, path_of
from tests.support.gateway import body
from tests.support.topics import TopicLog

pytestmark = pytest.mark.e2e

PEDRO = "C019B9D18B57F7C4A8E02D6F13B9A57C0"  # without an address: only that a mail failed is said in between
_FAILED = "meetings.invitation.failed.v1"


async def events_of(told: TopicLog, meeting: Json, count: int) -> list[Record]:
    """Everything said about a meeting, once there are ``count`` events."""
    key = meeting["meetingUuid"].encode()
    return await told.some(
        count,
        lambda record: record.key == key and Envelope.from_headers(record.headers).type != _FAILED,
        what=f"{count} events of {meeting['meetingUuid']}",
    )


async def test_each_change_is_told_once_in_order_with_the_state_it_led_to(told: TopicLog, valentina: Caller) -> None:
    meeting = await valentina.creates(title="One", contactIds=[PEDRO])
    await valentina.changes(meeting, title="Two")
    await valentina.changes(meeting, title="Two")  # changes nothing
    await valentina.changes(meeting, contactIds=[], endDateTime="2026-06-15T16:00:00")
    await valentina.cancels(meeting)
    assert (await valentina.delete(f"{path_of(meeting)}/calendar-visibility")).status_code == 204
    records = await events_of(told, meeting, 5)
    envelopes = [Envelope.from_headers(record.headers) for record in records]
    assert [envelope.type for envelope in envelopes] == [
        "meetings.meeting.created.v1",
        "meetings.meeting.updated.v1",
        "meetings.meeting.updated.v1",
        "meetings.meeting.canceled.v1",
        "meetings.meeting.removed-from-calendar.v1",
    ]
    sequences = [envelope.sequence or 0 for envelope in envelopes]
    assert sequences == sorted(set(sequences))
    assert len({record.partition for record in records}) == 1
    bodies = [json.loads(record.value or b"") for record in records]
    assert [one["meeting"]["title"] for one in bodies] == ["One", "Two", "Two", "Two", "Two"]
    assert [one["meeting"]["status"] for one in bodies] == ["ACTIVE", "ACTIVE", "ACTIVE", "CANCELED", "CANCELED"]
    assert bodies[1]["changed"] == ["title"]
    assert (bodies[2]["changed"], bodies[2]["rescheduled"]) == (["endDateTime", "participants"], True)
    assert [one["participantEntityUuid"] for one in bodies[2]["removed"]] == [PEDRO]
    assert bodies[4]["userUuid"] == valentina.user_id


async def test_every_event_is_a_cloudevent_in_binary_mode(told: TopicLog, valentina: Caller) -> None:
    answer = await valentina.post(MEETINGS, body(), x_correlation_id="from-the-caller")
    assert answer.headers["x-correlation-id"] == "from-the-caller"
    (record,) = await events_of(told, done(answer, 201), 1)
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_specversion"] == "1.0"
    assert re.fullmatch("[0-9A-F]{12}7[0-9A-F]{3}[89AB][0-9A-F]{15}", headers["ce_id"])
    assert headers["ce_type"] == "meetings.meeting.created.v1"
    assert headers["ce_source"] == "meeting-core"
    assert headers["ce_subject"] == answer.json()["meetingUuid"]
    assert headers["ce_tenant"] == valentina.person.tenant_uuid
    assert headers["ce_sequence"] == "1"
    assert headers["ce_correlationid"] == "from-the-caller"
    assert headers["ce_causationid"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", headers["ce_time"])
    assert headers["content-type"] == "application/json"
    assert MeetingCreated.model_validate_json(record.value or b"").meeting.meeting_uuid == headers["ce_subject"]


async def test_a_repeated_request_is_told_once(told: TopicLog, valentina: Caller) -> None:
    key = uuid7_hex()
    answers = [await valentina.post(MEETINGS, body(), idempotency_key=key) for _ in range(3)]
    meeting = done(answers[-1], 201)
    await valentina.changes(meeting, title="The end of the test")
    records = await events_of(told, meeting, 2)
    assert [Envelope.from_headers(record.headers).sequence for record in records] == [1, 2]


async def test_neither_internal_notes_nor_passwords_are_in_the_topic(told: TopicLog, valentina: Caller) -> None:
    secrets = {"internalNotes": f"note {uuid7_hex()}", "meetingPassword": f"password {uuid7_hex()}"}
    meeting = await valentina.creates(**secrets, contactIds=[PEDRO])
    changed = {"internalNotes": f"note {uuid7_hex()}", "meetingPassword": f"password {uuid7_hex()}"}
    await valentina.changes(meeting, **changed)
    await valentina.cancels(meeting)
    await events_of(told, meeting, 3)
    for record in told.records:
        said = record.value or b""
        assert not any(value.encode() in said for value in (*secrets.values(), *changed.values()))
        assert b'"internalNotes":' not in said
        assert b'"meetingPassword":' not in said


async def test_every_event_ever_said_is_gapless_per_meeting(told: TopicLog, valentina: Caller) -> None:
    """Whatever the tests of this session did: each meeting's events count from one, without a gap or a repeat."""
    last = await valentina.creates()
    await events_of(told, last, 1)
    seen: dict[bytes | None, list[int | None]] = {}
    for record in told.records:
        if not (record.key or b"").startswith(b"M"):
            continue  # another test's poison
        seen.setdefault(record.key, []).append(Envelope.from_headers(record.headers).sequence)
    for key, sequences in seen.items():
        first = sequences[0]
        assert first is not None
        assert sequences == list(range(first, first + len(sequences))), key
