"""Routes each message of a batch to the handlers of its type, and executes commands of callers."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from chassis.kafka.consumer import Batch, handling
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import encode, envelope_for
from contracts.messages.calendar_commands import CalendarCommand, DisconnectCalendar, SetModalPreference, SyncCalendar
from contracts.messages.replies import Reply
from contracts.model import Contract
from contracts.transport.envelope import Envelope, Message
from contracts.transport.topics import CALENDAR_SYNC

from calendar_sync.connections.connection_service import ConnectionService
from calendar_sync.inbound.on_demand import OnDemandSync


class MessageHandler(Protocol):
    """What handles messages of some kinds."""

    @property
    def kinds(self) -> tuple[type[Contract], ...]: ...

    async def handle(self, batch: Batch) -> None:
        """Idempotent; the batch is in order within each key."""


class MessageRouter:
    """Knows which part handles what. A kind may concern several parts; they hear of it in the order given."""

    def __init__(self, parts: Sequence[MessageHandler]) -> None:
        self._parts = parts

    async def handle(self, batch: Batch) -> None:
        for part in self._parts:
            concerned = [received for received in batch if isinstance(received.body, part.kinds)]
            if concerned:
                await part.handle(concerned)


class CalendarCommands:
    """Carries out commands and answers them."""

    kinds = (CalendarCommand,)

    def __init__(self, connections: ConnectionService, on_demand_sync: OnDemandSync, publisher: Publisher) -> None:
        self._connections = connections
        self._on_demand_sync = on_demand_sync
        self._publisher = publisher

    async def handle(self, batch: Batch) -> None:
        """Idempotent: what was decided before is only answered again."""
        for received in batch:
            with handling(received):
                answer = partial(self._reply, received.envelope)
                match received.body:
                    case DisconnectCalendar() | SetModalPreference() as command:
                        await answer(await self._connections.execute(command))
                    case SyncCalendar() as command:
                        await self._on_demand_sync.sync(command, answer)

    async def _reply(self, command: Envelope, reply: Reply) -> None:
        if command.reply_to is None:
            return
        envelope = envelope_for(reply, source=CALENDAR_SYNC, subject=command.subject)
        await self._publisher.publish(encode(Message(envelope, reply), key=command.id))
