"""Delivering: the mail a guest is owed is composed and handed to the mail server, and what came of it is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.backoff import backoff
from chassis.http.rate_limit import RateLimiter
from contracts.values.enums import DeliveryFailureCode, MailKind
from contracts.values.mailboxes import mailbox_of
from contracts.values.times import utc_now

from invitations.domain.guest import Failure, Guest, SentContent, Told


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
    """This mail cannot be sent now. ``uncertain``: the mail server may have taken it all the same."""

    def __init__(self, reason: str, *, uncertain: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.uncertain = uncertain


class Composer(Protocol):
    """Writes mails."""

    def compose(self, guest: Guest, kind: MailKind, *, now: datetime) -> Mail:
        """The mail of this kind for this guest.

        Raises:
            UndeliverableError: the guest's address is none.
        """


class Mailer(Protocol):
    """Hands mails to the mail server."""

    async def send(self, mail: Mail) -> None:
        """Return once the mail server has taken responsibility.

        Raises:
            UndeliverableError: it refused for good.
            DeferredError: it refused for now, or nobody knows.
            ConnectionError: the mail server is away, or has no use for us; no mail would get through.
        """


@dataclass(frozen=True, slots=True)
class Delivered:
    """The mail server has the mail."""

    told: Told


@dataclass(frozen=True, slots=True)
class NotNow:
    """The mail is to be tried again, ``again_in`` seconds from now."""

    kind: MailKind
    again_in: float
    uncertain: bool
    reason: str
    held_back: bool = False
    """Its mailbox has had too many mails lately."""


Outcome = Delivered | Failure | NotNow | None
"""What came of an attempt; None: there was nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How deferred mails are tried again: pauses from ``first`` to ``most`` seconds, doubling; given up in the end."""

    first: float
    most: float
    give_up_after: timedelta


class Delivering:
    """Sends what guests are owed."""

    def __init__(self, composer: Composer, mailer: Mailer, patience: Patience, mailboxes: RateLimiter) -> None:
        """``mailboxes``: how many mails one mailbox may get."""
        self._composer = composer
        self._mailer = mailer
        self._patience = patience
        self._mailboxes = mailboxes

    async def attempt(self, guest: Guest, *, number: int) -> Outcome:
        """Send the guest the mail they are owed; ``number`` counts the attempts from 1.

        Raises:
            ConnectionError: the mail server is away.
        """
        kind = guest.owed()
        if kind is None:
            return None
        if (held_back := self._hold_back(guest, kind, number)) is not None:
            return held_back
        try:
            mail = self._composer.compose(guest, kind, now=utc_now())
            await self._mailer.send(mail)
        except UndeliverableError as refusal:
            return _failure(guest, kind, refusal.code, refusal.reason)
        except DeferredError as deferral:
            if utc_now() - guest.asked_at >= self._patience.give_up_after:
                return _failure(guest, kind, DeliveryFailureCode.UNREACHABLE, deferral.reason)
            pause = backoff(number, first=self._patience.first, most=self._patience.most)
            return NotNow(kind, pause, uncertain=deferral.uncertain, reason=deferral.reason)
        return Delivered(_told(guest, kind, mail))

    def _hold_back(self, guest: Guest, kind: MailKind, number: int) -> NotNow | None:
        """Hold a mail back while its mailbox gets too many; what changes meanwhile goes with it.

        A cancellation is never held back: it takes something out of a calendar.
        """
        wait = self._mailboxes.wait(mailbox_of(guest.address or ""))
        if not wait or kind is MailKind.CANCELLATION:
            return None
        pause = backoff(number, first=max(wait, self._patience.first), most=max(wait, self._patience.most))
        return NotNow(kind, pause, uncertain=False, reason="too many mails to one mailbox", held_back=True)


def _told(guest: Guest, kind: MailKind, mail: Mail) -> Told:
    return Told(
        kind=kind,
        sequence=guest.asked_in,
        address=mail.recipient,
        message_id=mail.message_id,
        content=SentContent.of(guest.meeting),
        organizer=mail.organizer,
        first_message_id=guest.told.first_message_id if guest.told else mail.message_id,
        at=utc_now(),
    )


def _failure(guest: Guest, kind: MailKind, code: DeliveryFailureCode, reason: str) -> Failure:
    return Failure(kind=kind, sequence=guest.asked_in, code=code, reason=reason, at=utc_now())
