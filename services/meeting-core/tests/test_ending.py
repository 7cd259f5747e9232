"""Canceling a meeting, taking it off the calendar, and answering its invitation."""

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.command import Actor
from contracts.messages.meeting_events import MeetingCanceled, MeetingRemovedFromCalendar, ParticipantResponded
from contracts.values.enums import MeetingStatus, RsvpStatus
from meeting_core.domain.derived import busy_user_ids

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    OUTSIDER,
    STRANGER,
    CommandHarness,
    answer,
    cancel,
    contact,
    create,
    guest,
    hide,
    staff,
    update,
)


def test_canceling_is_one_version_one_event_and_a_new_revision_of_the_invitation() -> None:
    harness = CommandHarness(create(contact()))
    seen = harness.seen(cancel())
    assert seen.status is MeetingStatus.CANCELED
    event = harness.events[-1]
    assert isinstance(event, MeetingCanceled)
    assert event.meeting.status is MeetingStatus.CANCELED
    assert (event.meeting.ical_sequence, harness.meeting.version) == (1, 2)
    assert [one.email for one in event.meeting.participants] == ["c-client@example.com"]


def test_canceled_is_the_end() -> None:
    harness = CommandHarness(create(contact(), guest()), cancel())
    guests_uuid = harness.uuid_of("jane.roe@example.com")
    for command in (update(title="New"), cancel(), answer(by=CLIENT), answer(participant_uuid=guests_uuid)):
        assert harness.refused(command) is ErrorCode.MEETING_CANCELED
    assert harness.meeting.version == 2


def test_a_canceled_meeting_takes_nobodys_time() -> None:
    harness = CommandHarness(create(staff()))
    assert busy_user_ids(harness.meeting) == sorted([HOST.user_id, COLLEAGUE.user_id])
    harness.done(cancel())
    assert busy_user_ids(harness.meeting) == []


def test_only_a_canceled_meeting_can_be_hidden() -> None:
    assert CommandHarness(create()).refused(hide()) is ErrorCode.MEETING_NOT_CANCELED


def test_hiding_takes_it_off_the_callers_calendar_alone_and_hiding_twice_changes_nothing() -> None:
    harness = CommandHarness(create(contact(), staff()), cancel())
    harness.done(hide(by=CLIENT))
    assert harness.meeting.visible_to_user_ids == sorted([COLLEAGUE.user_id, HOST.user_id])
    event = harness.events[-1]
    assert isinstance(event, MeetingRemovedFromCalendar)
    assert event.user_uuid == CLIENT.user_id
    assert harness.done(hide(by=CLIENT)).version == 3
    assert len(harness.events) == 3
    harness.done(hide())
    assert harness.meeting.visible_to_user_ids == [COLLEAGUE.user_id]


@pytest.mark.parametrize(
    ("who", "code"),
    [(OUTSIDER, ErrorCode.FORBIDDEN), (STRANGER, ErrorCode.MEETING_NOT_FOUND)],
)
def test_who_does_not_see_a_meeting_can_do_nothing_with_it(who: Actor, code: ErrorCode) -> None:
    harness = CommandHarness(create(contact()))
    assert harness.refused(update(by=who, title="Mine")) is code
    assert harness.refused(update(by=who, title="Mine", expected_versions=[7])) is code
    assert harness.refused(cancel(by=who)) is code
    assert harness.refused(answer(by=who)) is code
    harness.done(cancel())
    assert harness.refused(hide(by=who)) is code
    assert len(harness.events) == 2


@pytest.mark.parametrize("who", [COLLEAGUE, CLIENT])
def test_participants_may_not_cancel(who: Actor) -> None:
    assert CommandHarness(create(contact(), staff())).refused(cancel(by=who)) is ErrorCode.FORBIDDEN


def test_nothing_can_be_done_to_a_meeting_that_never_was() -> None:
    for command in (update(title="New"), cancel(), hide(), answer(by=CLIENT), answer(participant_uuid="MP1")):
        assert CommandHarness().refused(command) is ErrorCode.MEETING_NOT_FOUND


def test_a_participant_answers_as_who_they_are_and_may_change_their_mind() -> None:
    harness = CommandHarness(create(contact(), staff()))
    assert harness.participant(answer(RsvpStatus.ACCEPTED, by=CLIENT)).rsvp_status is RsvpStatus.ACCEPTED
    declined = harness.participant(answer(RsvpStatus.DECLINED, by=CLIENT))
    assert (declined.rsvp_status, declined.participant_entity_uuid) == (RsvpStatus.DECLINED, CLIENT.user_id)
    event = harness.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert (event.participant_uuid, event.rsvp_status) == (declined.participant_uuid, RsvpStatus.DECLINED)
    assert [one.rsvp_status for one in event.meeting.participants] == [RsvpStatus.DECLINED, RsvpStatus.UNKNOWN]


def test_the_same_answer_again_changes_nothing() -> None:
    harness = CommandHarness(create(contact()))
    assert harness.done(answer(by=CLIENT)).version == 2
    assert harness.done(answer(by=CLIENT)).version == 2
    assert len(harness.events) == 2


def test_a_guest_answers_by_the_id_in_their_link() -> None:
    harness = CommandHarness(create(guest()))
    participant = harness.uuid_of("jane.roe@example.com")
    assert harness.participant(answer(participant_uuid=participant)).participant_uuid == participant
    assert harness.refused(answer(participant_uuid="MP-OF-NOBODY")) is ErrorCode.PARTICIPANT_NOT_FOUND


def test_a_removed_guests_link_is_void() -> None:
    harness = CommandHarness(create(guest()))
    participant = harness.uuid_of("jane.roe@example.com")
    harness.done(update(externals=[]))
    assert harness.refused(answer(participant_uuid=participant)) is ErrorCode.PARTICIPANT_NOT_FOUND


def test_the_host_has_nothing_to_answer() -> None:
    assert CommandHarness(create(contact())).refused(answer(by=HOST)) is ErrorCode.FORBIDDEN


def test_a_decline_frees_the_time_and_an_answer_does_not_count_as_a_new_revision() -> None:
    harness = CommandHarness(create(staff()))
    harness.done(answer(RsvpStatus.DECLINED, by=COLLEAGUE))
    assert busy_user_ids(harness.meeting) == [HOST.user_id]
    assert harness.meeting.ical_sequence == 0


def test_an_answer_to_a_version_that_is_gone_is_refused() -> None:
    harness = CommandHarness(create(contact()), update(title="New"))
    assert harness.refused(answer(by=CLIENT, expected_versions=[1])) is ErrorCode.VERSION_STALE
    harness.done(answer(by=CLIENT, expected_versions=[2]))
