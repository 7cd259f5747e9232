"""Updating a meeting: what stays, what goes, who keeps their answer, and when nothing has changed."""

from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.meeting_events import MeetingEvent, MeetingUpdated
from contracts.values.enums import LocationType, RsvpStatus
from meeting_core.domain.access import is_visible_to

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    CommandHarness,
    answer,
    at,
    cancel,
    contact,
    create,
    guest,
    staff,
    update,
)


def updated(harness: CommandHarness) -> MeetingUpdated:
    """The last event, which tells of an update."""
    event: MeetingEvent = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    return event


def test_what_is_omitted_or_null_stays() -> None:
    harness = CommandHarness(create(contact()))
    before = harness.meeting.content
    seen = harness.seen(update(title="Another title", description=None))
    assert seen.title == "Another title"
    assert harness.meeting.content == before.model_copy(update={"title": "Another title"})
    assert updated(harness).changed == ["title"]


def test_an_empty_string_clears() -> None:
    seen = CommandHarness(create()).seen(update(description="", title=""))
    assert (seen.description, seen.title) == (None, None)


def test_one_update_is_one_version_and_one_event_in_sequence() -> None:
    harness = CommandHarness(create(), update(title="A"), update(description="B", location_detail="C"))
    assert harness.meeting.version == 3
    assert [envelope.sequence for envelope in harness.envelopes] == [1, 2, 3]
    assert set(updated(harness).changed) == {"description", "locationDetail"}
    assert harness.meeting.updated_at > harness.meeting.created_at


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="nothing at all"),
        pytest.param({"title": "Quarterly portfolio review"}, id="the title it has"),
        pytest.param({"start_date_time": at("15:00")}, id="the start it has"),
        pytest.param({"meeting_information": ""}, id="clearing what is empty"),
        pytest.param({"externals": [guest("JANE.ROE@example.com"), guest()]}, id="the guest it has, in another case"),
        pytest.param({"contacts": [contact(), contact()], "staff": [staff()]}, id="the people it has"),
    ],
)
def test_a_change_of_nothing_changes_nothing(changes: dict[str, Any]) -> None:
    harness = CommandHarness(create(contact(), staff(), guest("JANE.ROE@example.com")))
    reply = harness.done(update(**changes))
    assert reply.version == 1
    assert len(harness.events) == 1
    assert harness.meeting.updated_at == harness.meeting.created_at


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"start_date_time": at("15:30")}, id="start"),
        pytest.param({"end_date_time": at("16:30")}, id="end"),
        pytest.param({"timezone": "America/Bogota"}, id="zone"),
        pytest.param({"all_day": True}, id="all day"),
        pytest.param({"location_type": LocationType.IN_PERSON}, id="kind of place"),
        pytest.param({"location_detail": "Room 5"}, id="place"),
    ],
)
def test_a_new_time_zone_or_place_asks_everybody_again(changes: dict[str, Any]) -> None:
    harness = CommandHarness(create(contact(), guest()))
    harness.done(answer(by=CLIENT))
    before = harness.meeting.ical_sequence
    seen = harness.seen(update(**changes))
    assert {one.rsvp_status for one in seen.participants} == {RsvpStatus.UNKNOWN}
    assert updated(harness).rescheduled
    assert harness.meeting.ical_sequence == before + 1
    assert updated(harness).meeting.ical_sequence == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"title": "New"}, id="title"),
        pytest.param({"description": "New"}, id="description"),
        pytest.param({"meeting_link": "https://meet.example.com/1"}, id="link"),
        pytest.param({"internal_notes": "New"}, id="internal notes"),
        pytest.param({"meeting_password": "new"}, id="password"),
    ],
)
def test_any_other_change_keeps_the_answers(changes: dict[str, Any]) -> None:
    harness = CommandHarness(create(contact(), guest()))
    harness.done(answer(by=CLIENT))
    seen = harness.seen(update(**changes))
    assert [one.rsvp_status for one in seen.participants] == [RsvpStatus.ACCEPTED, RsvpStatus.UNKNOWN]
    assert not updated(harness).rescheduled
    assert harness.meeting.version == 3


def test_what_guests_do_not_see_is_no_new_revision_of_their_invitation() -> None:
    harness = CommandHarness(create(guest()))
    harness.done(update(internal_notes="New"))
    assert harness.meeting.ical_sequence == 0
    harness.done(update(title="New"))
    assert harness.meeting.ical_sequence == 1
    harness.done(update(meeting_password="new"))
    assert harness.meeting.ical_sequence == 2


def test_who_stays_keeps_participant_uuid_and_answer_who_goes_and_comes_is_named() -> None:
    harness = CommandHarness(create(contact("C-CLIENT"), contact("C2"), guest()))
    harness.done(answer(by=CLIENT))
    before = {one.email: one for one in harness.meeting.participants}
    seen = harness.seen(update(contacts=[contact("C3"), contact("C-CLIENT")]))
    after = {one.email: one for one in seen.participants}
    assert set(after) == {"c-client@example.com", "c3@example.com", "jane.roe@example.com"}
    for email in ("c-client@example.com", "jane.roe@example.com"):
        assert after[email].participant_uuid == before[email].participant_uuid
    assert after["c-client@example.com"].rsvp_status is RsvpStatus.ACCEPTED
    event = updated(harness)
    assert event.changed == ["participants"]
    assert event.added == [after["c3@example.com"].participant_uuid]
    assert [(one.participant_uuid, one.email) for one in event.removed] == [
        (before["c2@example.com"].participant_uuid, "c2@example.com")
    ]
    assert not event.rescheduled


