"""Projects the events of meetings onto guests: what each should know, and when a mail is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.kafka.consumer import Batch
from contracts.messages.meeting_events import MeetingEvent
from contracts.values.enums import MailKind
from contracts.values.times import utc_now

from invitations.application.fair_order import FairOrder
from invitations.domain.guest import Guest, GuestChange
from invitations.domain.guest_changes import guest_changes


@dataclass(slots=True)
class GuestUpdate:
    """One guest while a batch is handled: as they were stored, if at all, as they are now, and when to mail them."""

    guest: Guest
    stored_sequence: int | None
    """None when the guest is not stored yet."""
    mail_at: datetime | None = None
    """When a mail is due because of this batch."""
    start_at: datetime | None = None
    """By which its mail is ordered among all that are due."""
    is_changed: bool = False


class Guests(Protocol):
    """Where guests are kept."""

    async def load(self, participant_uuids: set[str]) -> dict[str, Guest]:
        """Those of them that are known, by participantUuid."""

    async def save(self, updates: list[GuestUpdate]) -> None:
        """Write what they should know, in one call. The last mail is not touched.

        Raises:
            chassis.mongo.database.ConflictError: another writer changed some of them first; all others are written.
        """


class GuestProjector:
    """Applies batches of events to the stored guests."""

    def __init__(self, guests: Guests, order: FairOrder, *, wake: Callable[[], None], update_window: timedelta) -> None:
        """``wake`` is called when mails are due; updates wait ``update_window`` for more of their kind."""
        self._guests = guests
        self._order = order
        self._wake = wake
        self._update_window = update_window

    async def handle(self, batch: Batch) -> None:
        """Idempotent: a change that a guest has already is skipped."""
        changes = [
            change
            for received in batch
            if isinstance(received.body, MeetingEvent)
            for change in guest_changes(received.body, received.envelope)
        ]
        if not changes:
            return
        known = await self._guests.load({change.person.participant_uuid for change in changes})
        updates = {uuid: GuestUpdate(guest, stored_sequence=guest.sequence) for uuid, guest in known.items()}
        now = utc_now()
        for change in changes:
            self._apply(updates, change, now)
        await self._guests.save([update for update in updates.values() if update.is_changed])
        self._wake()

    def _apply(self, updates: dict[str, GuestUpdate], change: GuestChange, now: datetime) -> None:
        uuid = change.person.participant_uuid
        update = updates.get(uuid)
        if update is None:
            update = updates[uuid] = GuestUpdate(Guest.from_change(change), stored_sequence=None)
        elif change.sequence <= update.guest.sequence:
            return
        else:
            update.guest = update.guest.with_change(change)
        update.is_changed = True
        guest = update.guest
        if guest.requested_in_version == change.sequence:
            pause = self._update_window if guest.pending_mail() is MailKind.UPDATE else timedelta(0)
            update.mail_at = min(now + pause, update.mail_at or now + pause)
            update.start_at = update.start_at or self._order.start_of(guest.meeting, update.mail_at)
