"""Which mail a guest is owed, after whatever happened."""

import pytest
from contracts.messages.meeting_commands import RequestInvitationResend
from contracts.values.enums import MailKind, MeetingSource, RsvpStatus
from contracts.values.ids import uuid7_hex

from tests.support.commands import CLIENT, HOST, MEETING, answer, at, cancel, contact, create, hide, update
from tests.support.guests import JANE, Guestbook, jane

BO = "bo@example.com"


def resend() -> RequestInvitationResend:
    return RequestInvitationResend(command_id=uuid7_hex(), fingerprint="", meeting_uuid=MEETING, actor=HOST)


@pytest.fixture
def book() -> Guestbook:
    """Jane was invited and has her invitation."""
    book = Guestbook(create(jane(), contact()))
    assert book.tell() is MailKind.INVITATION
    return book


def test_who_was_told_is_owed_nothing(book: Guestbook) -> None:
    assert book.pending_mail() is None


@pytest.mark.parametrize(
    "changes", [{"title": "New"}, {"start_date_time": at("14:00")}, {"description": "New"}, {"meeting_password": "new"}]
)
def test_a_change_that_guests_see_is_told_once(book: Guestbook, changes: dict[str, object]) -> None:
    book.hear(update(**changes))
    assert book.tell() is MailKind.UPDATE
    assert book.pending_mail() is None


def test_what_guests_do_not_see_is_not_told(book: Guestbook) -> None:
    book.hear(update(internal_notes="New"))
    assert book.pending_mail() is None


def test_other_guests_coming_and_going_are_not_told(book: Guestbook) -> None:
    book.hear(update(externals=[jane(), jane(email=BO)]))
    assert book.pending_mail() is None
    assert book.tell(BO) is MailKind.INVITATION
    book.hear(update(externals=[jane()]))
    assert book.pending_mail() is None
    assert book.tell(BO) is MailKind.CANCELLATION


def test_answers_are_not_told_but_known_to_later_mails(book: Guestbook) -> None:
    book.hear(answer(participant_uuid=book.of(JANE).participant_uuid))
    assert book.pending_mail() is None
    assert book.of(JANE).person.rsvp_status is RsvpStatus.ACCEPTED


def test_updates_that_come_faster_than_mails_melt_into_one(book: Guestbook) -> None:
    for title in "ABC":
        book.hear(update(title=title))
    assert book.tell() is MailKind.UPDATE
    assert book.of(JANE).meeting.title == "C"
    assert book.pending_mail() is None


def test_an_invitation_that_did_not_leave_yet_takes_the_updates_along() -> None:
    book = Guestbook(create(jane()), update(title="New"))
    assert book.tell() is MailKind.INVITATION
    assert book.of(JANE).meeting.title == "New"
    assert book.pending_mail() is None


def test_a_meeting_that_ends_before_anybody_knew_of_it_is_not_mentioned() -> None:
    assert Guestbook(create(jane()), cancel()).pending_mail() is None


def test_a_meeting_that_somebody_may_know_of_is_called_off() -> None:
    book = Guestbook(create(jane()), cancel())
    maybe = book.of(JANE).model_copy(update={"may_have_been_sent": True})
    assert maybe.pending_mail() is MailKind.CANCELLATION


def test_a_cancellation_is_told_once(book: Guestbook) -> None:
    book.hear(update(title="New"))
    book.hear(cancel())
    assert book.tell() is MailKind.CANCELLATION
    book.hear(hide(by=CLIENT))
    assert book.pending_mail() is None


def test_a_reminder_is_the_same_invitation_again(book: Guestbook) -> None:
    before = book.of(JANE)
    book.hear(update(externals=[jane(), jane(email=BO)]))
    book.hear(resend())
    assert book.tell() is MailKind.REMINDER
    assert book.of(JANE).meeting.ical_sequence == before.meeting.ical_sequence
    assert book.of(JANE).requested_in_version > before.requested_in_version


def test_a_reminder_never_hides_an_update(book: Guestbook) -> None:
    book.hear(update(title="New"))
    book.hear(resend())
    assert book.tell() is MailKind.UPDATE
    assert book.pending_mail() is None


