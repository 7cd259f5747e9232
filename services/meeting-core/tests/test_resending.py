"""Resending invitations: who is mailed again, who is skipped, and what the host is told, also at a repeat."""

from datetime import timedelta

import pytest
from contracts.api.errors import ErrorCode
from contracts.api.meetings import ResendInvitation
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import AnswerInvitation, RequestInvitationResend
from contracts.messages.meeting_events import InvitationResent
from contracts.messages.replies import Outcome, Reply
from contracts.values.enums import ParticipantType, RsvpStatus
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import Invitee
from meeting_core.application.commands import Rules, execute_command

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    MEETING,
    OUTSIDER,
    STRANGER,
    TENANT,
    CommandHarness,
    cancel,
    contact,
    create,
    guest,
    staff,
)

NO_ADDRESS = Invitee(participant_type=ParticipantType.CONTACT, participant_entity_uuid="C-MUTE", name="Mute")
COOLDOWN = timedelta(seconds=60)


def resend(participant_uuid: str | None = None, *, by: Actor = HOST, command_id: str = "") -> RequestInvitationResend:
    return RequestInvitationResend(
        command_id=command_id or uuid7_hex(),
        fingerprint="",
        meeting_uuid=MEETING,
        actor=by,
        participant_uuid=participant_uuid,
    )


def told(reply: Reply) -> dict[str | None, bool]:
    """Per recipient, by address: whether they are mailed again, rather than skipped."""
    assert reply.outcome is Outcome.OK, reply.error
    listed: list[ResendInvitation] = reply.data if isinstance(reply.data, list) else [reply.data]
    return {one.email: one.last_invitation_resent_at is not None for one in listed}


JANE, JOHN = "jane.roe@example.com", "john.roe@example.com"


def test_everyone_is_mailed_again_but_who_has_no_address() -> None:
    harness = CommandHarness(create(guest(JANE), contact(), NO_ADDRESS))
    assert told(harness.done(resend())) == {"c-client@example.com": True, JANE: True, None: False}
    event = harness.events[-1]
    assert isinstance(event, InvitationResent)
    assert set(event.participant_uuids) == {harness.uuid_of(JANE), harness.uuid_of("c-client@example.com")}
    assert (harness.meeting.version, len(harness.events)) == (2, 2)
    assert event.meeting.ical_sequence == 0


def test_one_is_mailed_again_and_the_time_shows_in_the_meeting() -> None:
    harness = CommandHarness(create(guest(JANE), guest(JOHN)))
    reply = harness.done(resend(harness.uuid_of(JANE)))
    assert isinstance(reply.data, ResendInvitation)
    assert (reply.data.email, reply.data.last_invitation_resent_at) == (JANE, harness.now)
    assert {one.email: one.last_invitation_resent_at for one in harness.meeting.participants} == {
        JANE: harness.now,
        JOHN: None,
    }


@pytest.mark.parametrize(("seconds", "mailed"), [(0, False), (59.999, False), (60, True)])
def test_within_the_cooldown_a_recipient_is_skipped(seconds: float, *, mailed: bool) -> None:
    harness = CommandHarness(create(guest(JANE)), resend())
    later = harness.now + timedelta(seconds=seconds)
    assert told(execute_command(harness.uow, resend(), later, rules=Rules(resend_cooldown=COOLDOWN))) == {JANE: mailed}
    assert harness.meeting.version == (3 if mailed else 2)
    assert len(harness.events) == (3 if mailed else 2)
    [jane] = harness.meeting.participants
    assert jane.last_invitation_resent_at == (later if mailed else harness.now)


def test_the_cooldown_is_a_setting() -> None:
    harness = CommandHarness(create(guest(JANE)), resend())
    assert told(execute_command(harness.uow, resend(), harness.now, rules=Rules(resend_cooldown=timedelta()))) == {
        JANE: True
    }


