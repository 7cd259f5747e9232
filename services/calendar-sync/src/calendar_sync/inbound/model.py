"""The feed of a connection: how far its external calendar has been read, and how we are told of changes. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from contracts.messages.calendar_channels import ChannelActivated
from contracts.values.enums import CalendarProvider
from contracts.values.times import Instant
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from calendar_sync.providers.external_event import Window

_STORED = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


_ROLLS_BY = timedelta(days=1)


_RECENT = timedelta(minutes=10)


_MOST_DELETIONS = 200


class SyncPhase(StrEnum):
    """``PARKED``: the grant was lost, and what was read stays. ``CLOSED``: the user ended it, and nothing stays."""

    OPEN = "OPEN"
    PARKED = "PARKED"
    CLOSED = "CLOSED"


class ChannelState(StrEnum):
    """``OPENING``: the provider was or is being asked, and its answer is not known. ``CLOSING``: to be stopped."""

    OPENING = "OPENING"
    OPEN = "OPEN"
    CLOSING = "CLOSING"


class Channel(BaseModel):
    """A push channel of Google, or a subscription of Graph. Its secret is nowhere."""

    model_config = _STORED

    channel_id: str
    secret_hash: str
    """What of its secret may be known (``contracts.messages.calendar_channels``)."""
    remote_id: str | None = None
    """Google's resourceId, Graph's subscription id: what the provider stops it by; None until it has answered."""
    generation: int
    """Of the connection in which it was opened."""
    since: Instant
    """When it was asked for, or last renewed."""
    expires_at: Instant
    state: ChannelState = ChannelState.OPENING

    def serves(self, generation: int, now: datetime) -> bool:
        """Whether it may be good. One whose opening was not answered is not: it can be neither renewed nor stopped."""
        return self.state is ChannelState.OPEN and self.generation == generation and self.expires_at > now

    def activated(self, provider: CalendarProvider, connection_id: str) -> ChannelActivated:
        """The event by which webhook-ingest accepts its notifications."""
        return ChannelActivated(
            channel_id=self.channel_id,
            provider=provider,
            connection_id=connection_id,
            secret_hash=self.secret_hash,
            expires_at=self.expires_at,
        )

    def after(self, share: float) -> datetime:
        """When this share of its life is over."""
        return self.since + share * (self.expires_at - self.since)


class SyncToken(BaseModel):
    """Where the next round begins: the provider's opaque token, and the window and generation it was given for."""

    model_config = _STORED

    token: str = Field(repr=False)
    begins: Instant
    ends: Instant
    generation: int

    def serves(self, generation: int, window: Window) -> bool:
        """Whether a round may go on from here: the same connection, and a window that has not moved by a day."""
        return self.generation == generation and abs(window.begins - self.begins) < _ROLLS_BY


class Counts(BaseModel):
    """What a pull did to the platform's meetings."""

    model_config = _STORED

    imported: int = 0
    updated: int = 0
    removed: int = 0


class InboundSyncState(BaseModel):
    """One per connection; the provider, account and generation are those of the newest connection that was noted.

    Who leases its ``pull`` is the only one who writes its cursor and its sightings; who leases its ``watch`` is the
    only one who writes its channels.
    """

    model_config = _STORED

    connection_id: str
    tenant_uuid: str
    user_id: str
    provider: CalendarProvider
    account: str
    """The ``account_key`` of the calendar's owner at the provider."""
    generation: int
    state: SyncPhase = SyncPhase.OPEN
    cursor: SyncToken | None = None
    channels: list[Channel] = Field(default_factory=list)
    not_before: Instant | None = None
    """Before that, the provider is not asked again."""
    asked: int = 0
    """How often users have asked for a pull."""
    answered: int = 0
    """What ``asked`` was when the last pull that succeeded began."""
    outcome: Counts = Field(default_factory=Counts)
    """Of that pull."""
    synced_as_of: Instant
    """What is known of the calendar is from then: when the last pull that succeeded began, or the user connected."""
    deletions: list[Instant] = Field(default_factory=list)
    """When copies of ours were last found deleted, the latest ones."""

    def recent_deletions(self, now: datetime) -> list[datetime]:
        """Those that count for the mass-deletion brake."""
        return [at for at in self.deletions if now - at < _RECENT][-_MOST_DELETIONS:]
