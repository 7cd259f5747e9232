"""Reading rounds of changes, each from where the last one ended."""

from calendar_sync.providers.external_event import EventChange, ExternalEvent, Window
from calendar_sync.providers.ports import CalendarAccess, EventChangesSource


class Reader:
    """Reads one calendar round by round. ``pages`` of the last round."""

    def __init__(self, changes: EventChangesSource, access: CalendarAccess, window: Window) -> None:
        self.changes = changes
        self._access = access
        self._window = window
        self._cursor: str | None = None
        self.pages = 0
        self.unparsable_ids: list[str] = []

    async def found(self) -> list[EventChange]:
        """What the next round brings."""
        found: list[EventChange] = []
        self.pages, self.unparsable_ids, page = 0, [], None
        while True:
            read = await self.changes.fetch_page(self._access, sync_token=self._cursor, page=page, window=self._window)
            found += read.found
            self.unparsable_ids += read.unparsable_ids
            self.pages, page = self.pages + 1, read.next_page
            if page is None:
                self._cursor = read.sync_token
                return found

    async def seen(self) -> list[ExternalEvent]:
        """What the next round brings, which must be events that are there, in order of their time."""
        found = await self.found()
        assert all(isinstance(one, ExternalEvent) for one in found), found
        return sorted(
            (one for one in found if isinstance(one, ExternalEvent)), key=lambda one: one.content.when.starts_at
        )
