"""Composes the pending mail of a guest and hands it to the mail server."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.backoff import backoff
from chassis.http.rate_limit import RateLimiter
from contracts.values.enums import DeliveryFailureCode, MailKind
from contracts.values.mailboxes import mailbox_of
from contracts.values.times import utc_now

from invitations.domain.guest import Failure, Guest, SentContent, SentMail


@dataclass(frozen=True, slots=True)
class Mail:
    """A finished mail: envelope, identity and bytes."""

    recipient: str
    message_id: str
    content: bytes
    organizer: str
    """The ORGANIZER of the calendar part."""
    return_address: str
    """Where the mail returns when it cannot be delivered: MAIL FROM."""


class UndeliverableError(Exception):
    """This mail cannot be sent, whenever it is tried."""

    def __init__(self, code: DeliveryFailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class DeferredError(Exception):
    """This mail cannot be sent now. ``may_have_been_sent``: the mail server may have accepted it."""

    def __init__(self, reason: str, *, may_have_been_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_have_been_sent = may_have_been_sent


class Passwords(Protocol):
    """Knows what participants need to join a meeting; it is in no event."""

    async def password_of(self, guest: Guest) -> str | None:
        """The password of the guest's meeting, at least as new as what the guest should know.

        Raises:
            DeferredError: it cannot be had now.
        """


class Composer(Protocol):
    """Writes mails."""

    def compose(self, guest: Guest, kind: MailKind, *, now: datetime, password: str | None = None) -> Mail:
        """The mail of this kind for this guest; ``password``: to join the meeting.

        Raises:
            UndeliverableError: the guest's address is none.
        """


class Mailer(Protocol):
    """Hands mails to the mail server."""

    async def send(self, mail: Mail) -> None:
        """Return once the mail server has taken responsibility.

        Raises:
            UndeliverableError: it refused for good.
            DeferredError: it refused for now, or its answer got lost.
            ConnectionError: the mail server is away, or has no use for us; no mail would get through.
        """


@dataclass(frozen=True, slots=True)
class Delivered:
    """The mail server has the mail."""

    mail: SentMail


@dataclass(frozen=True, slots=True)
class Deferred:
    """The mail is to be tried again in ``retry_in`` seconds."""

    kind: MailKind
    retry_in: float
    may_have_been_sent: bool
    reason: str
    held_back: bool = False
    """Its mailbox has had too many mails lately."""


Outcome = Delivered | Failure | Deferred | None
"""The result of an attempt; None: no mail was pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When deferred mails are tried again: delays in seconds double up to ``max_delay``; they fail in the end."""

    initial_delay: float
    max_delay: float
    give_up_after: timedelta


class MailDelivery:
    """Sends the pending mails of guests."""

    def __init__(
        self,
        composer: Composer,
        mailer: Mailer,
        retry_policy: RetryPolicy,
        mailboxes: RateLimiter,
        passwords: Passwords,
    ) -> None:
        """``mailboxes``: how many mails one mailbox may get."""
        self._passwords = passwords
        self._composer = composer
        self._mailer = mailer
        self._retry_policy = retry_policy
        self._mailboxes = mailboxes

    async def deliver(self, guest: Guest, *, number: int) -> Outcome:
        """Send the guest's pending mail; ``number`` counts the attempts from 1.

        Raises:
            ConnectionError: the mail server is away.
        """
        kind = guest.pending_mail()
        if kind is None:
            return None
        if (held_back := self._hold_back(guest, kind, number)) is not None:
            return held_back
        try:
            password = None if guest.is_over else await self._passwords.password_of(guest)
            mail = self._composer.compose(guest, kind, now=utc_now(), password=password)
            await self._mailer.send(mail)
        except UndeliverableError as refusal:
            return _failure(guest, kind, refusal.code, refusal.reason)
        except DeferredError as deferral:
            if utc_now() - guest.requested_at >= self._retry_policy.give_up_after:
                return _failure(guest, kind, DeliveryFailureCode.UNREACHABLE, deferral.reason)
            pause = backoff(number, initial=self._retry_policy.initial_delay, maximum=self._retry_policy.max_delay)
            return Deferred(kind, pause, may_have_been_sent=deferral.may_have_been_sent, reason=deferral.reason)
        return Delivered(_sent_mail(guest, kind, mail))

    def _hold_back(self, guest: Guest, kind: MailKind, number: int) -> Deferred | None:
        """Hold a mail back while its mailbox gets too many; what changes meanwhile goes with it.

        A cancellation is never held back: it takes something out of a calendar.
        """
        wait = self._mailboxes.wait(mailbox_of(guest.address or ""))
        if not wait or kind is MailKind.CANCELLATION:
            return None
        pause = backoff(
            number, initial=max(wait, self._retry_policy.initial_delay), maximum=max(wait, self._retry_policy.max_delay)
        )
        return Deferred(kind, pause, may_have_been_sent=False, reason="too many mails to one mailbox", held_back=True)


def _sent_mail(guest: Guest, kind: MailKind, mail: Mail) -> SentMail:
    return SentMail(
        kind=kind,
        sequence=guest.requested_in_version,
        address=mail.recipient,
        message_id=mail.message_id,
        content=SentContent.of(guest.meeting),
        organizer=mail.organizer,
        first_message_id=guest.last_mail.first_message_id if guest.last_mail else mail.message_id,
        at=utc_now(),
    )


def _failure(guest: Guest, kind: MailKind, code: DeliveryFailureCode, reason: str) -> Failure:
    return Failure(kind=kind, sequence=guest.requested_in_version, code=code, reason=reason, at=utc_now())
