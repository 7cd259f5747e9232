"""Applies the pages of one inbound sync: compares mirrored events, and has the others imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from calendar_sync.inbound.event_importer import EventImporter
from calendar_sync.inbound.imported_event import CalendarContext, is_within
from calendar_sync.inbound.ports import ImportedEvents, MirroredEventRef, MirroredEvents, RecheckRequest
from calendar_sync.providers.external_event import ChangesPage, EventChange, ExternalEvent, Window

log = structlog.get_logger()


@dataclass(slots=True)
class SyncRun:
    """One sync that is running."""

    mirrored_events: MirroredEvents
    importer: EventImporter
    key: str
    """The account's (``account_key``)."""
    sync_token: str = ""
    """The sync token of the last page."""
    shown_mirrored: set[str] = field(default_factory=set)
    matched_series: set[str] = field(default_factory=set)
    """Series that hosts made of mirrored events, of which the instance that is the mirrored event was listed."""
    changed: set[str] = field(default_factory=set)
    """Our meetings whose mirrored events say something that we do not know."""
    missing: set[str] = field(default_factory=set)
    """Our meetings whose mirrored events are missing."""
    deleted_meetings: set[str] = field(default_factory=set)
    """Those of them whose hosts seem to have deleted the mirrored event."""

    @classmethod
    def begin(
        cls,
        mirrored_events: MirroredEvents,
        imported_events: ImportedEvents,
        context: CalendarContext,
        window: Window,
        now: datetime,
    ) -> "SyncRun":
        """A sync of this window that begins at the UTC instant ``now``."""
        importer = EventImporter(mirrored_events, imported_events, context, window, now)
        return cls(mirrored_events, importer, context.account)

    def restart(self, window: Window) -> "SyncRun":
        """A full sync after this one: what it found still counts, but what was listed may be gone since."""
        before = self.importer
        again = SyncRun.begin(self.mirrored_events, before.imported_events, before.context, window, before.now)
        importer = replace(again.importer, counts=before.counts, absent_invitations=before.absent_invitations)
        return replace(
            again,
            importer=importer,
            changed=self.changed,
            missing=self.missing,
            deleted_meetings=self.deleted_meetings,
        )

    async def apply_page(self, page: ChangesPage) -> None:
        """Apply a page; of two changes of one event the later counts."""
        self.sync_token = page.sync_token or ""
        self.importer.unparsable_ids |= set(page.unparsable_ids)
        self.importer.series |= set(page.series)
        latest = {change.event_id: change for change in page.found}
        # Read first: an event whose id is recorded by now is found by its id below. In the other order, an event whose
        # id is recorded between the two reads would be found by neither, and imported.
        unsettled = await self._unsettled(latest)
        mirrored_events = await self.mirrored_events.of_events(self.key, list(latest)) if latest else {}
        for event_id, mirrored_event in mirrored_events.items():
            self._match_mirrored(mirrored_event, latest.pop(event_id))
        for event_id in unsettled.keys() & latest.keys():
            self.changed.add(unsettled[event_id])
            del latest[event_id]
        await self._match_series(latest)
        await self.importer.apply(latest)

    def _match_mirrored(self, mirrored_event: MirroredEventRef, found: EventChange) -> None:
        """A change of a mirrored event. Our own writes need no recheck; a deleted event may be restored."""
        if isinstance(found, ExternalEvent):
            self.shown_mirrored.add(mirrored_event.event_id)
            if found.content.fingerprint != mirrored_event.base_fingerprint:
                self.changed.add(mirrored_event.meeting_uuid)
        elif mirrored_event.expected:
            self._record_missing(mirrored_event)

    async def _match_series(self, latest: dict[str, EventChange]) -> None:
        """A host may turn a mirrored event into a series: one instance stays the mirrored event, a recheck finds which.

        The other instances are external events.
        """
        series: dict[str, list[ExternalEvent]] = {}
        for found in latest.values():
            if isinstance(found, ExternalEvent) and found.series_id:
                series.setdefault(found.series_id, []).append(found)
        mirrored_events = await self.mirrored_events.of_events(self.key, list(series)) if series else {}
        for series_id, mirrored_event in mirrored_events.items():
            moved = mirrored_event.meeting_uuid in self.missing
            if series_id in self.matched_series or (mirrored_event.base_fingerprint is None and not moved):
                continue  # it is known which instance is the mirrored event
            instances = sorted(series[series_id], key=lambda event: event.original_start)
            at_its_time = (
                event
                for event in instances
                if mirrored_event.when and event.content.when.is_equivalent_to(mirrored_event.when)
            )
            own = next(at_its_time, instances[0] if moved else None)
            self.shown_mirrored.add(series_id)
            self.changed.add(mirrored_event.meeting_uuid)
            if own is not None:
                self.matched_series.add(series_id)
                del latest[own.event_id]

    def _record_missing(self, mirrored_event: MirroredEventRef) -> None:
        """A mirrored event is missing: deleted, unless it left the window or was written while pages were read."""
        self.missing.add(mirrored_event.meeting_uuid)
        when, written_at = mirrored_event.when, mirrored_event.written_at
        was_in_window = when is not None and is_within(when, self.importer.confirmed_window)
        if was_in_window and (written_at is None or written_at < self.importer.now):
            self.deleted_meetings.add(mirrored_event.meeting_uuid)

    async def _unsettled(self, latest: Mapping[str, EventChange]) -> dict[str, str]:
        """Meetings whose events are being created just now, by event id: they are rechecked afterwards."""
        marked = {
            event_id: found.marked_meeting
            for event_id, found in latest.items()
            if isinstance(found, ExternalEvent) and found.marked_meeting is not None
        }
        unsettled = await self.mirrored_events.unsettled(self.key, list(marked.values())) if marked else set()
        return {event_id: meeting_uuid for event_id, meeting_uuid in marked.items() if meeting_uuid in unsettled}

    async def reconcile(self) -> None:
        """Everything was listed, so a known event that was not listed is gone; if it is ours, it is rechecked."""
        await self.importer.delete_unlisted()
        async for mirrored_events in self.mirrored_events.of_window(self.key, self.importer.confirmed_window):
            shown = self.shown_mirrored | self.importer.unparsable_ids
            for mirrored_event in mirrored_events:
                if mirrored_event.event_id not in shown:
                    self._record_missing(mirrored_event)

    async def request_rechecks(self, earlier: Sequence[datetime], *, max_deletions: int) -> Sequence[datetime]:
        """Request the rechecks. Returns the instants of all deletions: the ``earlier`` ones and those of this sync."""
        is_mass_deletion = len(earlier) + len(self.deleted_meetings) > max_deletions
        if is_mass_deletion and self.deleted_meetings:
            log.warning("mass deletion limit exceeded; deletions ignored", mirrored_events=len(self.deleted_meetings))
        requests = [
            RecheckRequest(meeting_uuid, self.key, is_mass_deletion=is_mass_deletion)
            for meeting_uuid in sorted(self.missing)
        ]
        requests += [RecheckRequest(meeting_uuid, self.key) for meeting_uuid in sorted(self.changed - self.missing)]
        if requests:
            await self.mirrored_events.request_rechecks(requests)
        return [*earlier, *(self.importer.now for _ in self.deleted_meetings)]
