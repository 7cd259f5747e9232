"""What each kind of viewer sees of a meeting and may do with it."""

import pytest
from contracts.api.errors import ErrorCode
from contracts.api.meetings import MeetingView
from contracts.messages.command import Actor
from contracts.values.enums import ExternalSyncStatus, ParticipantType, RsvpStatus, SyncFailureCode, SyncOperation
from meeting_core.domain.access import is_visible_to
from meeting_core.domain.sync_state import SyncState
from meeting_core.domain.views import Viewer

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
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

CREATOR = COLLEAGUE.model_copy(update={"user_id": "TS-CREATOR"})
VIEWERS = {"host": HOST, "creator": CREATOR, "colleague": COLLEAGUE, "client": CLIENT}
MANAGERS = ("host", "creator")


@pytest.fixture
def harness() -> CommandHarness:
    """A meeting that somebody else created for its host, with a client, a colleague and a guest."""
    harness = CommandHarness(
        create(contact(), staff(), guest(name="Jane Roe", language="SPANISH", country_code="+1", phone="5551234567"))
    )
    harness.meeting.hosted = harness.meeting.hosted.model_copy(update={"created_by_uuid": CREATOR.user_id})
    return harness


def full(harness: CommandHarness, viewer: Actor) -> MeetingView:
    return Viewer(harness.meeting, viewer).full()


@pytest.mark.parametrize("name", VIEWERS)
def test_flags_of_an_active_meeting_say_what_the_endpoints_would_do(harness: CommandHarness, name: str) -> None:
    viewer = VIEWERS[name]
    seen, summary = full(harness, viewer), Viewer(harness.meeting, viewer).summary()
    manages = name in MANAGERS
    for view in (seen, summary):
        assert (view.can_edit, view.can_cancel, view.can_resend) == (manages, manages, manages)
        assert not view.can_remove_from_calendar
    assert {one.can_resend for one in seen.participants} == {manages}
    assert (harness.decided(update(by=viewer, title="Checked")).error is None) is manages
    assert (harness.decided(cancel(by=viewer)).error is None) is manages


@pytest.mark.parametrize("name", VIEWERS)
def test_flags_of_a_canceled_meeting_say_what_the_endpoints_would_do(harness: CommandHarness, name: str) -> None:
    viewer = VIEWERS[name]
    harness.done(cancel())
    seen = full(harness, viewer)
    assert (seen.can_edit, seen.can_cancel, seen.can_resend, seen.can_retry_sync) == (False, False, False, False)
    assert {one.can_resend for one in seen.participants} == {False}
    on_calendar = viewer.user_id in harness.meeting.visible_to_user_ids
    assert seen.can_remove_from_calendar is on_calendar
    assert harness.decided(hide(by=viewer)).error is None
    assert not full(harness, viewer).can_remove_from_calendar


@pytest.mark.parametrize("name", VIEWERS)
def test_internal_notes_are_for_staff(harness: CommandHarness, name: str) -> None:
    expected = None if name == "client" else "Bring the updated IPS draft."
    assert full(harness, VIEWERS[name]).internal_notes == expected


def test_a_client_learns_of_others_who_are_no_staff_only_name_type_and_answer(harness: CommandHarness) -> None:
    seen = {one.participant_type: one for one in full(harness, CLIENT).participants}
    stranger = seen[ParticipantType.EXTERNAL]
    assert (stranger.name, stranger.rsvp_status, stranger.can_resend) == ("Jane Roe", RsvpStatus.UNKNOWN, False)
    shown = {name for name, value in stranger.model_dump(exclude_none=True).items()}
    assert shown == {"participantType", "name", "rsvpStatus", "canResend"}
    for kind in (ParticipantType.CONTACT, ParticipantType.TENANT_STAFF):  # the client, and a colleague
        assert seen[kind].participant_uuid
        assert seen[kind].participant_entity_uuid
        assert seen[kind].email
    for viewer in (HOST, COLLEAGUE):
        assert all(one.participant_uuid and one.email for one in full(harness, viewer).participants)


def test_a_client_who_hosts_sees_whom_they_invited() -> None:
    assert [one.email for one in CommandHarness().seen(create(guest(), by=CLIENT)).participants] == [
        "jane.roe@example.com"
    ]


def test_a_client_who_hosts_reads_no_internal_notes_either() -> None:
    harness = CommandHarness()
    assert harness.seen(create(by=CLIENT)).internal_notes is None
    assert harness.seen(update(by=CLIENT, title="New")).internal_notes is None
    assert harness.seen(cancel(by=CLIENT)).internal_notes is None


def test_neither_internal_notes_nor_the_password_are_in_any_event(harness: CommandHarness) -> None:
    harness.done(update(internal_notes="A new secret note", meeting_password="a new secret word"))
    harness.done(answer(by=CLIENT))
    harness.done(cancel())
    told = b"".join(said.value for said in harness.uow.new_records)
    for secret in (b"IPS", b"open sesame", b"secret"):
        assert secret not in told
    for field in (b'"internalNotes":', b'"meetingPassword":'):
        assert field not in told


def test_telephone_and_language_are_shown_of_outside_guests_only(harness: CommandHarness) -> None:
    client, colleague, outside = full(harness, HOST).participants
    assert (outside.language, outside.country_code, outside.phone) == ("SPANISH", "+1", "5551234567")
    for one in (client, colleague):
        assert (one.language, one.country_code, one.phone) == (None, None, None)


def test_a_summary_tells_the_callers_own_answer_and_none_of_the_hosts(harness: CommandHarness) -> None:
    harness.done(answer(by=CLIENT))
    answers = {name: Viewer(harness.meeting, viewer).summary().rsvp_status for name, viewer in VIEWERS.items()}
    assert answers == {"host": None, "creator": None, "colleague": "UNKNOWN", "client": "ACCEPTED"}


@pytest.mark.parametrize("name", VIEWERS)
@pytest.mark.parametrize("code", [SyncFailureCode.PROVIDER_UNAVAILABLE, SyncFailureCode.INVALID_REQUEST])
def test_a_failed_sync_is_shown_to_host_and_creator_and_retried_if_its_cause_can_pass(
    harness: CommandHarness, name: str, code: SyncFailureCode
) -> None:
    harness.meeting.sync = SyncState(
        status=ExternalSyncStatus.FAILED,
        last_operation=SyncOperation.CREATE,
        failed_at=harness.now,
        failure_code=code,
        failure_reason="The calendar did not answer",
    )
    seen = full(harness, VIEWERS[name])
    manages = name in MANAGERS
    assert seen.external_sync_status is ExternalSyncStatus.FAILED
    assert seen.external_sync_failure_visible_to_viewer is manages
    assert seen.can_retry_sync is (manages and code is SyncFailureCode.PROVIDER_UNAVAILABLE)
    shown = (seen.sync_failed_at, seen.sync_failure_code, seen.sync_failure_reason)
    assert shown == ((harness.now, code, "The calendar did not answer") if manages else (None, None, None))


def test_who_is_not_on_the_meeting_is_not_admitted(harness: CommandHarness) -> None:
    for viewer in VIEWERS.values():
        assert is_visible_to(harness.meeting, viewer.user_id)
    assert not is_visible_to(harness.meeting, "TS-OUTSIDER")
    assert not is_visible_to(harness.meeting, "")
    assert harness.refused(cancel(by=CLIENT)) is ErrorCode.FORBIDDEN
