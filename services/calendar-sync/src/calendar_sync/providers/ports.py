"""What each calendar provider offers: writing events, listing changes, notification channels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from contracts.values.ids import uuid8_hex

from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.external_event import ChangesPage, Window


@dataclass(frozen=True, slots=True)
class Marker:
    """What says that an event is our copy of a meeting. It proves nothing to anybody: its owner can write it, too."""

    meeting_uuid: str
    deployment: str
    account: str
    incarnation: int

    @property
    def event_id(self) -> str:
        """The same for the same copy, another for another: 32 hex digits, which Google takes for an event id."""
        return uuid8_hex(
            "calendar event", self.deployment, self.account, self.meeting_uuid, str(self.incarnation)
        ).lower()


@dataclass(frozen=True, slots=True)
class EventRef:
    """An event as it was last seen: its id, and the entity tag of that state."""

    event_id: str
    etag: str


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """An event as the provider showed it. ``canceled``: only a tombstone of it is left."""

    ref: EventRef
    content: EventContent
    ours: bool
    canceled: bool = False
    calendar_id: str | None = None
    """The calendar that its owner has moved it to; None for the calendar that was asked."""


@dataclass(frozen=True, slots=True)
class CalendarAccess:
    """The right to use one calendar, for one call."""

    token: str = field(repr=False)
    calendar_id: str


class CalendarWriter(Protocol):
    """One provider's calendars. Every method may raise CallFailedError and UnauthorizedError."""

    async def create(self, access: CalendarAccess, marker: Marker, content: EventContent) -> RemoteEvent:
        """Create the event. Raises AlreadyExistsError if its id is used up, NotFoundError without the calendar."""

    async def find(self, access: CalendarAccess, marker: Marker) -> list[RemoteEvent]:
        """The events that bear this marker, oldest first; tombstones too, where the provider shows them."""

    async def read(self, access: CalendarAccess, event_id: str) -> RemoteEvent:
        """The event, or its tombstone. Raises NotFoundError, which proves nothing: a 404 may pass."""

    async def locate(self, access: CalendarAccess, marker: Marker, event_id: str) -> RemoteEvent | None:
        """Look for an event that ``read`` did not show in the other ways that there are, other calendars included.

        None: it is in no calendar that the grant shows. Raises NotFoundError when the calendar cannot be asked.
        """

    async def change(
        self, access: CalendarAccess, ref: EventRef, content: EventContent, fields: frozenset[str]
    ) -> RemoteEvent:
        """Write these fields of the event, if it is still as it was. Raises PreconditionFailedError, NotFoundError."""

    async def remove(self, access: CalendarAccess, ref: EventRef) -> None:
        """Delete the event, if it is still as it was. Raises PreconditionFailedError, NotFoundError."""


class EventChangesSource(Protocol):
    """What is new in one provider's calendars. May raise CallFailedError and UnauthorizedError."""

    async def fetch_page(
        self, access: CalendarAccess, *, sync_token: str | None, page: str | None, window: Window
    ) -> ChangesPage:
        """One page of what is new since ``sync_token``, or without one of everything in the ``window``.

        ``page`` asks for the next page of the same sync; sync token and window are those of its first page.

        Raises:
            SyncTokenExpiredError: the provider does not know the sync token, or the page, any more.
            NotFoundError: the calendar is not there.
        """

    async def exists(self, access: CalendarAccess, event_id: str) -> bool:
        """Whether the event may still be there, perhaps in another calendar of the account."""


@dataclass(frozen=True, slots=True)
class CreatedChannel:
    """What a provider answered: the id by which it stops the channel, and the UTC instant at which it ends."""

    remote_id: str
    expires_at: datetime


class NotificationChannels(Protocol):
    """One provider's push channels. Every method may raise CallFailedError and UnauthorizedError."""

    is_remote_id_of_calendar: bool
    """Whether a remote id is that of the watched calendar, the same for all its channels."""

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime, /
    ) -> CreatedChannel:
        """Ask to be told of changes until ``expires_at``, or for as long as the provider likes.

        Raises:
            NotFoundError: the calendar is not there.
            PreconditionFailedError: this calendar is watched already, on behalf of another user.
        """

    async def renew(self, access: CalendarAccess, remote_id: str, expires_at: datetime, /) -> CreatedChannel | None:
        """Prolong a channel; None: this provider cannot, a new one is needed. Raises NotFoundError: it is gone."""

    async def stop(self, access: CalendarAccess, channel_id: str, remote_id: str, /) -> None:
        """Stop a channel. Raises NotFoundError: it is gone already."""

    async def list_own(self, access: CalendarAccess, /) -> Sequence[str]:
        """The remote ids of all channels that the account has open for us, if the provider tells: Google does not."""
