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
    """A mirrored event in an account, as the inbound sync sees it."""

    meeting_uuid: str
    event_id: str
    base_fingerprint: str | None
    """The fingerprint of the event's content that the platform knows; None when it is not known."""
    expected: bool
    """Whether the event should exist: the meeting is active and not over, and we have not deleted the event."""
    when: EventTime | None = None
    """When the platform knows the event to be."""
    written_at: datetime | None = None
    """When it was last written, or tried to be."""


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """A mirrored event in the account ``key`` that its host may have changed or deleted.

    ``is_mass_deletion``: so many are missing at once that their deletion must cancel nothing.
    """

    meeting_uuid: str
    key: str
    is_mass_deletion: bool = False


class MirroredEvents(Protocol):
    """The events of our own meetings in calendars; ``key`` is the account's (``account_key``)."""

    async def of_events(self, key: str, event_ids: Sequence[str]) -> Mapping[str, MirroredEventRef]:
        """The mirrored events among these, by event id; also those that we have deleted (their id is kept)."""

    def of_window(self, key: str, window: Window) -> AsyncIterator[Sequence[MirroredEventRef]]:
        """Pages of the mirrored events that should be in the account, and whose newest known time is in the window."""

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these meetings whose event in this account is being created: it may exist, its id is not known."""

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these that are meetings made on the platform, by any host."""

    async def request_rechecks(self, requests: Sequence[RecheckRequest]) -> None:
        """Schedule a comparison of these events with the calendar; changes of their hosts are adopted."""


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
    """Requests for a sync of an account's calendar."""

    async def request_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """Schedule a sync now; it happens even if this process ends.

        What is returned ends with the sync, whichever process runs it.
        """

    async def request_full_run(self, account: Account) -> Awaitable[SyncOutcome]:
        """The same, but all of the calendar is read anew, not only what changed.

        Raises:
            ProviderUnavailableError: the calendar is being read all the time, so nothing was scheduled.
        """


class SyncStates(Protocol):
    """The sync states of all connections."""

    async def start(self, account: Account) -> None:
        """Create or reopen the sync state of this account in this generation; sync and channels are due now."""

    async def end(self, tenant_uuid: str, user_id: str, state: SyncPhase) -> None:
        """Set the phase to ``ENDED`` or ``SUSPENDED``; the jobs that follow are due now."""

    async def request_sync(self, connection_ids: Iterable[str]) -> None:
        """Schedule a sync of these calendars, now or after the minimum interval; only of those that are open."""

    async def request_channel_check(self, connection_ids: Iterable[str]) -> None:
        """Schedule a check of the channels of these calendars now."""

    async def request_run(self, account: Account) -> int | None:
        """Schedule a sync and return the number of the request. None: the account has no sync state yet."""

    async def request_full_run(self, account: Account) -> int | None:
        """Forget how far the calendar has been read, and ask as above. None: it is being read just now, or not open."""

    async def find(self, connection_id: str) -> InboundSyncState | None: ...
