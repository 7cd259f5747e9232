"""Listening to the meetings' events: what each guest ought to know, written down; mails follow from that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.kafka.consumer import Batch
from contracts.messages.meeting_events import MeetingEvent
from contracts.values.enums import MailKind
from contracts.values.times import utc_now

from invitations.application.fair_order import FairOrder
from invitations.domain.guest import Guest, News
from invitations.domain.news import news_of


@dataclass(slots=True)
class Heard:
    """One guest while a batch is handled: as they were stored, if at all, as they are now, and when to mail them."""

    guest: Guest
    stored_sequence: int | None
    """None when the guest is not stored yet."""
    mail_at: datetime | None = None
    """When a mail is due because of this batch."""
    start_at: datetime | None = None
    """By which its mail is ordered among all that are due."""
    touched: bool = False


class Guests(Protocol):
    """Where guests are kept."""

    async def load(self, participant_uuids: set[str]) -> dict[str, Guest]:
        """Those of them that are known, by participantUuid."""

    async def save(self, heard: list[Heard]) -> None:
        """Write what they ought to know, all in one go. What they were told is not touched.

        Raises:
            chassis.mongo.database.ConflictError: another writer was faster with some; all others are written.
        """


class Listening:
    """Takes note of batches of events."""

    def __init__(self, guests: Guests, order: FairOrder, *, wake: Callable[[], None], update_window: timedelta) -> None:
        """``wake`` is called when mails are due; updates wait ``update_window`` for more of their kind."""
        self._guests = guests
        self._order = order
        self._wake = wake
        self._update_window = update_window

    async def handle(self, batch: Batch) -> None:
        """Idempotent: news that a guest was told of before is stale."""
        news = [
            one
            for received in batch
            if isinstance(received.body, MeetingEvent)
            for one in news_of(received.body, received.envelope)
        ]
        if not news:
            return
        known = await self._guests.load({one.person.participant_uuid for one in news})
        heard = {uuid: Heard(guest, stored_sequence=guest.sequence) for uuid, guest in known.items()}
        now = utc_now()
        for one in news:
            self._hear(heard, one, now)
        await self._guests.save([one for one in heard.values() if one.touched])
        self._wake()

    def _hear(self, heard: dict[str, Heard], news: News, now: datetime) -> None:
        uuid = news.person.participant_uuid
        before = heard.get(uuid)
        if before is None:
            before = heard[uuid] = Heard(Guest.first_heard_of(news), stored_sequence=None)
        elif news.sequence <= before.guest.sequence:
            return
        else:
            before.guest = before.guest.after(news)
        before.touched = True
        guest = before.guest
        if guest.asked_in == news.sequence:
            pause = self._update_window if guest.owed() is MailKind.UPDATE else timedelta(0)
            before.mail_at = min(now + pause, before.mail_at or now + pause)
            before.start_at = before.start_at or self._order.start_of(guest.meeting, before.mail_at)
