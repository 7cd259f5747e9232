"""How far a connection's external calendar has been read, and its notification channels. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from contracts.messages.calendar_channels import ChannelActivated
from contracts.model import StoredModel
from contracts.values.enums import CalendarProvider
from contracts.values.personal import Credential, PersonId
from contracts.values.times import Instant
from pydantic import Field

from calendar_sync.providers.external_event import Window

_WINDOW_STEP = timedelta(days=1)


_DELETION_WINDOW = timedelta(minutes=10)


_MAX_RECORDED_DELETIONS = 200


class SyncPhase(StrEnum):
    """``SUSPENDED``: authorization lost, imported events are kept. ``ENDED``: disconnected, they are deleted."""

    OPEN = "OPEN"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


class ChannelState(StrEnum):
    """``OPENING``: the provider was or is being asked, and its answer is not known. ``CLOSING``: to be stopped."""

    OPENING = "OPENING"
    OPEN = "OPEN"
    CLOSING = "CLOSING"


class Channel(StoredModel):
    """A push channel of Google, or a subscription of Graph. Its secret is nowhere."""

    channel_id: str
    secret_hash: Credential
    """What of its secret may be known (``contracts.messages.calendar_channels``)."""
    remote_id: str | None = None
    """Google's resourceId, Graph's subscription id: what the provider stops it by; None until it has answered."""
    generation: int
    """Of the connection in which it was opened."""
    since: Instant
    """When it was asked for, or last renewed."""
    expires_at: Instant
    state: ChannelState = ChannelState.OPENING

    def is_usable(self, generation: int, now: datetime) -> bool:
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

    def at_lifetime_fraction(self, fraction: float) -> datetime:
        """When this share of its life is over."""
        return self.since + fraction * (self.expires_at - self.since)


class SyncToken(StoredModel):
    """Where the next sync begins: the provider's opaque token, and the window and generation it was given for."""

    token: str = Field(repr=False)
    begins: Instant
    ends: Instant
    generation: int

    def is_valid_for(self, generation: int, window: Window) -> bool:
        """Whether a sync may continue from here: the same connection, and a window that has not moved by a day."""
        return self.generation == generation and abs(window.begins - self.begins) < _WINDOW_STEP


class Counts(StoredModel):
    """What a sync did to the platform's meetings."""

    imported: int = 0
    updated: int = 0
    removed: int = 0


class InboundSyncState(StoredModel):
    """One per connection; the provider, account and generation are those of the newest connection that was noted.

    Only the worker that leases its ``inboundSync`` writes its sync token and its imported events; only the worker that
    leases its ``channelMaintenance`` writes its channels.
    """

    connection_id: PersonId
    tenant_uuid: str
    user_id: PersonId
    provider: CalendarProvider
    account: PersonId
    """The ``account_key`` of the calendar's owner at the provider."""
    generation: int
    phase: SyncPhase = SyncPhase.OPEN
    sync_token: SyncToken | None = None
    channels: list[Channel] = Field(default_factory=list)
    not_before: Instant | None = None
    """Before that, the provider is not asked again."""
    requested_runs: int = 0
    """How many syncs users have requested."""
    completed_run: int = 0
    """What ``requested_runs`` was when the last successful sync began."""
    outcome: Counts = Field(default_factory=Counts)
    """Of that sync."""
    synced_as_of: Instant
    """What is known of the calendar is from then: when the last pull that succeeded began, or the user connected."""
    recorded_deletions: list[Instant] = Field(default_factory=list)
    """When mirrored events were last found deleted, the latest instants."""

    def deletions_in_window(self, now: datetime) -> list[datetime]:
        """Those that count for the mass-deletion brake."""
        return [at for at in self.recorded_deletions if now - at < _DELETION_WINDOW][-_MAX_RECORDED_DELETIONS:]