def test_who_comes_back_is_invited_with_a_higher_revision_than_they_were_sent_away_with(book: Guestbook) -> None:
    book.hear(update(externals=[]))
    gone = book.of(JANE)
    assert book.tell() is MailKind.CANCELLATION
    book.hear(update(externals=[jane()]))
    back = book.of(JANE)
    assert back.participant_uuid != gone.participant_uuid
    assert back.pending_mail() is MailKind.INVITATION
    assert back.meeting.ical_sequence > gone.meeting.ical_sequence


def test_a_new_address_is_invited_like_a_new_guest(book: Guestbook) -> None:
    client = book.tell(f"{CLIENT.user_id.lower()}@example.com")
    assert client is MailKind.INVITATION
    book.hear(update(contacts=[contact(email="new@example.com")]))
    assert book.pending_mail("new@example.com") is MailKind.INVITATION
    assert book.pending_mail() is None


def test_a_domain_in_unicode_is_the_one_that_was_mailed_in_ascii() -> None:
    book = Guestbook(create(jane(email="jane@bücher.example")))
    assert book.tell("jane@bücher.example", sent_to="jane@xn--bcher-kva.example") is MailKind.INVITATION
    book.hear(update(title="New"))
    assert book.pending_mail("jane@bücher.example") is MailKind.UPDATE


def test_who_has_no_address_is_owed_mails_that_fail_until_there_is_one() -> None:
    nobody = contact().model_copy(update={"email": None})
    book = Guestbook(create(nobody))
    [guest] = book.guests.values()
    assert (guest.pending_mail(), guest.address) == (MailKind.INVITATION, None)
    book.hear(update(title="New"))
    book.hear(update(contacts=[contact(email="found@example.com")]))
    assert book.pending_mail("found@example.com") is MailKind.INVITATION


def test_a_cancellation_goes_to_where_the_invitation_went(book: Guestbook) -> None:
    mail = f"{CLIENT.user_id.lower()}@example.com"
    book.tell(mail)
    book.hear(update(contacts=[contact(email="new@example.com")]))
    book.hear(cancel())
    guest = book.of("new@example.com")
    assert (guest.pending_mail(), guest.address) == (MailKind.CANCELLATION, mail)


def test_repeats_and_older_news_are_stale(book: Guestbook) -> None:
    book.hear(update(title="A"))
    book.hear(update(title="B"))
    book.tell()
    settled = dict(book.guests)
    for event, envelope in zip(book.desk.events, book.desk.envelopes, strict=True):
        book.take_note(event, envelope)
    assert book.guests == settled


def test_imported_meetings_are_nobodys_news() -> None:
    book = Guestbook(create(jane()))
    event, envelope = book.desk.events[0], book.desk.envelopes[0]
    imported = event.model_copy(update={"meeting": event.meeting.model_copy(update={"source": MeetingSource.GOOGLE})})
    elsewhere = Guestbook()
    elsewhere.take_note(imported, envelope)
    assert elsewhere.guests == {}


def test_a_silent_update_is_not_told_but_said_by_the_next_mail(book: Guestbook) -> None:
    book.take_over(title="New")
    assert book.pending_mail() is None
    assert book.of(JANE).meeting.title == "New"
    book.hear(resend())
    assert book.tell() is MailKind.UPDATE
    assert book.pending_mail() is None


def test_a_silent_update_rides_on_a_mail_that_has_not_left_yet() -> None:
    book = Guestbook(create(jane()))
    book.take_over(title="New")
    assert book.tell() is MailKind.INVITATION
    assert book.of(JANE).meeting.title == "New"
    assert book.pending_mail() is None


def test_a_meeting_that_the_host_moves_or_deletes_in_their_calendar_is_told(book: Guestbook) -> None:
    book.take_over(start_date_time=at("14:00"), end_date_time=at("14:45"))
    assert book.tell() is MailKind.UPDATE
    book.take_back()
    assert book.tell() is MailKind.CANCELLATION
