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
    Desk,
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
    desk = Desk(create(contact()))
    seen = desk.seen(cancel())
    assert seen.status is MeetingStatus.CANCELED
    event = desk.events[-1]
    assert isinstance(event, MeetingCanceled)
    assert event.meeting.status is MeetingStatus.CANCELED
    assert (event.meeting.ical_sequence, desk.meeting.version) == (1, 2)
    assert [one.email for one in event.meeting.participants] == ["c-client@example.com"]


def test_canceled_is_the_end() -> None:
    desk = Desk(create(contact(), guest()), cancel())
    guests_uuid = desk.uuid_of("jane.roe@example.com")
    for command in (update(title="New"), cancel(), answer(by=CLIENT), answer(participant_uuid=guests_uuid)):
        assert desk.refused(command) is ErrorCode.MEETING_CANCELED
    assert desk.meeting.version == 2


def test_a_canceled_meeting_takes_nobodys_time() -> None:
    desk = Desk(create(staff()))
    assert busy_user_ids(desk.meeting) == sorted([HOST.user_id, COLLEAGUE.user_id])
    desk.done(cancel())
    assert busy_user_ids(desk.meeting) == []


def test_only_a_canceled_meeting_can_be_hidden() -> None:
    assert Desk(create()).refused(hide()) is ErrorCode.MEETING_NOT_CANCELED


def test_hiding_takes_it_off_the_callers_calendar_alone_and_hiding_twice_changes_nothing() -> None:
    desk = Desk(create(contact(), staff()), cancel())
    desk.done(hide(by=CLIENT))
    assert desk.meeting.visible_to_user_ids == sorted([COLLEAGUE.user_id, HOST.user_id])
    event = desk.events[-1]
    assert isinstance(event, MeetingRemovedFromCalendar)
    assert event.user_uuid == CLIENT.user_id
    assert desk.done(hide(by=CLIENT)).version == 3
    assert len(desk.events) == 3
    desk.done(hide())
    assert desk.meeting.visible_to_user_ids == [COLLEAGUE.user_id]


@pytest.mark.parametrize(
    ("who", "code"),
    [(OUTSIDER, ErrorCode.FORBIDDEN), (STRANGER, ErrorCode.MEETING_NOT_FOUND)],
)
def test_who_does_not_see_a_meeting_can_do_nothing_with_it(who: Actor, code: ErrorCode) -> None:
    desk = Desk(create(contact()))
    assert desk.refused(update(by=who, title="Mine")) is code
    assert desk.refused(update(by=who, title="Mine", expected_versions=[7])) is code
    assert desk.refused(cancel(by=who)) is code
    assert desk.refused(answer(by=who)) is code
    desk.done(cancel())
    assert desk.refused(hide(by=who)) is code
    assert len(desk.events) == 2


@pytest.mark.parametrize("who", [COLLEAGUE, CLIENT])
def test_participants_may_not_cancel(who: Actor) -> None:
    assert Desk(create(contact(), staff())).refused(cancel(by=who)) is ErrorCode.FORBIDDEN


def test_nothing_can_be_done_to_a_meeting_that_never_was() -> None:
    for command in (update(title="New"), cancel(), hide(), answer(by=CLIENT), answer(participant_uuid="MP1")):
        assert Desk().refused(command) is ErrorCode.MEETING_NOT_FOUND


def test_a_participant_answers_as_who_they_are_and_may_change_their_mind() -> None:
    desk = Desk(create(contact(), staff()))
    assert desk.participant(answer(RsvpStatus.ACCEPTED, by=CLIENT)).rsvp_status is RsvpStatus.ACCEPTED
    declined = desk.participant(answer(RsvpStatus.DECLINED, by=CLIENT))
    assert (declined.rsvp_status, declined.participant_entity_uuid) == (RsvpStatus.DECLINED, CLIENT.user_id)
    event = desk.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert (event.participant_uuid, event.rsvp_status) == (declined.participant_uuid, RsvpStatus.DECLINED)
    assert [one.rsvp_status for one in event.meeting.participants] == [RsvpStatus.DECLINED, RsvpStatus.UNKNOWN]


def test_the_same_answer_again_changes_nothing() -> None:
    desk = Desk(create(contact()))
    assert desk.done(answer(by=CLIENT)).version == 2
    assert desk.done(answer(by=CLIENT)).version == 2
    assert len(desk.events) == 2


def test_a_guest_answers_by_the_id_in_their_link() -> None:
    desk = Desk(create(guest()))
    participant = desk.uuid_of("jane.roe@example.com")
    assert desk.participant(answer(participant_uuid=participant)).participant_uuid == participant
    assert desk.refused(answer(participant_uuid="MP-OF-NOBODY")) is ErrorCode.PARTICIPANT_NOT_FOUND


def test_a_removed_guests_link_is_void() -> None:
    desk = Desk(create(guest()))
    participant = desk.uuid_of("jane.roe@example.com")
    desk.done(update(externals=[]))
    assert desk.refused(answer(participant_uuid=participant)) is ErrorCode.PARTICIPANT_NOT_FOUND


def test_the_host_has_nothing_to_answer() -> None:
    assert Desk(create(contact())).refused(answer(by=HOST)) is ErrorCode.FORBIDDEN


def test_a_decline_frees_the_time_and_an_answer_does_not_count_as_a_new_revision() -> None:
    desk = Desk(create(staff()))
    desk.done(answer(RsvpStatus.DECLINED, by=COLLEAGUE))
    assert busy_user_ids(desk.meeting) == [HOST.user_id]
    assert desk.meeting.ical_sequence == 0


def test_an_answer_to_a_version_that_is_gone_is_refused() -> None:
    desk = Desk(create(contact()), update(title="New"))
    assert desk.refused(answer(by=CLIENT, expected_versions=[1])) is ErrorCode.VERSION_STALE
    desk.done(answer(by=CLIENT, expected_versions=[2]))
