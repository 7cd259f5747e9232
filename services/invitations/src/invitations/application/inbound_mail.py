"""Mails that come in: guests' replies become answers and proposals, returned mails become failures."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from chassis.http.rate_limit import RateLimiter
from contracts.messages.invitation_events import GuestProposedNewTime, GuestReplied
from contracts.values.enums import RsvpStatus
from contracts.values.mailboxes import mailbox_of

from invitations.domain.guest import Failure, Guest
from invitations.domain.guest_addresses import GuestAddress, GuestAddresses
from invitations.domain.inbound import Attendee, CalendarReply, DeliveryReport, InboundMessage, ReplyMethod

_BOUNCES_COUNT_FOR = timedelta(days=14)
"""After a mail was delivered. Servers give up after five days (RFC 5321 section 4.5.4.1)."""
_ANSWERS = {
    "ACCEPTED": (RsvpStatus.ACCEPTED, False),
    "DECLINED": (RsvpStatus.DECLINED, False),
    "TENTATIVE": (RsvpStatus.UNKNOWN, True),
}


class Disposition(StrEnum):
    """What became of a mail that came in."""

    ANSWERED = "answered"
    PROPOSED = "proposed"
    BOUNCED = "bounced"
    REPEATED = "repeated"
    NO_ANSWER = "no-answer"  # a reply that neither accepts nor declines, such as a delegation
    OUT_OF_DATE = "out-of-date"  # about a mail or a guest of former times
    STRANGER = "stranger"  # a reply of somebody who is not the guest, such as whom they forwarded the mail to
    UNPROVED = "unproved"  # nothing shows that it is from the guest
    AUTOMATIC = "automatic"  # a vacation notice, a delay, a loop
    NOT_A_REPLY = "not-a-reply"  # what a person wrote


class TooManyRepliesError(Exception):
    """This guest's programs reply too often; their server may try again later."""


class RepliedGuests(Protocol):
    """Where guests, and what they reply, are kept."""

    async def find(self, participant_uuid: str) -> Guest | None:
        """The guest with this id."""

    async def find_by_meeting(self, meeting_uuid: str) -> list[Guest]:
        """The guests of one meeting."""

    async def record_reply(self, guest: Guest, reply: GuestReplied | GuestProposedNewTime) -> bool:
        """Keep a reply, and publish it; False: it is the one kept already."""

    async def record_bounce(self, guest: Guest, failure: Failure) -> bool:
        """Keep that the last mail came back, and publish it; False: that is known, or another mail was sent since."""


class SenderConfirmation(Protocol):
    """Whether the receiving mail server confirms who sent a mail."""

    def confirm(self, fields: tuple[str, ...], sender: str) -> bool:
        """Whether a mail with these Authentication-Results is from the domain of this sender."""


