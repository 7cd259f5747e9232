"""Connections and channels on the bus again, after their topics have lost them."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from calendar_sync.inbound.model import Channel, ChannelState, InboundSyncState
from calendar_sync.inbound.republication import StateRepublisher
from contracts.messages.calendar_channels import ChannelActivated
from contracts.messages.calendar_events import ConnectionChanged
from contracts.messages.command import Actor
from contracts.transport.envelope import Envelope
from contracts.values.enums import CalendarProvider, ConnectionStatus, SyncFailureCode
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now

from tests.support.calendars import Consents
from tests.support.connections import ConnectionsHarness, StandInPublisher, new_actor

pytestmark = pytest.mark.integration


class SyncStates:
    """Feeds, one on each page."""

    def __init__(self, *feeds: InboundSyncState) -> None:
        self._feeds = feeds

    async def pages(self) -> AsyncIterator[Sequence[InboundSyncState]]:
        for feed in self._feeds:
            yield [feed]


def feed(user_id: str, *channels: Channel) -> InboundSyncState:
    return InboundSyncState(
        connection_id=f"T1:{user_id}",
        tenant_uuid="T1",
        user_id=user_id,
        provider=CalendarProvider.OUTLOOK,
        account="account",
        generation=2,
        channels=list(channels),
        synced_as_of=utc_now(),
    )


def channel(state: ChannelState = ChannelState.OPEN, *, generation: int = 2, hours: float = 1) -> Channel:
    return Channel(
        channel_id=uuid7_hex(),
        secret_hash="0" * 64,
        generation=generation,
        since=utc_now(),
        expires_at=utc_now() + timedelta(hours=hours),
        state=state,
    )


async def test_channels_whose_notifications_may_come_are_published(harness: ConnectionsHarness) -> None:
    usable = [channel(), channel(ChannelState.OPENING)]
    over = [channel(ChannelState.CLOSING), channel(generation=1), channel(hours=-1)]
    publisher = StandInPublisher()
    feeds = SyncStates(feed("TS1", usable[0], *over), feed("TS2", usable[1]), feed("TS3"))
    await StateRepublisher(harness.connections, feeds, publisher).republish_channels()
    said = [ChannelActivated.model_validate_json(record.value) for record in publisher.records]
    assert [(one.channel_id, one.connection_id) for one in said] == [
        (usable[0].channel_id, "T1:TS1"),
        (usable[1].channel_id, "T1:TS2"),
    ]
    assert [record.key.decode() for record in publisher.records] == [one.channel_id for one in said]


async def test_connections_are_published_as_they_are_now(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    left, lost = new_actor(), new_actor()
    await harness.connect(actor, consents)
    await harness.connect(left, consents, "left@example.com")
    await harness.disconnect(left)
    account = await harness.connect(lost, consents, "lost@example.com")
    consents.withdraw("lost@example.com")
    with pytest.raises(Exception, match="withdrawn"):
        await harness.accounts.access_token(account, refused=await harness.accounts.access_token(account))
    for one in (left, lost):  # an attempt to connect again that fails is no reason why the connection ended
        url = await harness.begin(one, consents.provider)
        state = dict(part.split("=") for part in url.partition("?")[2].split("&"))["state"]
        await harness.come_back(consents.provider, {"state": state, "error": "access_denied"})
    told_before = {record.key: record for record in harness.publisher.records}

    harness.publisher.records.clear()
    await StateRepublisher(harness.connections, SyncStates(), harness.publisher).republish_connections()
    assert harness.coverage() == [(None, None)] * 3
    again = {
        record.key: record
        for record in harness.publisher.records
        if Envelope.from_headers(record.headers).type == "calendar.connection.changed.v1"
    }
    assert again.keys() == told_before.keys()
    said = {key.decode(): ConnectionChanged.model_validate_json(record.value) for key, record in again.items()}
    assert {key: (one.status, one.error_code) for key, one in said.items()} == {
        actor.user_id: (ConnectionStatus.CONNECTED, None),
        left.user_id: (ConnectionStatus.DISCONNECTED, None),
        lost.user_id: (ConnectionStatus.DISCONNECTED, SyncFailureCode.TOKEN_REVOKED),
    }
    for key, record in again.items():
        earlier, now = (Envelope.from_headers(one.headers).sequence or 0 for one in (told_before[key], record))
        assert now >= earlier