@pytest.mark.parametrize(
    ("lists", "remaining"),
    [
        ({"contacts": []}, {"ts-colleague@example.com", "ps1@example.com", "jane.roe@example.com"}),
        ({"staff": []}, {"c-client@example.com", "jane.roe@example.com"}),
        ({"externals": []}, {"c-client@example.com", "ts-colleague@example.com", "ps1@example.com"}),
        ({"contacts": [], "staff": [], "externals": []}, set[str]()),
        ({"staff": [staff("PS1")]}, {"c-client@example.com", "ps1@example.com", "jane.roe@example.com"}),
    ],
)
def test_a_list_replaces_the_participants_of_its_kind_only(lists: dict[str, Any], remaining: set[str]) -> None:
    harness = CommandHarness(create(contact(), staff(), staff("PS1"), guest()))
    seen = harness.seen(update(**lists))
    assert {one.email for one in seen.participants} == remaining
    assert {one.email for one in updated(harness).removed} == {
        "c-client@example.com",
        "ts-colleague@example.com",
        "ps1@example.com",
        "jane.roe@example.com",
    } - remaining


def test_the_host_stays_no_participant_whatever_the_lists_say() -> None:
    harness = CommandHarness(create(contact()))
    seen = harness.seen(update(staff=[staff(HOST.user_id)], externals=[guest(HOST.email.upper())], title="New"))
    assert [one.email for one in seen.participants] == ["c-client@example.com"]


def test_a_guest_who_turns_out_to_be_a_platform_person_is_that_person_and_not_told_to_go() -> None:
    harness = CommandHarness(create(guest("ana@example.com")))
    seen = harness.seen(update(contacts=[contact("C1", email="Ana@Example.com")]))
    assert [one.participant_entity_uuid for one in seen.participants] == ["C1"]
    assert updated(harness).removed == []


def test_a_guest_given_again_with_another_name_keeps_their_answer() -> None:
    harness = CommandHarness(create(guest(name="Jane")))
    participant = harness.uuid_of("jane.roe@example.com")
    harness.done(answer(participant_uuid=participant))
    (seen,) = harness.seen(update(externals=[guest("Jane.Roe@example.com", name="Jane Roe")])).participants
    assert (seen.participant_uuid, seen.rsvp_status, seen.name) == (participant, RsvpStatus.ACCEPTED, "Jane Roe")


def test_who_was_removed_no_longer_sees_the_meeting() -> None:
    harness = CommandHarness(create(contact(), staff()))
    harness.done(update(contacts=[]))
    assert harness.refused(answer(by=CLIENT)) is ErrorCode.FORBIDDEN
    assert not is_visible_to(harness.meeting, CLIENT.user_id)
    assert CLIENT.user_id not in harness.meeting.visible_to_user_ids


def test_a_part_of_the_schedule_is_checked_together_with_the_rest() -> None:
    harness = CommandHarness(create())
    assert harness.refused(update(end_date_time=at("15:00"))) is ErrorCode.VALIDATION_FAILED
    assert harness.refused(update(start_date_time=at("16:00"))) is ErrorCode.VALIDATION_FAILED
    assert harness.meeting.version == 1


def test_at_most_500_participants_together() -> None:
    harness = CommandHarness(create(*(contact(f"C{number}") for number in range(500))))
    assert harness.refused(update(externals=[guest()])) is ErrorCode.VALIDATION_FAILED
    assert harness.meeting.version == 1


def test_only_host_and_creator_may_update() -> None:
    harness = CommandHarness(create(contact(), staff()))
    assert harness.refused(update(by=COLLEAGUE, title="Mine")) is ErrorCode.FORBIDDEN
    harness.meeting.hosted = harness.meeting.hosted.model_copy(update={"created_by_uuid": COLLEAGUE.user_id})
    harness.done(update(by=COLLEAGUE, title="Mine"))


def test_a_canceled_meeting_cannot_be_updated() -> None:
    harness = CommandHarness(create(), cancel())
    assert harness.refused(update(title="New")) is ErrorCode.MEETING_CANCELED


def test_a_stale_version_is_refused_and_a_current_one_is_not() -> None:
    harness = CommandHarness(create(), update(title="A"))
    assert harness.refused(update(title="B", expected_versions=[1])) is ErrorCode.VERSION_STALE
    assert harness.refused(update(title="B", expected_versions=[])) is ErrorCode.VERSION_STALE
    assert harness.refused(cancel(expected_versions=[1, 3])) is ErrorCode.VERSION_STALE
    assert harness.done(update(title="B", expected_versions=[1, 2])).version == 3
