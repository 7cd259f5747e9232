"""A command that comes again is answered as the first time and carried out once."""

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.command import Command
from contracts.messages.replies import Outcome
from contracts.transport.idempotency import MAX_WITHOUT_KEY
from contracts.values.enums import RsvpStatus
from contracts.values.ids import uuid8_hex

from tests.support.commands import (
    CLIENT,
    OUTSIDER,
    CommandHarness,
    answer,
    cancel,
    contact,
    create,
    guest,
    hide,
    update,
)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        pytest.param([], create(contact()), id="create"),
        pytest.param([create()], update(title="New"), id="update"),
        pytest.param([create()], cancel(), id="cancel"),
        pytest.param([create(), cancel()], hide(), id="hide"),
        pytest.param([create(contact())], answer(by=CLIENT), id="answer"),
    ],
)
def test_the_same_command_again_is_answered_the_same_and_done_once(before: list[Command], command: Command) -> None:
    harness = CommandHarness(*before)
    first = harness.done(command)
    events = len(harness.events)
    assert harness.decided(command) == first
    assert len(harness.events) == events == len(before) + 1


def test_a_repeat_is_answered_with_the_current_body() -> None:
    harness, command = CommandHarness(), create(command_id="ONE", fingerprint="F")
    harness.done(command)
    harness.done(update(title="Changed since"))
    repeated = harness.done(command)
    assert (repeated.version, getattr(repeated.data, "title", None)) == (2, "Changed since")


def test_the_same_key_for_another_request_is_a_conflict() -> None:
    harness = CommandHarness(create(command_id="ONE", fingerprint="F1"))
    assert harness.refused(create(command_id="ONE", fingerprint="F2")) is ErrorCode.IDEMPOTENCY_KEY_REUSED
    harness.done(update(command_id="TWO", fingerprint="F1", title="A"))
    assert harness.refused(update(command_id="TWO", fingerprint="F2", title="B")) is ErrorCode.IDEMPOTENCY_KEY_REUSED
    assert harness.meeting.content.title == "A"


def test_what_was_refused_stays_refused_also_when_it_would_be_allowed_now() -> None:
    harness = CommandHarness(create())
    early = hide()
    assert harness.refused(early) is ErrorCode.MEETING_NOT_CANCELED
    harness.done(cancel())
    assert harness.refused(early) is ErrorCode.MEETING_NOT_CANCELED


def test_a_cancel_that_comes_again_is_done_and_another_one_is_refused() -> None:
    harness, command = CommandHarness(create()), cancel()
    harness.done(command)
    assert harness.decided(command).outcome is Outcome.OK
    assert harness.refused(cancel()) is ErrorCode.MEETING_CANCELED


def test_a_create_whose_first_answer_is_long_forgotten_makes_no_second_meeting() -> None:
    command = create()
    harness = CommandHarness(command, *(update(title=f"Title {number}") for number in range(MAX_WITHOUT_KEY)))
    assert len(harness.meeting.processed_commands.without_key) == MAX_WITHOUT_KEY
    reply = harness.done(command)
    assert reply.version == harness.meeting.version == MAX_WITHOUT_KEY + 1


def test_a_key_is_remembered_whatever_else_happens_to_the_meeting() -> None:
    keyed = update(title="Once", command_id=uuid8_hex("key"))
    harness = CommandHarness(create(*(guest(f"guest-{number}@example.com") for number in range(60))), keyed)
    harness.done(update(title="Since then"))
    participants = [one.participant_uuid for one in harness.meeting.participants]
    for status in (RsvpStatus.ACCEPTED, RsvpStatus.DECLINED) * 5:
        for participant_uuid in participants:
            harness.done(answer(status, participant_uuid=participant_uuid))
    version = harness.meeting.version
    assert harness.done(keyed).version == version
    assert harness.meeting.content.title == "Since then"


def test_an_outsider_cannot_push_other_peoples_commands_out_of_memory() -> None:
    harness, command = CommandHarness(create()), update(title="Once")
    harness.done(command)
    for _ in range(MAX_WITHOUT_KEY):
        assert harness.refused(cancel(by=OUTSIDER)) is ErrorCode.FORBIDDEN
    harness.done(update(title="Since then"))
    assert harness.done(command).version == harness.meeting.version
    assert harness.meeting.content.title == "Since then"
