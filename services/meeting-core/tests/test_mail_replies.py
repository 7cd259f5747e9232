"""What guests reply by mail, and what it makes of their answer."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts.messages.invitation_events import (
    DeliveryEvent,
    GuestProposedNewTime,
    GuestReplied,
    MailDelivered,
    MailFailed,
)
from contracts.messages.meeting_events import (
    InvitationDelivered,
    InvitationFailed,
    ParticipantProposedNewTime,
    ParticipantResponded,
)
from contracts.values.changes import ActorRef
from contracts.values.enums import ActorType, DeliveryFailureCode, MailKind, RsvpStatus, Way
from meeting_core.application.event_handlers import apply_delivery, apply_mail_reply
from meeting_core.domain.participants import Participant

from tests.support.commands import MEETING, TENANT, CommandHarness, answer, at, cancel, create, guest, update

UNKNOWN, ACCEPTED, DECLINED = RsvpStatus.UNKNOWN, RsvpStatus.ACCEPTED, RsvpStatus.DECLINED
NOW = datetime(2026, 6, 1, 13, tzinfo=UTC)


@pytest.fixture
def harness() -> CommandHarness:
    return CommandHarness(create(guest()))


def jane(harness: CommandHarness) -> Participant:
    return harness.meeting.participants[0]


def replied(
    harness: CommandHarness,
    status: RsvpStatus = ACCEPTED,
    *,
    sequence: int | None = 0,
    minutes: int = 0,
    tentative: bool = False,
    tenant: str = TENANT,
) -> RsvpStatus:
    """The guest's answer after their mail program has replied so many minutes from now."""
    reply = GuestReplied(
        tenant_uuid=tenant,
        meeting_uuid=MEETING,
        participant_uuid=jane(harness).participant_uuid,
        reply_id=f"{status}-{minutes}",
        ical_sequence=sequence,
        replied_at=NOW + timedelta(minutes=minutes),
        rsvp_status=status,
        tentative=tentative,
    )
    apply_mail_reply(harness.uow, reply, NOW + timedelta(minutes=minutes))
    return jane(harness).rsvp_status


def test_a_reply_is_an_answer_and_the_event_says_by_which_way(harness: CommandHarness) -> None:
    assert replied(harness) is ACCEPTED
    event = harness.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert (event.rsvp_status, event.actor.way, event.tentative) == (ACCEPTED, Way.MAIL_REPLY, False)


@pytest.mark.parametrize(("tenant", "way"), [(TENANT, Way.MAIL_LINK), (None, Way.UNSIGNED_LINK)])
def test_answers_by_link_say_their_way(harness: CommandHarness, tenant: str | None, way: Way) -> None:
    harness.done(answer(participant_uuid=jane(harness).participant_uuid, tenant_uuid=tenant))
    event = harness.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert event.actor == ActorRef(id=jane(harness).participant_uuid, type=ActorType.GUEST, way=way)


def test_a_tentative_reply_is_noted_and_takes_back_an_answer(harness: CommandHarness) -> None:
    replied(harness)
    assert replied(harness, UNKNOWN, tentative=True, minutes=1) is UNKNOWN
    event = harness.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert event.tentative
    assert jane(harness).tentative
    assert replied(harness, DECLINED, minutes=2) is DECLINED
    assert not jane(harness).tentative


def test_the_same_reply_again_changes_nothing_also_after_a_newer_answer(harness: CommandHarness) -> None:
    replied(harness)
    events = len(harness.events)
    replied(harness)
    assert len(harness.events) == events
    assert replied(harness, DECLINED, minutes=5) is DECLINED
    assert replied(harness, ACCEPTED) is DECLINED


def test_a_reply_to_an_earlier_time_does_not_count_and_to_an_earlier_title_it_does(harness: CommandHarness) -> None:
    harness.done(update(title="New"))
    assert replied(harness, sequence=0) is ACCEPTED
    harness.done(update(start_date_time=at("14:00")))
    assert jane(harness).rsvp_status is UNKNOWN
    assert replied(harness, sequence=1, minutes=60) is UNKNOWN
    assert replied(harness, sequence=2, minutes=60) is ACCEPTED


def test_a_reply_without_a_sequence_counts(harness: CommandHarness) -> None:
    harness.done(update(start_date_time=at("14:00")))
    assert replied(harness, sequence=None, minutes=60) is ACCEPTED


def test_replies_to_what_is_over_or_of_others_change_nothing(harness: CommandHarness) -> None:
    assert replied(harness, tenant="T-OTHER") is UNKNOWN
    harness.done(cancel())
    events = len(harness.events)
    assert replied(harness) is UNKNOWN
    assert len(harness.events) == events


def test_a_proposal_is_told_once_and_changes_neither_time_nor_answer(harness: CommandHarness) -> None:
    replied(harness)
    proposal = GuestProposedNewTime(
        tenant_uuid=TENANT,
        meeting_uuid=MEETING,
        participant_uuid=jane(harness).participant_uuid,
        reply_id="P",
        ical_sequence=0,
        replied_at=NOW,
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        comment="Later?",
    )
    before = harness.meeting.content
    apply_mail_reply(harness.uow, proposal, NOW)
    apply_mail_reply(harness.uow, proposal, NOW)
    told = [event for event in harness.events if isinstance(event, ParticipantProposedNewTime)]
    assert [(one.starts_at, one.comment) for one in told] == [(NOW, "Later?")]
    assert (harness.meeting.content, jane(harness).rsvp_status) == (before, ACCEPTED)


def test_a_mail_that_came_back_is_a_failure_and_what_came_before_it_is_no_news(harness: CommandHarness) -> None:
    mail = {
        "meeting_uuid": MEETING,
        "participant_uuid": jane(harness).participant_uuid,
        "kind": MailKind.INVITATION,
        "sequence": 1,
        "at": NOW,
    }
    delivered = MailDelivered.model_validate(mail)
    code = DeliveryFailureCode.ADDRESS_REJECTED
    returned = MailFailed.model_validate(mail | {"failure_code": code, "failure_reason": "550"})
    mails: list[DeliveryEvent] = [delivered, returned, delivered, returned]
    for one in mails:
        apply_delivery(harness.uow, one)
    assert [type(event) for event in harness.events[1:]] == [InvitationDelivered, InvitationFailed]
    assert jane(harness).last_mail is not None
    assert jane(harness).last_mail.failure_code is code
