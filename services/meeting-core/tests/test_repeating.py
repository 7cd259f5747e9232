"""A command that comes again is answered as the first time and carried out once."""

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.command import Command
from contracts.messages.replies import Outcome
from contracts.transport.idempotency import MAX_WITHOUT_KEY
from contracts.values.enums import RsvpStatus
from contracts.values.ids import uuid8_hex

from tests.support.commands import CLIENT, OUTSIDER, Desk, answer, cancel, contact, create, guest, hide, update


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
    desk = Desk(*before)
    first = desk.done(command)
    events = len(desk.events)
    assert desk.decided(command) == first
    assert len(desk.events) == events == len(before) + 1


def test_a_repeat_is_answered_with_the_current_body() -> None:
    desk, command = Desk(), create(command_id="ONE", fingerprint="F")
    desk.done(command)
    desk.done(update(title="Changed since"))
    repeated = desk.done(command)
    assert (repeated.version, getattr(repeated.data, "title", None)) == (2, "Changed since")


def test_the_same_key_for_another_request_is_a_conflict() -> None:
    desk = Desk(create(command_id="ONE", fingerprint="F1"))
    assert desk.refused(create(command_id="ONE", fingerprint="F2")) is ErrorCode.IDEMPOTENCY_KEY_REUSED
    desk.done(update(command_id="TWO", fingerprint="F1", title="A"))
    assert desk.refused(update(command_id="TWO", fingerprint="F2", title="B")) is ErrorCode.IDEMPOTENCY_KEY_REUSED
    assert desk.meeting.content.title == "A"


def test_what_was_refused_stays_refused_also_when_it_would_be_allowed_now() -> None:
    desk = Desk(create())
    early = hide()
    assert desk.refused(early) is ErrorCode.MEETING_NOT_CANCELED
    desk.done(cancel())
    assert desk.refused(early) is ErrorCode.MEETING_NOT_CANCELED


def test_a_cancel_that_comes_again_is_done_and_another_one_is_refused() -> None:
    desk, command = Desk(create()), cancel()
    desk.done(command)
    assert desk.decided(command).outcome is Outcome.OK
    assert desk.refused(cancel()) is ErrorCode.MEETING_CANCELED


def test_a_create_whose_first_answer_is_long_forgotten_makes_no_second_meeting() -> None:
    command = create()
    desk = Desk(command, *(update(title=f"Title {number}") for number in range(MAX_WITHOUT_KEY)))
    assert len(desk.meeting.processed_commands.without_key) == MAX_WITHOUT_KEY
    reply = desk.done(command)
    assert reply.version == desk.meeting.version == MAX_WITHOUT_KEY + 1


def test_a_key_is_remembered_whatever_else_happens_to_the_meeting() -> None:
    keyed = update(title="Once", command_id=uuid8_hex("key"))
    desk = Desk(create(*(guest(f"guest-{number}@example.com") for number in range(60))), keyed)
    desk.done(update(title="Since then"))
    participants = [one.participant_uuid for one in desk.meeting.participants]
    for status in (RsvpStatus.ACCEPTED, RsvpStatus.DECLINED) * 5:
        for participant_uuid in participants:
            desk.done(answer(status, participant_uuid=participant_uuid))
    version = desk.meeting.version
    assert desk.done(keyed).version == version
    assert desk.meeting.content.title == "Since then"


def test_an_outsider_cannot_push_other_peoples_commands_out_of_memory() -> None:
    desk, command = Desk(create()), update(title="Once")
    desk.done(command)
    for _ in range(MAX_WITHOUT_KEY):
        assert desk.refused(cancel(by=OUTSIDER)) is ErrorCode.FORBIDDEN
    desk.done(update(title="Since then"))
    assert desk.done(command).version == desk.meeting.version
    assert desk.meeting.content.title == "Since then"