class InboundMail:
    """Decides what a mail means, and has it recorded before anything is acknowledged."""

    def __init__(
        self,
        guests: RepliedGuests,
        addresses: GuestAddresses,
        confirmation: SenderConfirmation,
        *,
        uid_domain: str,
        replies: RateLimiter,
    ) -> None:
        """``replies``: how many a guest's programs may send."""
        self._guests = guests
        self._addresses = addresses
        self._confirmation = confirmation
        self._uid_suffix = f"@{uid_domain}".lower()
        self._replies = replies

    async def handle(self, recipient: str, message: InboundMessage, received_at: datetime) -> Disposition:
        """Handle one mail to one of our addresses; idempotent.

        Raises:
            TooManyRepliesError: nothing was recorded.
        """
        address = self._addresses.read(recipient)
        if address is not None and address.version is not None:
            return await self._handle_bounce(address, address.version, message.report, received_at)
        if message.reply is None:
            return Disposition.AUTOMATIC if message.is_automatic else Disposition.NOT_A_REPLY
        return await self._handle_reply(address, message, message.reply, received_at)

    async def _handle_bounce(
        self, address: GuestAddress, version: int, report: DeliveryReport | None, received_at: datetime
    ) -> Disposition:
        if report is None:
            return Disposition.AUTOMATIC
        guest = await self._guests.find(address.participant_uuid)
        sent = guest.last_mail if guest is not None else None
        if guest is None or sent is None or sent.sequence != version or received_at - sent.at > _BOUNCES_COUNT_FOR:
            return Disposition.OUT_OF_DATE
        failure = Failure(
            kind=sent.kind, sequence=sent.sequence, code=report.code, reason=report.reason, at=received_at
        )
        return Disposition.BOUNCED if await self._guests.record_bounce(guest, failure) else Disposition.REPEATED

    async def _handle_reply(
        self, address: GuestAddress | None, message: InboundMessage, reply: CalendarReply, received_at: datetime
    ) -> Disposition:
        meeting_uuid = self._meeting_of(reply)
        if address is not None:
            if self._replies.wait(address.participant_uuid):
                raise TooManyRepliesError
            guest = await self._guests.find(address.participant_uuid)
        elif self._confirmation.confirm(message.authentication_results, message.sender):
            guest = await self._guest_who_sent(message, meeting_uuid)
        else:
            return Disposition.UNPROVED
        if guest is None:
            return Disposition.STRANGER
        if guest.is_over or guest.meeting_uuid != meeting_uuid:
            return Disposition.OUT_OF_DATE
        attendee = _invited(guest, reply, message.sender)
        if attendee is None:
            return Disposition.STRANGER
        return await self._record(guest, reply, attendee, received_at)

    async def _guest_who_sent(self, message: InboundMessage, meeting_uuid: str) -> Guest | None:
        sender = mailbox_of(message.sender)
        guests = await self._guests.find_by_meeting(meeting_uuid) if meeting_uuid else []
        return next((guest for guest in guests if sender == _mailbox(guest)), None)

    async def _record(
        self, guest: Guest, reply: CalendarReply, attendee: Attendee, received_at: datetime
    ) -> Disposition:
        common = {
            "tenant_uuid": guest.tenant_uuid,
            "meeting_uuid": guest.meeting_uuid,
            "participant_uuid": guest.participant_uuid,
            "reply_id": _reply_id(reply, attendee),
            "ical_sequence": reply.sequence,
            "replied_at": min(reply.dtstamp or received_at, received_at),
        }
        if reply.method is ReplyMethod.COUNTER:
            if reply.starts_at is None or reply.ends_at is None:
                return Disposition.NO_ANSWER
            proposal = GuestProposedNewTime.model_validate(
                common | {"starts_at": reply.starts_at, "ends_at": reply.ends_at, "comment": reply.comment or None}
            )
            is_new = await self._guests.record_reply(guest, proposal)
            return Disposition.PROPOSED if is_new else Disposition.REPEATED
        if attendee.partstat not in _ANSWERS:
            return Disposition.NO_ANSWER
        status, tentative = _ANSWERS[attendee.partstat]
        answer = GuestReplied.model_validate(common | {"rsvp_status": status, "tentative": tentative})
        is_new = await self._guests.record_reply(guest, answer)
        return Disposition.ANSWERED if is_new else Disposition.REPEATED

    def _meeting_of(self, reply: CalendarReply) -> str:
        """The id in the UID of our event; empty when it is none of ours."""
        uid = reply.uid
        return uid[: -len(self._uid_suffix)].upper() if uid.lower().endswith(self._uid_suffix) else ""


def _invited(guest: Guest, reply: CalendarReply, sender: str) -> Attendee | None:
    """The attendee line that speaks for the guest; None when somebody else replies.

    Programs may name all addresses of their user, or one of them that was not invited; then the sender must be the one
    who was.
    """
    invited = _mailbox(guest)
    named = next((one for one in reply.attendees if mailbox_of(one.address) == invited), None)
    if named is not None or mailbox_of(sender) != invited:
        return named
    return reply.attendees[0] if len(reply.attendees) == 1 else None


def _mailbox(guest: Guest) -> str:
    return mailbox_of(guest.last_mail.address if guest.last_mail else guest.person.email or "")


def _reply_id(reply: CalendarReply, attendee: Attendee) -> str:
    parts = (reply.method, reply.uid, reply.sequence, reply.dtstamp, attendee.partstat, reply.starts_at, reply.ends_at)
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
