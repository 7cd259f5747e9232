"""Applies the pages of one inbound sync to imported events, and requests rechecks of mirrored events."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from contracts.messages.calendar_events import (
    ExternalEventDeleted,
)

from calendar_sync.inbound.imported_event import (
    CalendarContext,
    ImportedEvent,
    is_within,
    meeting_uuid_of_our_invitation,
)
from calendar_sync.inbound.model import Counts
from calendar_sync.inbound.ports import (
    ImportedEventMessage,
    ImportedEvents,
    MirroredEventRef,
    MirroredEvents,
    RecheckRequest,
)
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import ChangesPage, EventChange, ExternalEvent, Window

log = structlog.get_logger()


_EDGE = timedelta(days=1)
"""Providers know whole days by the calendar's zone: what is missing this close to an edge may be beyond it."""


@dataclass(slots=True)
class SyncRun:
    """One sync that is running."""

    mirrored_events: MirroredEvents
    imported_events: ImportedEvents
    context: CalendarContext
    window: Window
    now: datetime
    counts: Counts = field(default_factory=Counts)
    sync_token: str = ""
    """The sync token of the last page."""
    shown_meetings: set[str] = field(default_factory=set)
    shown_mirrored: set[str] = field(default_factory=set)
    matched_series: set[str] = field(default_factory=set)
    """Series that hosts made of copies, of which the instance that is the copy was shown."""
    series: set[str] = field(default_factory=set)
    """Series that changed."""
    unparsable_ids: set[str] = field(default_factory=set)
    """Events that are there, and of which nothing else is known."""
    changed: set[str] = field(default_factory=set)
    """Our meetings whose copies say something that we do not know."""
    missing: set[str] = field(default_factory=set)
    """Our meetings whose copies are missing."""
    absent_invitations: dict[str, ImportedEvent] = field(default_factory=dict)
    """Our invitations that seem to have been taken off the calendar, by meeting."""
    deleted_meetings: set[str] = field(default_factory=set)
    """Those of them whose hosts seem to have deleted the copy."""

    @property
    def key(self) -> str:
        return self.context.account

    def restart(self, window: Window) -> "SyncRun":
        """A round of everything after this one: what it found still counts, but what it was shown may be gone since."""
        nothing_yet = SyncRun(self.mirrored_events, self.imported_events, self.context, window, self.now)
        return replace(
            nothing_yet,
            counts=self.counts,
            changed=self.changed,
            missing=self.missing,
            deleted_meetings=self.deleted_meetings,
            absent_invitations=self.absent_invitations,
        )

    async def apply_page(self, page: ChangesPage) -> None:
        """Write what a page brings; where it tells of an event twice, the later counts."""
        self.sync_token = page.sync_token or ""
        self.unparsable_ids |= set(page.unparsable_ids)
        self.series |= set(page.series)
        latest = {change.event_id: change for change in page.found}
        # Asked first: whatever is settled by now is known by its event. The other way round, a copy that is settled
        # between the two questions would be neither, and a stranger's event.
        unsettled = await self._unsettled(latest)
        mirrored_events = await self.mirrored_events.of_events(self.key, list(latest)) if latest else {}
        for event_id, mirrored_event in mirrored_events.items():
            self._match_mirrored(mirrored_event, latest.pop(event_id))
        for event_id in unsettled.keys() & latest.keys():
            self.changed.add(unsettled[event_id])
            del latest[event_id]
        await self._match_series(latest)
        await self._import(latest)

    def _match_mirrored(self, mirrored_event: MirroredEventRef, found: EventChange) -> None:
        """An event of ours: our own writes that come back say nothing new. One that was removed may be restored."""
        if isinstance(found, ExternalEvent):
            self.shown_mirrored.add(mirrored_event.event_id)
            if found.content.fingerprint != mirrored_event.base_fingerprint:
                self.changed.add(mirrored_event.meeting_uuid)
        elif mirrored_event.expected:
            self._record_missing(mirrored_event)

    async def _match_series(self, latest: dict[str, EventChange]) -> None:
        """Of a series that a host made of a copy, one instance is the copy still: who writes it finds out which.

        The others are events like any other.
        """
        series: dict[str, list[ExternalEvent]] = {}
        for found in latest.values():
            if isinstance(found, ExternalEvent) and found.series_id:
                series.setdefault(found.series_id, []).append(found)
        mirrored_events = await self.mirrored_events.of_events(self.key, list(series)) if series else {}
        for series_id, mirrored_event in mirrored_events.items():
            moved = mirrored_event.meeting_uuid in self.missing
            if series_id in self.matched_series or (mirrored_event.base_fingerprint is None and not moved):
                continue  # it is known which instance is the copy
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
        """A copy is missing: deleted, unless it left the window, or was written while the round was read."""
        self.missing.add(mirrored_event.meeting_uuid)
        was_in_window = mirrored_event.when is not None and is_within(mirrored_event.when, self._confirmed_window)
        if was_in_window and (mirrored_event.written_at is None or mirrored_event.written_at < self.now):
            self.deleted_meetings.add(mirrored_event.meeting_uuid)

    async def _unsettled(self, latest: Mapping[str, EventChange]) -> dict[str, str]:
        """Meetings whose copies are being made just now, by event id: their worker looks at them afterwards."""
        marked = {
            event_id: found.marked_meeting
            for event_id, found in latest.items()
            if isinstance(found, ExternalEvent) and found.marked_meeting is not None
        }
        unsettled = await self.mirrored_events.unsettled(self.key, list(marked.values())) if marked else set()
        return {event_id: meeting_uuid for event_id, meeting_uuid in marked.items() if meeting_uuid in unsettled}

    # --- external events ----------------------------------------------------------------------------------------

    async def _import(self, latest: Mapping[str, EventChange]) -> None:
        if not latest:
            return
        meetings, invitations = await self._meetings_of(latest.values())
        known = await self.imported_events.find(
            self.context.connection_id, event_ids=list(latest), meeting_uuids=list(meetings.values())
        )
        before = {event.meeting_uuid: event for event in known}
        by_meeting = {event.meeting_uuid: event.model_copy() for event in known}
        messages: dict[str, list[ImportedEventMessage]] = {}
        for event_id, found in latest.items():
            meeting_uuid = meetings.get(event_id)
            for other in by_meeting.values():
                if other.event_id == event_id and other.meeting_uuid != meeting_uuid:
                    self._record_absent(messages, other)
            if isinstance(found, ExternalEvent) and meeting_uuid is not None:
                self.shown_meetings.add(meeting_uuid)
                new = ImportedEvent.of_invitation if meeting_uuid in invitations else ImportedEvent.new
                imported_event = by_meeting.get(meeting_uuid) or new(self.context, meeting_uuid)
                self.absent_invitations.pop(meeting_uuid, None)
                if not imported_event.deleted or is_within(found.content.when, self.window):
                    self._append_message(messages, imported_event, self._record_seen(imported_event, found))
                    by_meeting[meeting_uuid] = imported_event
        changed = [
            event
            for event in by_meeting.values()
            if event != before.get(event.meeting_uuid, ImportedEvent.new(self.context, event.meeting_uuid))
        ]
        await self.imported_events.save([(event, messages.get(event.meeting_uuid, [])) for event in changed])

    async def _meetings_of(self, found: Iterable[EventChange]) -> tuple[dict[str, str], set[str]]:
        """The meetings of those events that belong on the platform, by event id, and to which of them we invited."""
        seen = [event for event in found if isinstance(event, ExternalEvent) and event.imported]
        invitations = {
            event.event_id: meeting for event in seen if (meeting := meeting_uuid_of_our_invitation(event)) is not None
        }
        ours = await self.mirrored_events.meetings(list(invitations.values())) if invitations else set()
        return {
            event.event_id: invitation
            if (invitation := invitations.get(event.event_id)) in ours
            else self.context.meeting_of(event)
            for event in seen
        }, ours

    def _record_seen(self, imported_event: ImportedEvent, event: ExternalEvent) -> ImportedEventMessage | None:
        if imported_event.invitation:
            return imported_event.record_answer(self.context, event, self.now)
        was_gone = imported_event.deleted
        try:
            messages = imported_event.record_seen(self.context, event, self.now)
        except ValueError:
            log.warning("an event that no meeting could be was passed over")
            return None
        if messages is not None:
            self.counts.imported += was_gone
            self.counts.updated += not was_gone
        return messages

    def _record_absent(self, messages: dict[str, list[ImportedEventMessage]], imported_event: ImportedEvent) -> None:
        """An event is not there any more; of an invitation that is no answer until it is sure."""
        if imported_event.invitation and not imported_event.deleted and imported_event.ends_at > self.now:
            self.absent_invitations[imported_event.meeting_uuid] = imported_event.model_copy()
        else:
            self._append_message(messages, imported_event, imported_event.record_deleted(self.now))

    def _append_message(
        self,
        messages: dict[str, list[ImportedEventMessage]],
        imported_event: ImportedEvent,
        message: ImportedEventMessage | None,
    ) -> None:
        if message is not None:
            self.counts.removed += isinstance(message, ExternalEventDeleted)
            messages.setdefault(imported_event.meeting_uuid, []).append(message)

    # --- the end of a round -------------------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Everything was read, so what is known and was not shown is gone, or to be looked at if it is ours."""
        confirmed = self._confirmed_window
        async for page in self.imported_events.iterate(self.context.connection_id):
            deleted = [event for event in page if self._should_exist(event, confirmed) and not self._is_shown(event)]
            self.counts.removed += sum(not event.invitation for event in deleted)
            await self.imported_events.save([(event, as_list(event.record_deleted(self.now))) for event in deleted])
        async for mirrored_events in self.mirrored_events.of_window(self.key, confirmed):
            shown = self.shown_mirrored | self.unparsable_ids
            for mirrored_event in mirrored_events:
                if mirrored_event.event_id not in shown:
                    self._record_missing(mirrored_event)

    async def record_declined_invitations(self, exists: Callable[[str], Awaitable[bool]]) -> None:
        """Who took our invitation off their calendar declined; not who moved it, or whose window it left."""
        for imported_event in self.absent_invitations.values():
            when = EventTime(starts_at=imported_event.starts_at, ends_at=imported_event.ends_at)
            if is_within(when, self._confirmed_window) and not await exists(imported_event.event_id):
                await self.imported_events.save([(imported_event, as_list(imported_event.record_declined(self.now)))])

    async def has_missing_instances(self) -> bool:
        """Whether a series changed and an instance of it that we know was not shown. Only a full round says for sure.

        Graph shows a series that changed with its instances, but does not always tell of one that was removed from it
        (microsoftgraph/microsoft-graph-docs#4501, #5520).
        """
        if not self.series:
            return False
        confirmed = self._confirmed_window
        known = await self.imported_events.of_series(self.context.connection_id, sorted(self.series))
        return any(self._should_exist(event, confirmed) and not self._is_shown(event) for event in known)

    @property
    def _confirmed_window(self) -> Window:
        return Window(self.window.begins + _EDGE, self.window.ends - _EDGE)

    def _is_shown(self, imported_event: ImportedEvent) -> bool:
        return imported_event.meeting_uuid in self.shown_meetings or imported_event.event_id in self.unparsable_ids

    def _should_exist(self, imported_event: ImportedEvent, confirmed: Window) -> bool:
        """Whether a full round must have shown it: it is in the window, or was in another account."""
        within = imported_event.starts_at < confirmed.ends and imported_event.ends_at >= confirmed.begins
        return within or imported_event.account != self.key

    async def request_rechecks(self, earlier: Sequence[datetime], *, max_deletions: int) -> Sequence[datetime]:
        """Have our copies looked at; ``earlier`` is when others were deleted. Gives all deletions, these included."""
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
        return [*earlier, *(self.now for _ in self.deleted_meetings)]


def as_list(messages: ImportedEventMessage | None) -> Sequence[ImportedEventMessage]:
    return [] if messages is None else [messages]
