"""Applies the events of one inbound sync that are not ours: imports them, and finds out which are gone."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from contracts.messages.calendar_events import ExternalEventDeleted

from calendar_sync.inbound.imported_event import (
    CalendarContext,
    ImportedEvent,
    is_within,
    meeting_uuid_of_our_invitation,
)
from calendar_sync.inbound.model import Counts
from calendar_sync.inbound.ports import ImportedEventMessage, ImportedEvents, MirroredEvents
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import EventChange, ExternalEvent, Window

log = structlog.get_logger()

_EDGE = timedelta(days=1)
"""Providers know whole days by the calendar's zone: what is missing this close to an edge may be beyond it."""


@dataclass(slots=True)
class EventImporter:
    """Imports external events during one sync."""

    mirrored_events: MirroredEvents
    imported_events: ImportedEvents
    context: CalendarContext
    window: Window
    now: datetime
    """The UTC instant at which the sync began."""
    counts: Counts = field(default_factory=Counts)
    shown_meetings: set[str] = field(default_factory=set)
    """The meetings of the events that were listed."""
    series: set[str] = field(default_factory=set)
    """Series that changed."""
    unparsable_ids: set[str] = field(default_factory=set)
    """Events that are there, and of which nothing else is known."""
    absent_invitations: dict[str, ImportedEvent] = field(default_factory=dict)
    """Our invitations that seem to have been taken off the calendar, by meeting."""

    @property
    def confirmed_window(self) -> Window:
        """Where an event that is not listed is gone."""
        return Window(self.window.begins + _EDGE, self.window.ends - _EDGE)

    async def apply(self, latest: Mapping[str, EventChange]) -> None:
        """Import these changes, by event id; events of ours are not among them."""
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
            log.warning("an event that cannot be a meeting was skipped")
            return None
        if messages is not None:
            self.counts.imported += was_gone
            self.counts.updated += not was_gone
        return messages

    def _record_absent(self, messages: dict[str, list[ImportedEventMessage]], imported_event: ImportedEvent) -> None:
        """An event is gone. For an invitation that is a decline only once it is certain."""
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

    async def delete_unlisted(self) -> None:
        """Everything was listed, so what is known and was not listed is gone."""
        confirmed = self.confirmed_window
        async for page in self.imported_events.iterate(self.context.connection_id):
            deleted = [event for event in page if self._should_exist(event, confirmed) and not self._is_shown(event)]
            self.counts.removed += sum(not event.invitation for event in deleted)
            await self.imported_events.save([(event, as_list(event.record_deleted(self.now))) for event in deleted])

    async def record_declined_invitations(self, exists: Callable[[str], Awaitable[bool]]) -> None:
        """A user who deleted our invitation from the calendar declined; one who moved it did not."""
        for imported_event in self.absent_invitations.values():
            when = EventTime(starts_at=imported_event.starts_at, ends_at=imported_event.ends_at)
            if is_within(when, self.confirmed_window) and not await exists(imported_event.event_id):
                await self.imported_events.save([(imported_event, as_list(imported_event.record_declined(self.now)))])

    async def has_missing_instances(self) -> bool:
        """Whether a series changed and an instance of it that we know was not shown. Only a full round says for sure.

        Graph shows a series that changed with its instances, but does not always tell of one that was removed from it
        (microsoftgraph/microsoft-graph-docs#4501, #5520).
        """
        if not self.series:
            return False
        confirmed = self.confirmed_window
        known = await self.imported_events.of_series(self.context.connection_id, sorted(self.series))
        return any(self._should_exist(event, confirmed) and not self._is_shown(event) for event in known)

    def _is_shown(self, imported_event: ImportedEvent) -> bool:
        return imported_event.meeting_uuid in self.shown_meetings or imported_event.event_id in self.unparsable_ids

    def _should_exist(self, imported_event: ImportedEvent, confirmed: Window) -> bool:
        """Whether a full round must have shown it: it is in the window, or was in another account."""
        within = imported_event.starts_at < confirmed.ends and imported_event.ends_at >= confirmed.begins
        return within or imported_event.account != self.context.account


def as_list(messages: ImportedEventMessage | None) -> Sequence[ImportedEventMessage]:
    return [] if messages is None else [messages]
