"""What the meeting learns of the mails to its participants."""

from datetime import UTC, datetime
from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.invitation_events import DeliveryEvent, MailDelivered, MailFailed
from contracts.messages.meeting_events import InvitationDelivered, InvitationFailed
from contracts.values.enums import DeliveryFailureCode, MailKind
from meeting_core.application.event_handlers import apply_delivery
from meeting_core.domain.views import Viewer

from tests.support.commands import CLIENT, HOST, MEETING, Desk, answer, contact, create, guest, update

JANE = "jane.roe@example.com"


def delivered(desk: Desk, *, sequence: int = 1, participant_uuid: str | None = None) -> MailDelivered:
    return MailDelivered(**_about(desk, sequence, participant_uuid))


def failed(desk: Desk, *, sequence: int = 1) -> MailFailed:
    refused: dict[str, Any] = {
        "failure_code": DeliveryFailureCode.ADDRESS_REJECTED,
        "failure_reason": "550 No such user",
    }
    return MailFailed(**_about(desk, sequence, None), **refused)


def _about(desk: Desk, sequence: int, participant_uuid: str | None) -> dict[str, Any]:
    return {
        "meeting_uuid": MEETING,
        "participant_uuid": participant_uuid or desk.uuid_of(JANE),
        "kind": MailKind.INVITATION,
        "sequence": sequence,
        "at": datetime(2026, 6, 1, 12, 5, tzinfo=UTC),
    }


def note(desk: Desk, *mails: DeliveryEvent) -> None:
    for mail in mails:
        apply_delivery(desk.uow, mail)


@pytest.fixture
def desk() -> Desk:
    return Desk(create(contact(), guest(JANE)))


def failures(desk: Desk, viewer: Any) -> list[tuple[DeliveryFailureCode | None, str | None]]:
    seen = Viewer(desk.meeting, viewer).full().participants
    return [(one.delivery_failure_code, one.delivery_failure_reason) for one in seen if one.email == JANE]


def test_a_delivery_is_told_to_everybody_as_a_version_of_its_own(desk: Desk) -> None:
    note(desk, delivered(desk))
    event = desk.events[-1]
    assert isinstance(event, InvitationDelivered)
    assert (event.participant_uuid, event.kind) == (desk.uuid_of(JANE), MailKind.INVITATION)
    assert [envelope.sequence for envelope in desk.envelopes] == [1, 2]
    assert desk.meeting.version == 2
    assert desk.uow.is_dirty


def test_a_failure_is_told_and_shown_to_the_host_alone(desk: Desk) -> None:
    note(desk, failed(desk))
    event = desk.events[-1]
    assert isinstance(event, InvitationFailed)
    assert (event.failure_code, event.failure_reason) == (DeliveryFailureCode.ADDRESS_REJECTED, "550 No such user")
    assert failures(desk, HOST) == [(DeliveryFailureCode.ADDRESS_REJECTED, "550 No such user")]
    assert failures(desk, CLIENT) == [], "who is no staff has no id for a client"
    assert all(one.delivery_failure_code is None for one in Viewer(desk.meeting, CLIENT).full().participants)


def test_the_next_mail_that_arrives_ends_the_failure(desk: Desk) -> None:
    note(desk, failed(desk), delivered(desk, sequence=4))
    assert failures(desk, HOST) == [(None, None)]


def test_a_repeat_or_older_news_changes_nothing(desk: Desk) -> None:
    note(desk, delivered(desk, sequence=4))
    version = desk.meeting.version
    note(desk, delivered(desk, sequence=4), failed(desk, sequence=3))
    assert desk.meeting.version == version
    assert len(desk.events) == version


def test_a_mail_to_somebody_who_is_gone_changes_nothing(desk: Desk) -> None:
    goodbye = delivered(desk, participant_uuid=desk.uuid_of(JANE), sequence=2)
    desk.done(update(externals=[]))
    note(desk, goodbye)
    assert desk.meeting.version == 2


def test_a_mail_about_a_meeting_that_is_not_there_changes_nothing() -> None:
    empty = Desk()
    apply_delivery(empty.uow, delivered(Desk(create(guest(JANE)))))
    assert empty.uow.meeting is None
    assert not empty.uow.is_dirty


def test_a_delivery_makes_no_stale_copy_of_what_a_caller_has_read(desk: Desk) -> None:
    note(desk, delivered(desk))
    desk.done(update(title="New", expected_versions=[1]))
    assert desk.refused(update(title="Newer", expected_versions=[2])) is ErrorCode.VERSION_STALE
    assert desk.refused(update(title="Newer", expected_versions=[4])) is ErrorCode.VERSION_STALE
    desk.done(update(title="Newer", expected_versions=[3]))


def test_a_delivery_is_no_update_of_the_meeting(desk: Desk) -> None:
    before = desk.meeting.updated_at
    note(desk, delivered(desk))
    assert desk.meeting.updated_at == before


def test_a_change_of_people_is_a_new_revision_so_that_cancellations_outrank_invitations(desk: Desk) -> None:
    desk.done(update(externals=[]))
    assert desk.meeting.ical_sequence == 1
    desk.done(update(externals=[guest(JANE)]))
    assert desk.meeting.ical_sequence == 2
    desk.done(answer(by=CLIENT))
    assert desk.meeting.ical_sequence == 2
