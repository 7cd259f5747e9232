"""Creating a meeting: who it belongs to, who is invited, what it may be."""

from datetime import datetime

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.meeting_events import MeetingCreated
from contracts.values.enums import ExternalSyncStatus, MeetingSource, MeetingStatus, ParticipantType, RsvpStatus
from contracts.values.meeting import Invitee

from tests.support.commands import HOST, MEETING, STRANGER, CommandHarness, contact, create, guest, staff


def test_the_caller_becomes_host_and_creator_and_is_no_participant() -> None:
    harness = CommandHarness()
    seen = harness.seen(create(staff(HOST.user_id), contact()))
    assert (seen.host_uuid, seen.created_by_uuid) == (HOST.user_id, HOST.user_id)
    assert (seen.host_type, seen.created_by_type) == (HOST.user_type, HOST.user_type)
    assert (seen.host_email, seen.host_name) == (HOST.email, HOST.name)
    assert (seen.organizer_email, seen.organizer_name) == (None, None)
    assert [one.participant_type for one in seen.participants] == [ParticipantType.CONTACT]
    assert seen.attendee_count == 1


def test_a_new_meeting_is_active_internal_and_in_no_outside_calendar() -> None:
    seen = CommandHarness().seen(create())
    assert seen.status is MeetingStatus.ACTIVE
    assert seen.source is MeetingSource.INTERNAL
    assert not seen.externally_organized
    assert seen.external_sync_status is ExternalSyncStatus.NOT_APPLICABLE
    assert seen.last_sync_operation is None
    assert not seen.show_external_calendar_icon
    assert seen.created_at == seen.updated_at


def test_creating_is_version_one_and_one_event_with_the_whole_public_state() -> None:
    harness = CommandHarness(create(contact(), guest()))
    (event,) = harness.events
    assert isinstance(event, MeetingCreated)
    assert event.meeting.meeting_uuid == MEETING
    assert [one.email for one in event.meeting.participants] == ["c-client@example.com", "jane.roe@example.com"]
    assert event.meeting.starts_at.isoformat() == "2026-06-15T19:00:00+00:00"
    (envelope,) = harness.envelopes
    assert (envelope.sequence, harness.meeting.version) == (1, 1)
    assert (envelope.subject, envelope.tenant) == (MEETING, HOST.tenant_uuid)


def test_everybody_invited_has_not_answered_yet_and_has_an_id_of_their_own() -> None:
    seen = CommandHarness().seen(create(contact(), staff(), guest()))
    assert {one.rsvp_status for one in seen.participants} == {RsvpStatus.UNKNOWN}
    assert len({one.participant_uuid for one in seen.participants}) == 3
    assert all(one.participant_uuid.startswith("MP") for one in seen.participants)


@pytest.mark.parametrize(
    ("invitees", "remaining"),
    [
        pytest.param([contact("C1"), contact("C1")], ["C1"], id="the same contact twice"),
        pytest.param([staff("TS1"), staff("TS1"), staff("PS1")], ["TS1", "PS1"], id="the same colleague twice"),
        pytest.param([guest("a@x.org"), guest("A@X.ORG")], [None], id="a guest twice, in another case"),
        pytest.param([contact("C1", email="a@x.org"), guest("A@x.org")], ["C1"], id="a guest who is a contact"),
        pytest.param([guest("a@x.org"), staff("TS1", email="A@x.org")], ["TS1"], id="a guest who is a colleague"),
        pytest.param([guest(HOST.email.upper())], [], id="a guest who is the host"),
        pytest.param([staff(HOST.user_id), contact(HOST.user_id)], [], id="the host's own id"),
        pytest.param(
            [contact("C1", email="family@x.org"), contact("C2", email="family@x.org")],
            ["C1", "C2"],
            id="two contacts who share an address stay two people",
        ),
    ],
)
def test_whoever_is_the_same_person_is_invited_once(invitees: list[Invitee], remaining: list[str | None]) -> None:
    seen = CommandHarness().seen(create(*invitees))
    assert [one.participant_entity_uuid for one in seen.participants] == remaining
    assert seen.attendee_count == len(remaining)


