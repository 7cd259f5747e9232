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
    Desk,
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
def desk() -> Desk:
    return Desk(create(contact(), staff()))


def colleague(desk: Desk) -> RsvpStatus:
    participant = desk.meeting.participant_of(COLLEAGUE.user_id)
    assert participant is not None
    return participant.rsvp_status


def hear(desk: Desk, *told: InvitationAnswered) -> RsvpStatus:
    for one in told:
        apply_calendar_answer(desk.uow, one, NOW)
    return colleague(desk)


def test_an_answer_in_the_own_calendar_counts_and_frees_their_time(desk: Desk) -> None:
    assert COLLEAGUE.user_id in busy_user_ids(desk.meeting)
    before = desk.meeting.version
    assert hear(desk, said(DECLINED)) is DECLINED
    assert COLLEAGUE.user_id not in busy_user_ids(desk.meeting)
    assert HOST.user_id in busy_user_ids(desk.meeting)
    assert desk.meeting.version == before + 1
    event = desk.events[-1]
    assert isinstance(event, ParticipantResponded)
    assert event.rsvp_status is DECLINED


def test_the_newest_answer_counts_wherever_it_was_given(desk: Desk) -> None:
    assert hear(desk, said(None, 1), said(ACCEPTED, 2)) is ACCEPTED
    desk.done(answer(DECLINED, by=COLLEAGUE))
    assert hear(desk, said(ACCEPTED, 2), said(ACCEPTED, 3)) is DECLINED, "the calendar says nothing new"
    assert hear(desk, said(UNKNOWN, 4)) is UNKNOWN, "tentatively is an answer"
    assert hear(desk, said(DECLINED, 5)) is DECLINED


def test_no_answer_in_the_calendar_takes_none_away(desk: Desk) -> None:
    assert hear(desk, said(ACCEPTED, 1), said(None, 2)) is ACCEPTED
    assert hear(desk, said(ACCEPTED, 3)) is ACCEPTED


def test_what_a_calendar_says_first_is_no_news_to_an_answer_given_here(desk: Desk) -> None:
    desk.done(answer(DECLINED, by=COLLEAGUE))
    assert hear(desk, said(ACCEPTED, 1)) is DECLINED
    assert hear(desk, said(DECLINED, 2), said(ACCEPTED, 3)) is ACCEPTED


def test_an_old_answer_does_not_count_for_a_new_time(desk: Desk) -> None:
    assert hear(desk, said(ACCEPTED, 1)) is ACCEPTED
    desk.done(update(start_date_time="2026-06-16T15:00:00", end_date_time="2026-06-16T15:45:00"))
    assert hear(desk, said(ACCEPTED, 2)) is UNKNOWN, "the mail has not reached the calendar yet"
    assert hear(desk, said(None, 3), said(ACCEPTED, 4)) is ACCEPTED


@pytest.mark.parametrize(
    "event",
    [said(DECLINED, user_id="TS-STRANGER"), said(DECLINED, user_id=HOST.user_id), said(DECLINED, tenant="T-OTHER")],
)
def test_others_cannot_answer(desk: Desk, event: InvitationAnswered) -> None:
    before = desk.meeting.model_copy(deep=True)
    assert hear(desk, event) is UNKNOWN
    assert desk.meeting == before


def test_a_canceled_meeting_takes_no_answer(desk: Desk) -> None:
    desk.done(cancel())
    assert hear(desk, said(DECLINED)) is UNKNOWN
