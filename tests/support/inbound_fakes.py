"""External calendars for tests of pulling: one that is read like a provider's, and what a pull says of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from calendar_sync.inbound.ports import MirroredEventRef, RecheckRequest
from calendar_sync.providers.errors import CallFailedError, NotFoundError, unavailable_failure
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.external_event import (
    ChangesPage,
    DeletedEvent,
    EventChange,
    ExternalEvent,
    SyncTokenExpiredError,
    Window,
)
from calendar_sync.providers.ports import CalendarAccess, CreatedChannel
from chassis.settings import DatabaseSettings
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pydantic import SecretStr

PAGE = 2
_NOW = utc_now().replace(microsecond=0)
"""One instant for the whole run: an event that is described twice is at the same time."""


def seen(event_id: str, *, title: str = "Review", days: float = 1, **more: Any) -> ExternalEvent:
    """An hour's event, so many days from the beginning of the tests."""
    starts_at = _NOW + timedelta(days=days)
    content = EventContent(
        title=title,
        when=EventTime(starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), zone="America/Santiago"),
    )
    given: dict[str, Any] = {"event_id": event_id, "etag": title, "ical_uid": f"{event_id}@example.com"}
    return ExternalEvent(content=content, **given | more)


@dataclass
class FakeEventChanges:
    """Somebody's calendar, as a provider shows it: what changed since a cursor, in small pages."""

    events: dict[str, ExternalEvent] = field(default_factory=dict)
    changes: list[EventChange] = field(default_factory=list)
    epoch: int = 0
    """Cursors of earlier ones are not known any more."""
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)
    """What the next requests fail with."""
    failing_page: str | None = None
    losing_page: str | None = None
    """Once this page is asked for, all cursors are lost."""
    moved: set[str] = field(default_factory=set)
    """Events that are in another calendar of the account."""
    unparsable_ids: list[str] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    """Those that every page says have changed."""

    def put(self, *events: ExternalEvent) -> None:
        for event in events:
            self.events[event.event_id] = event
            self.changes.append(event)

    def remove(self, *event_ids: str) -> None:
        for event_id in event_ids:
            del self.events[event_id]
            self.changes.append(DeletedEvent(event_id))

    def lose_cursors(self) -> None:
        self.epoch += 1

    async def exists(self, access: CalendarAccess, event_id: str) -> bool:
        return event_id in self.events or event_id in self.moved

    async def fetch_page(
        self, access: CalendarAccess, *, sync_token: str | None, page: str | None, window: Window
    ) -> ChangesPage:
        self.asked.append((sync_token, page))
        if self.failing:
            raise self.failing.pop(0)
        if page is not None and page == self.failing_page:
            raise CallFailedError(unavailable_failure("503"))
        if page is not None and page == self.losing_page:
            self.losing_page = None
            self.lose_cursors()
        epoch, _, position = (sync_token or f"{self.epoch}:0").partition(":")
        if int(epoch) < self.epoch:
            raise SyncTokenExpiredError
        found: list[EventChange] = self.changes[int(position) :]
        if sync_token is None:
            found = [
                one
                for one in self.events.values()
                if one.content.when.starts_at < window.ends and one.content.when.ends_at > window.begins
            ]
        begin = int(page or 0)
        more = begin + PAGE < len(found)
        return ChangesPage(
            found[begin : begin + PAGE],
            next_page=str(begin + PAGE) if more else None,
            sync_token=None if more else f"{self.epoch}:{len(self.changes)}",
            unparsable_ids=self.unparsable_ids,
            series=self.series,
        )


@dataclass
class FakeMirroredEvents:
    """The copies of our own meetings in one account."""

    known: dict[str, MirroredEventRef] = field(default_factory=dict)
    settling: set[str] = field(default_factory=set)
    ours: set[str] = field(default_factory=set)
    looks: list[RecheckRequest] = field(default_factory=list)

    def add(
        self, meeting_uuid: str, event: ExternalEvent, *, expected: bool = True, written_at: datetime | None = None
    ) -> None:
        content = event.content
        self.known[event.event_id] = MirroredEventRef(
            meeting_uuid, event.event_id, content.fingerprint, expected, content.when, written_at
        )

    async def of_events(self, key: str, event_ids: Sequence[str]) -> Mapping[str, MirroredEventRef]:
        return {event_id: self.known[event_id] for event_id in event_ids if event_id in self.known}

    async def of_window(self, key: str, window: Window) -> AsyncIterator[Sequence[MirroredEventRef]]:
        begins = max(window.begins, utc_now())
        expected = (ref for ref in self.known.values() if ref.expected and ref.when is not None)
        yield [ref for ref in expected if ref.when.starts_at < window.ends and ref.when.ends_at > begins]

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        return self.settling & set(meeting_uuids)

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        return (self.ours | self.settling | {ref.meeting_uuid for ref in self.known.values()}) & set(meeting_uuids)

    async def request_rechecks(self, looks: Sequence[RecheckRequest]) -> None:
        self.looks += looks


@dataclass
class FakeNotificationChannels:
    """A provider's notification channels, which last a day and cannot be renewed."""

    is_remote_id_of_calendar = False
    created: list[str] = field(default_factory=list)

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime, /
    ) -> CreatedChannel:
        self.created.append(channel_id)
        return CreatedChannel(channel_id, utc_now() + timedelta(days=1))

    async def renew(self, access: CalendarAccess, remote_id: str, expires_at: datetime, /) -> CreatedChannel | None:
        return None

    async def stop(self, access: CalendarAccess, channel_id: str, remote_id: str, /) -> None:
        if remote_id not in self.created:
            raise NotFoundError
        self.created.remove(remote_id)

    async def list_own(self, access: CalendarAccess, /) -> Sequence[str]:
        return list(self.created)


def database_for(mongodb_uri: str) -> DatabaseSettings:
    """Settings of a database that nobody else has."""
    return DatabaseSettings(
        service_name="tests",
        http_port=1,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database=f"calendar_sync_{uuid7_hex()}",
    )
