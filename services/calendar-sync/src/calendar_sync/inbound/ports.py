"""Ports of the inbound sync: sync state, imported events, mirrored events, channels."""

from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.messages.calendar_events import (
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
)

from calendar_sync.inbound.imported_event import ImportedEvent
from calendar_sync.inbound.model import Channel, InboundSyncState, SyncPhase
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import Window


@dataclass(frozen=True, slots=True)
class MirroredEventRef:
    """A copy of ours, by the event that it is in an account."""

    meeting_uuid: str
    event_id: str
    base_fingerprint: str | None
    """The fingerprint of what the platform knows the event to say; None when that is not known."""
    expected: bool
    """Whether the event ought to be there: the meeting is active and not over, and the copy was not removed by us."""
    when: EventTime | None = None
    """When the platform knows the event to be."""
    written_at: datetime | None = None
    """When it was last written, or tried to be."""


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """A copy in the account ``key`` that its host may have changed or removed.

    ``is_mass_deletion``: so many are missing at once that their deletion must cancel nothing.
    """

    meeting_uuid: str
    key: str
    is_mass_deletion: bool = False


class MirroredEvents(Protocol):
    """The copies of our own meetings; ``key`` is the account's (``account_key``)."""

    async def of_events(self, key: str, event_ids: Sequence[str]) -> Mapping[str, MirroredEventRef]:
        """The copies that these events are, by event id; also those that were removed by us (their id is kept)."""

    def of_window(self, key: str, window: Window) -> AsyncIterator[Sequence[MirroredEventRef]]:
        """Pages of the copies that are expected in the account, and of which the newest known time is in the window."""

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these meetings whose copy in this account is being made: its event may be there, its id unknown."""

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these that are meetings made on the platform, whoever hosts them."""

    async def request_rechecks(self, requests: Sequence[RecheckRequest]) -> None:
        """Have these copies compared with their events, and taken over what their hosts did."""


ImportedEventMessage = ExternalEventUpserted | ExternalEventDeleted | InvitationAnswered


class ImportedEvents(Protocol):
    """Imported events by connection. Only the worker that leases a connection's sync writes them."""

    async def find(
        self, connection_id: str, *, event_ids: Sequence[str], meeting_uuids: Sequence[str]
    ) -> Sequence[ImportedEvent]:
        """Those of these events, or of these meetings, in this connection's calendar."""

    async def of_series(self, connection_id: str, series_ids: Sequence[str]) -> Sequence[ImportedEvent]:
        """Those of instances of these series that are not gone."""

    def iterate(self, connection_id: str) -> AsyncIterator[Sequence[ImportedEvent]]:
        """Pages of this connection's imported events that are not deleted."""

    async def save(self, changes: Sequence[tuple[ImportedEvent, Sequence[ImportedEventMessage]]]) -> None:
        """Save these imported events and publish their messages.

        Raises:
            LeaseLostError: another worker wrote one of them.
        """


class ChannelStore(Protocol):
    """Saves the channels of a leased sync state."""

    async def save(self, channels: Sequence[Channel]) -> None:
        """Raises LeaseLostError: another worker may be at it."""


class ChannelReader(Protocol):
    """The channels of all sync states, for reading."""

    async def of(self, connection_id: str) -> Sequence[Channel]:
        """Those of one sync state."""

    async def known(self, remote_ids: Sequence[str]) -> set[str]:
        """Those of these that belong to any sync state."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a sync did to the platform's meetings."""

    imported: int
    updated: int
    removed: int


class SyncRequests(Protocol):
    """Pulling changes out of an account's calendar."""

    async def request_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """Schedule a sync now; it happens even if this process ends.

        What is returned ends with the sync, whichever process runs it.
        """

    async def request_full_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """The same, but all of the calendar is read anew, not only what changed.

        Raises:
            ProviderUnavailableError: it is being read all the time, so nothing was written down.
        """


class SyncStates(Protocol):
    """The sync states of all connections."""

    async def start(self, account: Account) -> None:
        """Create or reopen the sync state of this account in this generation; it is read and watched now."""

    async def end(self, tenant_uuid: str, user_id: str, state: SyncPhase) -> None:
        """Set the phase to ``ENDED`` or ``SUSPENDED``; the jobs that follow are due now."""

    async def request_sync(self, connection_ids: Iterable[str]) -> None:
        """Have these calendars read now, or when they have rested; those that are not open are not."""

    async def request_channel_check(self, connection_ids: Iterable[str]) -> None:
        """Have the channels of these calendars looked after now."""

    async def request_run(self, account: Account) -> int | None:
        """Schedule a sync and return the number of the request. None: the account has no sync state yet."""

    async def request_full_run(self, account: Account) -> int | None:
        """Forget how far the calendar has been read, and ask as above. None: it is being read just now, or not open."""

    async def find(self, connection_id: str) -> InboundSyncState | None: ...