@pytest.mark.parametrize(
    ("start", "end", "zone", "accepted"),
    [
        pytest.param("2026-06-15T15:00:00", "2026-06-15T15:00:00", "America/Santiago", False, id="no time at all"),
        pytest.param("2026-06-15T15:00:00", "2026-06-15T14:00:00", "America/Santiago", False, id="backwards"),
        pytest.param("2026-06-15T00:00:00", "2027-06-16T00:00:00", "UTC", True, id="366 days"),
        pytest.param("2026-06-15T00:00:00", "2027-06-16T00:01:00", "UTC", False, id="longer than 366 days"),
        pytest.param(
            "2026-03-29T02:30:00",
            "2026-03-29T03:30:00",
            "Europe/Oslo",
            False,
            id="an hour the clock skipped is no time",
        ),
        pytest.param("2026-10-25T02:30:00", "2026-10-25T03:00:00", "Europe/Oslo", True, id="across the hour had twice"),
    ],
)
def test_the_end_is_after_the_start_as_instants_and_within_a_year(
    start: str, end: str, zone: str, accepted: bool
) -> None:
    harness = CommandHarness()
    command = create(
        start_date_time=datetime.fromisoformat(start), end_date_time=datetime.fromisoformat(end), timezone=zone
    )
    if accepted:
        harness.done(command)
        return
    reply = harness.decided(command)
    assert reply.error is not None
    assert reply.error.code == ErrorCode.VALIDATION_FAILED.code
    assert reply.error.details is not None
    assert reply.error.details[0].startswith("endDateTime: ")
    assert harness.uow.meeting is None
    assert harness.events == []


@pytest.mark.parametrize(
    ("start", "end", "zone", "all_day", "minutes"),
    [
        pytest.param("2026-06-15T15:00:00", "2026-06-15T15:45:00", "America/Santiago", False, 45, id="plain"),
        pytest.param("2026-03-29T01:00:00", "2026-03-29T04:00:00", "Europe/Oslo", False, 120, id="an hour is skipped"),
        pytest.param("2026-10-25T01:00:00", "2026-10-25T04:00:00", "Europe/Oslo", False, 240, id="an hour comes twice"),
        pytest.param("2026-06-15T15:00:00", "2026-06-15T23:59:59", "UTC", True, 1440, id="all day to 23:59:59"),
        pytest.param("2026-06-15T15:00:00", "2026-06-16T00:00:00", "UTC", True, 1440, id="all day to midnight"),
        pytest.param("2026-06-15T00:00:00", "2026-06-16T00:00:01", "UTC", True, 2880, id="all day into the next"),
        pytest.param("2026-10-25T00:00:00", "2026-10-25T23:00:00", "Europe/Oslo", True, 1500, id="a day of 25 hours"),
    ],
)
def test_the_duration_is_the_real_time_that_passes(
    start: str, end: str, zone: str, all_day: bool, minutes: int
) -> None:
    seen = CommandHarness().seen(
        create(
            start_date_time=datetime.fromisoformat(start),
            end_date_time=datetime.fromisoformat(end),
            timezone=zone,
            all_day=all_day,
        )
    )
    assert seen.duration_minutes == minutes
    assert (seen.start_date_time.isoformat(), seen.end_date_time.isoformat()) == (start, end)


@pytest.mark.parametrize(("guests", "accepted"), [(500, True), (501, False)])
def test_at_most_500_participants(guests: int, accepted: bool) -> None:
    harness = CommandHarness()
    command = create(*(guest(f"guest{number}@example.com") for number in range(guests)))
    if accepted:
        assert harness.seen(command).attendee_count == guests
    else:
        assert harness.refused(command) is ErrorCode.VALIDATION_FAILED


def test_a_meeting_of_another_tenant_is_never_overwritten() -> None:
    harness = CommandHarness(create(contact()))
    assert harness.refused(create(by=STRANGER)) is ErrorCode.MEETING_NOT_FOUND
    assert harness.meeting.tenant_uuid == HOST.tenant_uuid
    assert len(harness.events) == 1
