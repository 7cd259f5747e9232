"""Handling the commands of callers about their connections, one after the other: they are few."""

from functools import partial

from chassis.kafka.consumer import Batch, handling
from chassis.kafka.publisher import Publisher
from chassis.kafka.wire import encode, envelope_for
from contracts.messages.calendar_commands import CalendarCommand, DisconnectCalendar, SetModalPreference, SyncCalendar
from contracts.messages.replies import Reply
from contracts.transport.envelope import Envelope, Message
from contracts.transport.topics import CALENDAR_SYNC

from calendar_sync.application.connecting import Connecting
from calendar_sync.application.syncing import Syncing


class CalendarCommands:
    """Carries out commands and answers them."""

    kinds = (CalendarCommand,)

    def __init__(self, connecting: Connecting, syncing: Syncing, publisher: Publisher) -> None:
        self._connecting = connecting
        self._syncing = syncing
        self._publisher = publisher

    async def handle(self, batch: Batch) -> None:
        """Idempotent: what was decided before is only answered again."""
        for received in batch:
            with handling(received):
                answer = partial(self._reply, received.envelope)
                match received.body:
                    case DisconnectCalendar() | SetModalPreference() as command:
                        await answer(await self._connecting.carry_out(command))
                    case SyncCalendar() as command:
                        await self._syncing.carry_out(command, answer)

    async def _reply(self, command: Envelope, reply: Reply) -> None:
        if command.reply_to is None:
            return
        envelope = envelope_for(reply, source=CALENDAR_SYNC, subject=command.subject)
        await self._publisher.publish(encode(Message(envelope, reply), key=command.id))
