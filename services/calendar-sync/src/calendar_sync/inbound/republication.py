"""Publishing the state of connections and channels again, after their topics have lost records."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository
from calendar_sync.inbound.model import Channel, ChannelState, InboundSyncState

_PAGE = 500


class ActiveSyncStates(Protocol):
    """The sync states of connected calendars."""

    def pages(self) -> AsyncIterator[Sequence[InboundSyncState]]:
        """All of them, in pages."""


class StateRepublisher:
    """Publishes what the database knows; receivers ignore what they know already."""

    def __init__(self, connections: ConnectionRepository, sync_states: ActiveSyncStates, publisher: Publisher) -> None:
        self._connections = connections
        self._sync_states = sync_states
        self._publisher = publisher

    async def republish_connections(self) -> None:
        """Every connection that was ever made, also those that ended. Raises a KafkaError."""
        after = ""
        while page := await self._connections.page(after, _PAGE):
            await self._publisher.publish_together(
                [record for connection in page for record in _connection_records(connection)]
            )
            after = page[-1].connection_id

    async def republish_channels(self) -> None:
        """Every channel whose notifications may still come. Raises a KafkaError."""
        async for page in self._sync_states.pages():
            await self._publisher.publish_together(
                [_channel_record(sync_state, channel) for sync_state in page for channel in _usable(sync_state)]
            )


def _channel_record(sync_state: InboundSyncState, channel: Channel) -> OutgoingRecord:
    body = channel.activated(sync_state.provider, sync_state.connection_id)
    envelope = envelope_for(body, source=CALENDAR_SYNC, subject=channel.channel_id)
    return encode(Message(envelope, body), key=channel.channel_id)


def _usable(sync_state: InboundSyncState) -> list[Channel]:
    now = utc_now()
    return [
        channel
        for channel in sync_state.channels
        if channel.state is not ChannelState.CLOSING
        and channel.generation == sync_state.generation
        and channel.expires_at > now
    ]


def _connection_records(connection: Connection) -> Iterator[OutgoingRecord]:
    for event in (connection.current_event(utc_now()), connection.coverage()):
        if event is not None and connection.generation:
            envelope = envelope_for(
                event,
                source=CALENDAR_SYNC,
                subject=connection.user_id,
                tenant=connection.tenant_uuid,
                sequence=connection.version,
            )
            yield encode(Message(envelope, event), key=connection.user_id)
