"""Composes the pending mail of a guest and hands it to the mail server."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.values.enums import MailKind
from contracts.values.times import utc_now

from invitations.application.mail_sender import Deferred, Mail, MailSender, Refused
from invitations.domain.guest import Failure, Guest, SentContent, SentMail


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


@dataclass(frozen=True, slots=True)
class Delivered:
    """The mail server has the mail."""

    mail: SentMail


Outcome = Delivered | Failure | Deferred | None
"""The result of an attempt; None: no mail was pending."""


class MailDelivery:
    """Sends the pending mails of guests."""

    def __init__(self, composer: Composer, sender: MailSender, passwords: Passwords) -> None:
        self._composer = composer
        self._sender = sender
        self._passwords = passwords

    async def deliver(self, guest: Guest, *, number: int) -> Outcome:
        """Send the guest's pending mail; ``number`` counts the attempts from 1.

        A cancellation is never held back: it takes something out of a calendar.

        Raises:
            ConnectionError: the mail server is away.
        """
        kind = guest.pending_mail()
        if kind is None:
            return None

        async def write() -> Mail:
            password = None if guest.is_over else await self._passwords.password_of(guest)
            return self._composer.compose(guest, kind, now=utc_now(), password=password)

        is_urgent = kind is MailKind.CANCELLATION
        outcome = await self._sender.send(
            write, to=guest.address, requested_at=guest.requested_at, number=number, is_urgent=is_urgent
        )
        match outcome:
            case Mail():
                return Delivered(_sent_mail(guest, kind, outcome))
            case Refused(code, reason):
                return Failure(kind=kind, sequence=guest.requested_in_version, code=code, reason=reason, at=utc_now())
            case Deferred():
                return outcome


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
