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

from tests.support.commands import CLIENT, HOST, MEETING, CommandHarness, answer, contact, create, guest, update

JANE = "jane.roe@example.com"


def delivered(harness: CommandHarness, *, sequence: int = 1, participant_uuid: str | None = None) -> MailDelivered:
    return MailDelivered(**_about(harness, sequence, participant_uuid))


def failed(harness: CommandHarness, *, sequence: int = 1) -> MailFailed:
    refused: dict[str, Any] = {
        "failure_code": DeliveryFailureCode.ADDRESS_REJECTED,
        "failure_reason": "550 No such user",
    }
    return MailFailed(**_about(harness, sequence, None), **refused)


def _about(harness: CommandHarness, sequence: int, participant_uuid: str | None) -> dict[str, Any]:
    return {
        "meeting_uuid": MEETING,
        "participant_uuid": participant_uuid or harness.uuid_of(JANE),
        "kind": MailKind.INVITATION,
        "sequence": sequence,
        "at": datetime(2026, 6, 1, 12, 5, tzinfo=UTC),
    }


def note(harness: CommandHarness, *mails: DeliveryEvent) -> None:
    for mail in mails:
        apply_delivery(harness.uow, mail)


@pytest.fixture
def harness() -> CommandHarness:
    return CommandHarness(create(contact(), guest(JANE)))


def failures(harness: CommandHarness, viewer: Any) -> list[tuple[DeliveryFailureCode | None, str | None]]:
    seen = Viewer(harness.meeting, viewer).full().participants
    return [(one.delivery_failure_code, one.delivery_failure_reason) for one in seen if one.email == JANE]


def test_a_delivery_is_told_to_everybody_as_a_version_of_its_own(harness: CommandHarness) -> None:
    note(harness, delivered(harness))
    event = harness.events[-1]
    assert isinstance(event, InvitationDelivered)
    assert (event.participant_uuid, event.kind) == (harness.uuid_of(JANE), MailKind.INVITATION)
    assert [envelope.sequence for envelope in harness.envelopes] == [1, 2]
    assert harness.meeting.version == 2
    assert harness.uow.is_dirty


def test_a_failure_is_told_and_shown_to_the_host_alone(harness: CommandHarness) -> None:
    note(harness, failed(harness))
    event = harness.events[-1]
    assert isinstance(event, InvitationFailed)
    assert (event.failure_code, event.failure_reason) == (DeliveryFailureCode.ADDRESS_REJECTED, "550 No such user")
    assert failures(harness, HOST) == [(DeliveryFailureCode.ADDRESS_REJECTED, "550 No such user")]
    assert failures(harness, CLIENT) == [], "who is no staff has no id for a client"
    assert all(one.delivery_failure_code is None for one in Viewer(harness.meeting, CLIENT).full().participants)


def test_the_next_mail_that_arrives_ends_the_failure(harness: CommandHarness) -> None:
    note(harness, failed(harness), delivered(harness, sequence=4))
    assert failures(harness, HOST) == [(None, None)]


def test_a_repeat_or_older_news_changes_nothing(harness: CommandHarness) -> None:
    note(harness, delivered(harness, sequence=4))
    version = harness.meeting.version
    note(harness, delivered(harness, sequence=4), failed(harness, sequence=3))
    assert harness.meeting.version == version
    assert len(harness.events) == version


def test_a_mail_to_somebody_who_is_gone_changes_nothing(harness: CommandHarness) -> None:
    goodbye = delivered(harness, participant_uuid=harness.uuid_of(JANE), sequence=2)
    harness.done(update(externals=[]))
    note(harness, goodbye)
    assert harness.meeting.version == 2


def test_a_mail_about_a_meeting_that_is_not_there_changes_nothing() -> None:
    empty = CommandHarness()
    apply_delivery(empty.uow, delivered(CommandHarness(create(guest(JANE)))))
    assert empty.uow.meeting is None
    assert not empty.uow.is_dirty


def test_a_delivery_makes_no_stale_copy_of_what_a_caller_has_read(harness: CommandHarness) -> None:
    note(harness, delivered(harness))
    harness.done(update(title="New", expected_versions=[1]))
    assert harness.refused(update(title="Newer", expected_versions=[2])) is ErrorCode.VERSION_STALE
    assert harness.refused(update(title="Newer", expected_versions=[4])) is ErrorCode.VERSION_STALE
    harness.done(update(title="Newer", expected_versions=[3]))


def test_a_delivery_is_no_update_of_the_meeting(harness: CommandHarness) -> None:
    before = harness.meeting.updated_at
    note(harness, delivered(harness))
    assert harness.meeting.updated_at == before


def test_a_change_of_people_is_a_new_revision_so_that_cancellations_outrank_invitations(
    harness: CommandHarness,
) -> None:
    harness.done(update(externals=[]))
    assert harness.meeting.ical_sequence == 1
    harness.done(update(externals=[guest(JANE)]))
    assert harness.meeting.ical_sequence == 2
    harness.done(answer(by=CLIENT))
    assert harness.meeting.ical_sequence == 2
