"""How participants answer our invitation in their own calendars, and what it makes of their answer here."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts.messages.calendar_events import InvitationAnswered
from contracts.messages.meeting_events import ParticipantResponded
from contracts.values.enums import RsvpStatus
from meeting_core.application.event_handlers import apply_calendar_answer
from meeting_core.domain.derived import busy_user_ids

from tests.support.commands import (
    COLLEAGUE,
    HOST,
    MEETING,
    TENANT,
    CommandHarness,
    answer,
    cancel,
    contact,
    create,
    staff,
    update,
)

UNKNOWN, ACCEPTED, DECLINED = RsvpStatus.UNKNOWN, RsvpStatus.ACCEPTED, RsvpStatus.DECLINED
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def said(
    status: RsvpStatus | None, sequence: int = 1, *, user_id: str = COLLEAGUE.user_id, tenant: str = TENANT
) -> InvitationAnswered:
    """What the colleague's calendar says; ``status`` None: they have not answered there."""
    return InvitationAnswered(
        tenant_uuid=tenant,
        meeting_uuid=MEETING,
        user_id=user_id,
        sequence=sequence,
        at=NOW + timedelta(seconds=sequence),
        answered=status is not None,
        answer=status or UNKNOWN,
    )


@pytest.fixture
def harness() -> CommandHarness:
    return CommandHarness(create(contact(), staff()))


def colleague(harness: CommandHarness) -> RsvpStatus:
    participant = harness.meeting.participant_of(COLLEAGUE.user_id)
    assert participant is not None
    return participant.rsvp_status


def hear(harness: CommandHarness, *told: InvitationAnswered) -> RsvpStatus:
    for one in told:
        apply_calendar_answer(harness.uow, one, NOW)
    return colleague(harness)


def test_an_answer_in_the_own_calendar_counts_and_frees_their_time(harness: CommandHarness) -> None:
    assert COLLEAGUE.user_id in busy_user_ids(harness.meeting)
    before = harness.meeting.version
    assert hear(harness, said(DECLINED)) is DECLINED
    assert COLLEAGUE.user_id not in busy_user_ids(harness.meeting)
    assert HOST.user_id in busy_user_ids(harness.meeting)
    assert harness.meeting.version == before + 1
    event = harness.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert event.rsvp_status is DECLINED


def test_the_newest_answer_counts_wherever_it_was_given(harness: CommandHarness) -> None:
    assert hear(harness, said(None, 1), said(ACCEPTED, 2)) is ACCEPTED
    harness.done(answer(DECLINED, by=COLLEAGUE))
    assert hear(harness, said(ACCEPTED, 2), said(ACCEPTED, 3)) is DECLINED, "the calendar says nothing new"
    assert hear(harness, said(UNKNOWN, 4)) is UNKNOWN, "tentatively is an answer"
    assert hear(harness, said(DECLINED, 5)) is DECLINED


def test_no_answer_in_the_calendar_takes_none_away(harness: CommandHarness) -> None:
    assert hear(harness, said(ACCEPTED, 1), said(None, 2)) is ACCEPTED
    assert hear(harness, said(ACCEPTED, 3)) is ACCEPTED


def test_what_a_calendar_says_first_is_no_news_to_an_answer_given_here(harness: CommandHarness) -> None:
    harness.done(answer(DECLINED, by=COLLEAGUE))
    assert hear(harness, said(ACCEPTED, 1)) is DECLINED
    assert hear(harness, said(DECLINED, 2), said(ACCEPTED, 3)) is ACCEPTED


def test_an_old_answer_does_not_count_for_a_new_time(harness: CommandHarness) -> None:
    assert hear(harness, said(ACCEPTED, 1)) is ACCEPTED
    harness.done(update(start_date_time="2026-06-16T15:00:00", end_date_time="2026-06-16T15:45:00"))
    assert hear(harness, said(ACCEPTED, 2)) is UNKNOWN, "the mail has not reached the calendar yet"
    assert hear(harness, said(None, 3), said(ACCEPTED, 4)) is ACCEPTED


@pytest.mark.parametrize(
    "event",
    [said(DECLINED, user_id="TS-STRANGER"), said(DECLINED, user_id=HOST.user_id), said(DECLINED, tenant="T-OTHER")],
)
def test_others_cannot_answer(harness: CommandHarness, event: InvitationAnswered) -> None:
    before = harness.meeting.model_copy(deep=True)
    assert hear(harness, event) is UNKNOWN
    assert harness.meeting == before


def test_a_canceled_meeting_takes_no_answer(harness: CommandHarness) -> None:
    harness.done(cancel())
    assert hear(harness, said(DECLINED)) is UNKNOWN