def test_each_recipient_has_their_own_cooldown() -> None:
    harness = CommandHarness(create(guest(JANE), guest(JOHN)))
    harness.done(resend(harness.uuid_of(JANE)))
    reply = execute_command(harness.uow, resend(), harness.now + timedelta(seconds=1))
    assert told(reply) == {JANE: False, JOHN: True}
    event = harness.events[-1]
    assert isinstance(event, InvitationResent)
    assert event.participant_uuids == [harness.uuid_of(JOHN)]


def test_a_repeat_is_answered_as_the_first_time_and_mails_nobody() -> None:
    harness = CommandHarness(create(guest(JANE), guest(JOHN)))
    harness.done(resend(harness.uuid_of(JANE)))
    everyone, nobody = resend(), resend()
    first = told(execute_command(harness.uow, everyone, harness.now))
    skipped = told(execute_command(harness.uow, nobody, harness.now))
    assert (first, skipped) == ({JANE: False, JOHN: True}, {JANE: False, JOHN: False})
    later = harness.now + timedelta(hours=1)
    assert told(execute_command(harness.uow, everyone, later)) == first
    assert told(execute_command(harness.uow, nobody, later)) == skipped
    assert harness.meeting.version == 3


def test_a_canceled_meeting_cannot_be_resent() -> None:
    harness = CommandHarness(create(guest(JANE)), cancel())
    assert harness.refused(resend()) is ErrorCode.MEETING_CANCELED
    assert harness.refused(resend(harness.uuid_of(JANE))) is ErrorCode.MEETING_CANCELED


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (CLIENT, ErrorCode.FORBIDDEN),
        (COLLEAGUE, ErrorCode.FORBIDDEN),
        (OUTSIDER, ErrorCode.FORBIDDEN),
        (STRANGER, ErrorCode.MEETING_NOT_FOUND),
    ],
)
def test_only_host_and_creator_may_resend(by: Actor, code: ErrorCode) -> None:
    harness = CommandHarness(create(contact(), staff(), guest(JANE)))
    assert harness.refused(resend(by=by)) is code
    assert harness.refused(resend(harness.uuid_of(JANE), by=by)) is code


def test_an_unknown_participant_is_named() -> None:
    assert CommandHarness(create(guest(JANE))).refused(resend("MP-UNKNOWN")) is ErrorCode.PARTICIPANT_NOT_FOUND


# --- what a guest's link may do ----------------------------------------------------------------------------------


def by_link(harness: CommandHarness, *, tenant: str | None, participant_uuid: str | None = None) -> AnswerInvitation:
    return AnswerInvitation(
        command_id=uuid7_hex(),
        fingerprint="",
        meeting_uuid=MEETING,
        participant_uuid=participant_uuid or harness.uuid_of(JANE),
        tenant_uuid=tenant,
        status=RsvpStatus.ACCEPTED,
    )


@pytest.mark.parametrize("tenant", [TENANT, None])
def test_a_guest_answers_with_the_tenant_that_the_link_proves_or_with_none(tenant: str | None) -> None:
    harness = CommandHarness(create(guest(JANE)))
    assert harness.participant(by_link(harness, tenant=tenant)).rsvp_status is RsvpStatus.ACCEPTED


def test_a_link_of_another_tenant_finds_nothing_and_leaves_no_trace() -> None:
    harness = CommandHarness(create(guest(JANE)))
    harness.uow.is_dirty = False
    assert harness.refused(by_link(harness, tenant="T-OTHER")) is ErrorCode.MEETING_NOT_FOUND
    assert not harness.uow.is_dirty


def test_who_is_no_participant_leaves_no_trace() -> None:
    harness = CommandHarness(create(guest(JANE)))
    harness.uow.is_dirty = False
    assert harness.refused(by_link(harness, tenant=None, participant_uuid="MP-X")) is ErrorCode.PARTICIPANT_NOT_FOUND
    assert not harness.uow.is_dirty
