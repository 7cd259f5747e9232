"""Composing the mail that a guest is owed."""

from collections.abc import Mapping
from datetime import datetime

from contracts.values.enums import DeliveryFailureCode, Language, MailKind
from contracts.values.text import deliverable_address, sanitize_line

from invitations.adapters.mail.calendar import calendar_of, method_of
from invitations.adapters.mail.letter import Letters
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.message import Parts, Party, assemble
from invitations.adapters.mail.tongues import Tongue
from invitations.adapters.mail.wording import wording
from invitations.application.delivering import Mail, UndeliverableError
from invitations.domain.guest import Guest
from invitations.domain.guest_addresses import GuestAddresses


class MailComposer:
    """Writes mails in every language."""

    def __init__(
        self,
        *,
        sender: Party,
        uid_domain: str,
        links: RsvpLinks,
        tongues: Mapping[Language, Tongue],
        default_language: Language,
        addresses: GuestAddresses | None = None,
    ) -> None:
        """``sender`` is the From of everything; ``uid_domain`` the right side of UIDs, for ever.

        ``addresses``: where guests' programs reply to and mails return to; None: to the sender.
        """
        self._addresses = addresses
        self._sender = sender
        self._uid_domain = uid_domain
        self._links = links
        self._tongues = tongues
        self._default_language = default_language
        self._letters = Letters()

    def compose(self, guest: Guest, kind: MailKind, *, now: datetime) -> Mail:
        """See ``Composer.compose``."""
        recipient = deliverable(guest.address)
        words = wording(guest, kind, self._tongues[guest.person.language or self._default_language])
        links = {} if kind is MailKind.CANCELLATION else self._links.of(guest, now=now)
        message_id = f"<{guest.participant_uuid}.{guest.asked_in}@{self._uid_domain}>"
        told = guest.told
        organizer = self._organizer(guest)
        content = assemble(
            Parts(
                sender=Party(name=words.host or self._sender.name, address=self._sender.address),
                reply_to=_reachable(words.host, guest.meeting.organizer_email or guest.meeting.host_email),
                recipient=Party(name=sanitize_line(guest.person.name), address=recipient),
                subject=words.subject,
                message_id=message_id,
                follows=(told.first_message_id, told.message_id) if told else (),
                date=now,
                plain=self._letters.plain(words, links),
                html=self._letters.html(words, links),
                calendar=calendar_of(
                    guest,
                    kind,
                    words,
                    organizer=organizer,
                    recipient=recipient,
                    uid=f"{guest.meeting_uuid}@{self._uid_domain}",
                ),
                method=method_of(kind),
            )
        )
        return Mail(recipient, message_id, content, organizer, self._return_address(guest))

    def _organizer(self, guest: Guest) -> str:
        """The guest's own reply address; as in the mails that they have, since it makes the event what it is."""
        if guest.told is not None and guest.told.organizer is not None:
            return guest.told.organizer
        return self._addresses.reply_address(guest.participant_uuid) if self._addresses else self._sender.address

    def _return_address(self, guest: Guest) -> str:
        if self._addresses is None:
            return self._sender.address
        return self._addresses.bounce_address(guest.participant_uuid, guest.asked_in)


def deliverable(address: str | None) -> str:
    """Return the address as it goes over the wire, its domain in ASCII.

    Raises:
        UndeliverableError: it is no address that mail can go to.
    """
    try:
        return deliverable_address(address or "")
    except ValueError:
        reason = "not an address that mail can be sent to"
        raise UndeliverableError(DeliveryFailureCode.ADDRESS_REJECTED, reason) from None


def _reachable(name: str, address: str | None) -> Party | None:
    """Whom answers by mail go to, if they can be mailed at all."""
    try:
        return Party(name=name, address=deliverable(address))
    except UndeliverableError:
        return None
