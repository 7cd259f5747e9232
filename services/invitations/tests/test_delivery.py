"""One attempt at a mail, with a mail server that answers as it is told."""

from datetime import timedelta

import pytest
from chassis.http.rate_limit import RateLimiter
from contracts.values.enums import DeliveryFailureCode, MailKind
from contracts.values.times import utc_now
from invitations.adapters.mail.composing import MailComposer
from invitations.application.delivery import Delivered, MailDelivery
from invitations.application.mail_sender import (
    Deferred,
    DeferredError,
    Mail,
    MailSender,
    RetryPolicy,
    UndeliverableError,
)
from invitations.domain.guest import Failure, Guest

from tests.support.commands import cancel, create
from tests.support.guests import JANE, Guestbook, guest, jane
from tests.support.mails import ReadMail

UNLIMITED = RateLimiter(0)
RETRY_POLICY = RetryPolicy(initial_delay=4, max_delay=60, give_up_after=timedelta(hours=1))


class StandInPasswords:
    """Knows one password, or raises what it was given."""

    def __init__(self, known: str | Exception | None = None) -> None:
        self.known = known

    async def password_of(self, _guest: Guest) -> str | None:
        if isinstance(self.known, Exception):
            raise self.known
        return self.known


NO_PASSWORDS = StandInPasswords()


class StandInMailer:
    """Keeps what it is given, or raises what it was told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(mail)


def delivery_by(composer: MailComposer, mailer: StandInMailer) -> MailDelivery:
    return MailDelivery(composer, MailSender(mailer, RETRY_POLICY, UNLIMITED), NO_PASSWORDS)


def asked(minutes_ago: float) -> Guest:
    return guest().model_copy(update={"requested_at": utc_now() - timedelta(minutes=minutes_ago)})


async def test_what_was_taken_is_told(composer: MailComposer) -> None:
    mailer, to = StandInMailer(), guest()
    outcome = await delivery_by(composer, mailer).deliver(to, number=1)
    assert isinstance(outcome, Delivered)
    [mail] = mailer.sent
    told = outcome.mail
    assert (told.kind, told.sequence, told.address) == (MailKind.INVITATION, to.requested_in_version, JANE)
    assert told.message_id == told.first_message_id == mail.message_id
    assert to.model_copy(update={"last_mail": told}).pending_mail() is None


async def test_who_is_owed_nothing_is_not_mailed(composer: MailComposer) -> None:
    mailer = StandInMailer()
    nothing = Guestbook(create(jane()), cancel()).of(JANE)
    assert await delivery_by(composer, mailer).deliver(nothing, number=1) is None
    assert mailer.sent == []


async def test_a_refusal_for_good_is_a_failure(composer: MailComposer) -> None:
    mailer = StandInMailer(UndeliverableError(DeliveryFailureCode.MAIL_REJECTED, "554 No"))
    outcome = await delivery_by(composer, mailer).deliver(guest(), number=1)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.reason) == (DeliveryFailureCode.MAIL_REJECTED, "554 No")


async def test_what_is_no_address_is_a_failure_without_asking_the_server(composer: MailComposer) -> None:
    mailer = StandInMailer()
    outcome = await delivery_by(composer, mailer).deliver(guest(person={"email": "nobody"}), number=1)
    assert isinstance(outcome, Failure)
    assert outcome.code is DeliveryFailureCode.ADDRESS_REJECTED
    assert mailer.sent == []


@pytest.mark.parametrize(("number", "least", "most"), [(1, 2, 4), (2, 4, 8), (3, 8, 16), (50, 30, 60)])
async def test_a_deferral_is_tried_again_with_growing_pauses(
    composer: MailComposer, number: int, least: float, most: float
) -> None:
    mailer = StandInMailer(DeferredError("451 Later", may_have_been_sent=True))
    outcome = await delivery_by(composer, mailer).deliver(asked(minutes_ago=59), number=number)
    assert isinstance(outcome, Deferred)
    assert least <= outcome.retry_in <= most
    assert outcome.may_have_been_sent


async def test_patience_ends(composer: MailComposer) -> None:
    mailer = StandInMailer(DeferredError("451 Later"))
    outcome = await delivery_by(composer, mailer).deliver(asked(minutes_ago=61), number=9)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.reason) == (DeliveryFailureCode.UNREACHABLE, "451 Later")


async def test_a_server_that_is_away_is_nobodys_failure(composer: MailComposer) -> None:
    mailer = StandInMailer(ConnectionRefusedError())
    with pytest.raises(ConnectionRefusedError):
        await delivery_by(composer, mailer).deliver(asked(minutes_ago=600), number=1)


def limited(composer: MailComposer, mailer: StandInMailer, mails: int) -> MailDelivery:
    return MailDelivery(composer, MailSender(mailer, RETRY_POLICY, RateLimiter(mails, window=3600)), NO_PASSWORDS)


async def test_a_mailbox_gets_so_many_mails_whatever_its_addresses_and_the_rest_waits(composer: MailComposer) -> None:
    mailer = StandInMailer()
    delivery = limited(composer, mailer, 3)
    guests = [guest(person={"email": f"jane+{number}@example.com"}) for number in range(5)]
    outcomes = [await delivery.deliver(one, number=1) for one in guests]
    assert len(mailer.sent) == 3
    held_back = [one for one in outcomes if isinstance(one, Deferred)]
    assert len(held_back) == 2
    assert all(one.held_back and 600 <= one.retry_in <= 1200 for one in held_back)
    assert isinstance(await delivery.deliver(guest(person={"email": "bo@example.com"}), number=1), Delivered)


async def test_a_cancellation_is_never_held_back_and_waiting_for_the_mailbox_never_fails(
    composer: MailComposer,
) -> None:
    mailer = StandInMailer()
    delivery = limited(composer, mailer, 1)
    book = Guestbook(create(jane()))
    book.tell()
    invited = book.of(JANE)
    book.hear(cancel())
    assert isinstance(await delivery.deliver(guest(), number=1), Delivered)
    assert isinstance(await delivery.deliver(asked(minutes_ago=600), number=99), Deferred)
    assert invited.pending_mail() is None
    assert isinstance(await delivery.deliver(book.of(JANE), number=1), Delivered)


async def test_mails_have_the_passcode_and_cancellations_do_not(composer: MailComposer) -> None:
    mailer = StandInMailer()
    delivery = MailDelivery(composer, MailSender(mailer, RETRY_POLICY, UNLIMITED), StandInPasswords("open sesame"))
    book = Guestbook(create(jane()))
    await delivery.deliver(book.of(JANE), number=1)
    book.tell()
    book.hear(cancel())
    await delivery.deliver(book.of(JANE), number=1)
    invitation, cancellation = (ReadMail.of(mail.content) for mail in mailer.sent)
    for content_type in ("text/plain", "text/html"):
        assert "open sesame" in invitation.text(content_type)
        assert "open sesame" not in cancellation.text(content_type)
    assert "Passcode: open sesame" in str(invitation.event["DESCRIPTION"])
    assert b"open sesame" not in cancellation.calendar


async def test_a_mail_whose_passcode_cannot_be_had_waits_for_it(composer: MailComposer) -> None:
    mailer = StandInMailer()
    passwords = StandInPasswords(DeferredError("meeting-core is away"))
    delivery = MailDelivery(composer, MailSender(mailer, RETRY_POLICY, UNLIMITED), passwords)
    outcome = await delivery.deliver(asked(minutes_ago=0), number=1)
    assert isinstance(outcome, Deferred)
    assert (outcome.may_have_been_sent, mailer.sent) == (False, [])
