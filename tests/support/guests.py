"""Guests as the invitations service knows them, made from what really happens to a meeting."""

from typing import Any

from contracts.messages.command import Command
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.envelope import Envelope
from contracts.values.enums import MailKind, ParticipantType
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import Invitee
from invitations.domain.guest import Guest, SentContent, SentMail
from invitations.domain.guest_changes import guest_changes
from meeting_core.application.event_handlers import apply_mirrored_event_change

from tests.support.commands import MEETING, TENANT, CommandHarness, create
from tests.support.outside_events import copy_changed, copy_removed

JANE = "jane.roe@example.com"


def jane(**more: Any) -> Invitee:
    """An external guest."""
    return Invitee(**{"participant_type": ParticipantType.EXTERNAL, "email": JANE, "name": "Jane Roe"} | more)


class Guestbook:
    """Hears what happens to one meeting, and tells guests as the service would, without bus, database or mail."""

    def __init__(self, *opening: Command) -> None:
        self.desk = CommandHarness()
        self.guests: dict[str, Guest] = {}
        for command in opening:
            self.hear(command)

    def hear(self, command: Command) -> None:
        """Something is done to the meeting, and every guest hears of it."""
        before = len(self.desk.events)
        self.desk.done(command)
        self._hear_since(before)

    def take_over(self, **changes: Any) -> None:
        """The host changes the meeting in their own calendar, and every guest hears of it."""
        before = len(self.desk.events)
        apply_mirrored_event_change(self.desk.uow, copy_changed(change_id=uuid7_hex(), **changes), self.desk.now)
        self._hear_since(before)

    def take_back(self) -> None:
        """The host deletes the meeting in their own calendar, and every guest hears of it."""
        before = len(self.desk.events)
        apply_mirrored_event_change(self.desk.uow, copy_removed(change_id=uuid7_hex()), self.desk.now)
        self._hear_since(before)

    def _hear_since(self, before: int) -> None:
        for event, envelope in list(zip(self.desk.events, self.desk.envelopes, strict=True))[before:]:
            self.take_note(event, envelope)

    def take_note(self, event: MeetingEvent, envelope: Envelope) -> None:
        """One event is heard, perhaps again."""
        for change in guest_changes(event, envelope):
            known = self.guests.get(change.person.participant_uuid)
            if known is None:
                self.guests[change.person.participant_uuid] = Guest.from_change(change)
            elif change.sequence > known.sequence:
                self.guests[change.person.participant_uuid] = known.with_change(change)

    def of(self, email: str) -> Guest:
        """The newest guest who has this address."""
        return [guest for guest in self.guests.values() if guest.person.email == email][-1]

    def pending_mail(self, email: str = JANE) -> MailKind | None:
        return self.of(email).pending_mail()

    def tell(self, email: str = JANE, *, sent_to: str | None = None) -> MailKind | None:
        """Mail the guest what they are owed, at an address as it goes over the wire; what that was."""
        guest = self.of(email)
        kind = guest.pending_mail()
        if kind is not None:
            mailed = sent_mail(guest, kind)
            mailed = mailed.model_copy(update={"address": sent_to or mailed.address})
            self.guests[guest.participant_uuid] = guest.model_copy(update={"last_mail": mailed})
        return kind


def sent_mail(guest: Guest, kind: MailKind) -> SentMail:
    """That the guest was mailed."""
    message_id = f"<{guest.participant_uuid}.{guest.requested_in_version}@meetings.example.com>"
    first = guest.last_mail.first_message_id if guest.last_mail else message_id
    return SentMail(
        kind=kind,
        sequence=guest.requested_in_version,
        address=guest.address or "",
        message_id=message_id,
        content=SentContent.of(guest.meeting),
        first_message_id=first,
        at=guest.requested_at,
    )


def guest(*, person: dict[str, Any] | None = None, **meeting: Any) -> Guest:
    """A guest who was just invited to a meeting like this."""
    return Guestbook(create(jane(**person or {}), **meeting)).of((person or {}).get("email", JANE))


__all__ = ["JANE", "MEETING", "TENANT", "Guestbook", "guest", "jane", "sent_mail"]
