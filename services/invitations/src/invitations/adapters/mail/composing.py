"""Composes the pending mail of a guest."""

from collections.abc import Mapping
from datetime import datetime

from contracts.values.enums import DeliveryFailureCode, Language, MailKind
from contracts.values.text import deliverable_address, sanitize_line

from invitations.adapters.mail.calendar import calendar_of, method_of
from invitations.adapters.mail.content import mail_content
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.mail_templates import MailTemplates
from invitations.adapters.mail.message import Mailbox, Parts, assemble
from invitations.adapters.mail.translators import Translator
from invitations.application.mail_sender import Mail, UndeliverableError
from invitations.domain.guest import Guest
from invitations.domain.guest_addresses import GuestAddresses


class MailComposer:
    """Writes mails in every language."""

    def __init__(
        self,
        *,
        sender: Mailbox,
        uid_domain: str,
        links: RsvpLinks,
        translators: Mapping[Language, Translator],
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
        self._translators = translators
        self._default_language = default_language
        self._templates = MailTemplates()

    def compose(self, guest: Guest, kind: MailKind, *, now: datetime, password: str | None = None) -> Mail:
        """See ``Composer.compose``."""
        recipient = deliverable(guest.address)
        translator = self._translators[guest.person.language or self._default_language]
        words = mail_content(guest, kind, translator, password=password)
        links = {} if kind is MailKind.CANCELLATION else self._links.of(guest, now=now)
        message_id = f"<{guest.participant_uuid}.{guest.requested_in_version}@{self._uid_domain}>"
        last = guest.last_mail
        organizer = self._organizer(guest)
        content = assemble(
            Parts(
                sender=Mailbox(name=words.host or self._sender.name, address=self._sender.address),
                reply_to=reachable(words.host, guest.meeting.organizer_email or guest.meeting.host_email),
                recipient=Mailbox(name=sanitize_line(guest.person.name), address=recipient),
                subject=words.subject,
                message_id=message_id,
                follows=(last.first_message_id, last.message_id) if last else (),
                date=now,
                plain=self._templates.plain(words, links),
                html=self._templates.html(words, links),
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
        return Mail(recipient, message_id, content, self._return_address(guest), organizer)

    def _organizer(self, guest: Guest) -> str:
        """The guest's own reply address; as in the mails that they have, since it makes the event what it is."""
        if guest.last_mail is not None and guest.last_mail.organizer is not None:
            return guest.last_mail.organizer
        return self._addresses.reply_address(guest.participant_uuid) if self._addresses else self._sender.address

    def _return_address(self, guest: Guest) -> str:
        if self._addresses is None:
            return self._sender.address
        return self._addresses.bounce_address(guest.participant_uuid, guest.requested_in_version)


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


def reachable(name: str, address: str | None) -> Mailbox | None:
    """Whom answers by mail go to, if they can be mailed at all."""
    try:
        return Mailbox(name=name, address=deliverable(address))
    except UndeliverableError:
        return None
