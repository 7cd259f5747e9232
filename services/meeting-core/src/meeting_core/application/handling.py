"""Handling a batch: read its meetings once, decide each message in order, write once, then tell."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from chassis.context import Context, working_on
from chassis.kafka.consumer import Batch
from chassis.kafka.publisher import Publisher
from chassis.kafka.wire import Outgoing, encode, envelope_for
from chassis.waiting import all_of
from contracts.deliveries import DeliveryEvent
from contracts.envelope import Envelope, Message
from contracts.replies import Reply
from contracts.times import utc_now
from contracts.topics import MEETING_CORE

from meeting_core.application.noting import note_mail
from meeting_core.application.work import Work

Decide = Callable[[Work, Any, datetime], Reply]


class Meetings(Protocol):
    """Where meetings are kept."""

    async def load(self, meeting_uuids: set[str]) -> dict[str, Work]:
        """Work on each of these meetings, also on those that do not exist."""

    async def save(self, works: list[Work]) -> None:
        """Write what was touched, all in one go.

        Raises:
            VersionConflictError: another writer was faster with some; all others are written.
        """

    async def tell(self, works: list[Work]) -> None:
        """Publish everything these meetings still have to say, each one's events in order."""


class Handling:
    """Carries out batches of messages about meetings."""

    def __init__(self, meetings: Meetings, publisher: Publisher, decide: Decide) -> None:
        self._meetings = meetings
        self._publisher = publisher
        self._decide = decide

    async def handle(self, batch: Batch) -> None:
        """Idempotent: what was decided before is only answered and told again."""
        works = await self._meetings.load({received.body.meeting_uuid for received in batch})
        now = utc_now()
        replies: list[Outgoing] = []
        for received in batch:
            with working_on(Context.of(received.envelope)):
                work = works[received.body.meeting_uuid]
                if isinstance(received.body, DeliveryEvent):
                    note_mail(work, received.body)
                    continue
                reply = self._decide(work, received.body, now)
                if received.envelope.reply_to is not None:
                    replies.append(_record(received.envelope, reply))
        await self._meetings.save(list(works.values()))
        await all_of(self._publisher.publish_together(replies), self._meetings.tell(list(works.values())))


def _record(command: Envelope, reply: Reply) -> Outgoing:
    return encode(Message(envelope_for(reply, source=MEETING_CORE, subject=command.subject), reply), key=command.id)
