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
    """One round in hand."""

    copies: MirroredEvents
    sightings: ImportedEvents
    viewpoint: CalendarContext
    window: Window
    now: datetime
    counts: Counts = field(default_factory=Counts)
    reached: str = ""
    """The cursor that the last page gave."""
    shown_meetings: set[str] = field(default_factory=set)
    shown_copies: set[str] = field(default_factory=set)
    met_series: set[str] = field(default_factory=set)
    """Series that hosts made of copies, of which the instance that is the copy was shown."""
    series: set[str] = field(default_factory=set)
    """Series that changed."""
    unread: set[str] = field(default_factory=set)
    """Events that are there, and of which nothing else is known."""
    changed: set[str] = field(default_factory=set)
    """Our meetings whose copies say something that we do not know."""
    removed: set[str] = field(default_factory=set)
    """Our meetings whose copies are missing."""
    left: dict[str, ImportedEvent] = field(default_factory=dict)
    """Our invitations that seem to have been taken off the calendar, by meeting."""
    deleted: set[str] = field(default_factory=set)
    """Those of them whose hosts seem to have deleted the copy."""

    @property
    def key(self) -> str:
        return self.viewpoint.account

    def anew(self, window: Window) -> "SyncRun":
        """A round of everything after this one: what it found still counts, but what it was shown may be gone since."""
        nothing_yet = SyncRun(self.copies, self.sightings, self.viewpoint, window, self.now)
        return replace(
            nothing_yet,
            counts=self.counts,
            changed=self.changed,
            removed=self.removed,
            deleted=self.deleted,
            left=self.left,
        )

    async def take_in(self, page: ChangesPage) -> None:
        """Write what a page brings; where it tells of an event twice, the later counts."""
        self.reached = page.cursor or ""
        self.unread |= set(page.unread)
        self.series |= set(page.series)
        latest = {one.event_id: one for one in page.found}
        # Asked first: whatever is settled by now is known by its event. The other way round, a copy that is settled
        # between the two questions would be neither, and a stranger's event.
        unsettled = await self._unsettled(latest)
        copies = await self.copies.of_events(self.key, list(latest)) if latest else {}
        for event_id, copy in copies.items():
            self._meet(copy, latest.pop(event_id))
        for event_id in unsettled.keys() & latest.keys():
            self.changed.add(unsettled[event_id])
            del latest[event_id]
        await self._meet_series(latest)
        await self._see(latest)

    def _meet(self, copy: MirroredEventRef, found: EventChange) -> None:
        """An event of ours: our own writes that come back say nothing new. One that was removed may be restored."""
        if isinstance(found, ExternalEvent):
            self.shown_copies.add(copy.event_id)
            if found.content.fingerprint != copy.base_fingerprint:
                self.changed.add(copy.meeting_uuid)
        elif copy.expected:
            self._miss(copy)

    async def _meet_series(self, latest: dict[str, EventChange]) -> None:
        """Of a series that a host made of a copy, one instance is the copy still: who writes it finds out which.

        The others are events like any other.
        """
        series: dict[str, list[ExternalEvent]] = {}
        for found in latest.values():
            if isinstance(found, ExternalEvent) and found.series_id:
                series.setdefault(found.series_id, []).append(found)
        copies = await self.copies.of_events(self.key, list(series)) if series else {}
        for series_id, copy in copies.items():
            moved = copy.meeting_uuid in self.removed
            if series_id in self.met_series or (copy.base_fingerprint is None and not moved):
                continue  # it is known which instance is the copy
            instances = sorted(series[series_id], key=lambda event: event.original_start)
            at_its_time = (one for one in instances if copy.when and one.content.when.is_equivalent_to(copy.when))
            own = next(at_its_time, instances[0] if moved else None)
            self.shown_copies.add(series_id)
            self.changed.add(copy.meeting_uuid)
            if own is not None:
                self.met_series.add(series_id)
                del latest[own.event_id]

    def _miss(self, copy: MirroredEventRef) -> None:
        """A copy is missing: deleted, unless it left the window, or was written while the round was read."""
        self.removed.add(copy.meeting_uuid)
        belongs = copy.when is not None and is_within(copy.when, self._sure)
        if belongs and (copy.written_at is None or copy.written_at < self.now):
            self.deleted.add(copy.meeting_uuid)

    async def _unsettled(self, latest: Mapping[str, EventChange]) -> dict[str, str]:
        """Meetings whose copies are being made just now, by event id: whoever makes them looks at them afterwards."""
        marked = {
            event_id: found.marked_meeting
            for event_id, found in latest.items()
            if isinstance(found, ExternalEvent) and found.marked_meeting is not None
        }
        unsettled = await self.copies.unsettled(self.key, list(marked.values())) if marked else set()
        return {event_id: meeting_uuid for event_id, meeting_uuid in marked.items() if meeting_uuid in unsettled}

    # --- external events ----------------------------------------------------------------------------------------

    async def _see(self, latest: Mapping[str, EventChange]) -> None:
        if not latest:
            return
        wanted, invitations = await self._wanted(latest.values())
        known = await self.sightings.known(
            self.viewpoint.connection_id, event_ids=list(latest), meeting_uuids=list(wanted.values())
        )
        before = {one.meeting_uuid: one for one in known}
        held = {one.meeting_uuid: one.model_copy() for one in known}
        news: dict[str, list[ImportedEventMessage]] = {}
        for event_id, found in latest.items():
            meeting_uuid = wanted.get(event_id)
            for other in held.values():
                if other.event_id == event_id and other.meeting_uuid != meeting_uuid:
                    self._leave(news, other)
            if isinstance(found, ExternalEvent) and meeting_uuid is not None:
                self.shown_meetings.add(meeting_uuid)
                new = ImportedEvent.of_invitation if meeting_uuid in invitations else ImportedEvent.new
                sighting = held.get(meeting_uuid) or new(self.viewpoint, meeting_uuid)
                self.left.pop(meeting_uuid, None)
                if not sighting.gone or is_within(found.content.when, self.window):
                    self._note(news, sighting, self._seen(sighting, found))
                    held[meeting_uuid] = sighting
        changed = [
            one
            for one in held.values()
            if one != before.get(one.meeting_uuid, ImportedEvent.new(self.viewpoint, one.meeting_uuid))
        ]
        await self.sightings.save([(one, news.get(one.meeting_uuid, [])) for one in changed])

    async def _wanted(self, found: Iterable[EventChange]) -> tuple[dict[str, str], set[str]]:
        """The meetings of those events that belong on the platform, by event id, and to which of them we invited."""
        seen = [one for one in found if isinstance(one, ExternalEvent) and one.imported]
        invitations = {
            one.event_id: meeting for one in seen if (meeting := meeting_uuid_of_our_invitation(one)) is not None
        }
        ours = await self.copies.meetings(list(invitations.values())) if invitations else set()
        return {
            one.event_id: invitation
            if (invitation := invitations.get(one.event_id)) in ours
            else self.viewpoint.meeting_of(one)
            for one in seen
        }, ours

    def _seen(self, sighting: ImportedEvent, event: ExternalEvent) -> ImportedEventMessage | None:
        if sighting.invitation:
            return sighting.see_answer(self.viewpoint, event, self.now)
        was_gone = sighting.gone
        try:
            news = sighting.see(self.viewpoint, event, self.now)
        except ValueError:
            log.warning("an event that no meeting could be was passed over")
            return None
        if news is not None:
            self.counts.imported += was_gone
            self.counts.updated += not was_gone
        return news

    def _leave(self, news: dict[str, list[ImportedEventMessage]], sighting: ImportedEvent) -> None:
        """An event is not there any more; of an invitation that is no answer until it is sure."""
        if sighting.invitation and not sighting.gone and sighting.ends_at > self.now:
            self.left[sighting.meeting_uuid] = sighting.model_copy()
        else:
            self._note(news, sighting, sighting.vanish(self.now))

    def _note(
        self, news: dict[str, list[ImportedEventMessage]], sighting: ImportedEvent, said: ImportedEventMessage | None
    ) -> None:
        if said is not None:
            self.counts.removed += isinstance(said, ExternalEventDeleted)
            news.setdefault(sighting.meeting_uuid, []).append(said)

    # --- the end of a round -------------------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Everything was read, so what is known and was not shown is gone, or to be looked at if it is ours."""
        sure = self._sure
        async for page in self.sightings.held(self.viewpoint.connection_id):
            gone = [one for one in page if self._ought(one, sure) and not self._is_shown(one)]
            self.counts.removed += sum(not one.invitation for one in gone)
            await self.sightings.save([(one, as_list(one.vanish(self.now))) for one in gone])
        async for copies in self.copies.of_window(self.key, sure):
            there = self.shown_copies | self.unread
            for copy in copies:
                if copy.event_id not in there:
                    self._miss(copy)

    async def note_declined(self, has: Callable[[str], Awaitable[bool]]) -> None:
        """Who took our invitation off their calendar declined; not who moved it, or whose window it left."""
        for sighting in self.left.values():
            when = EventTime(starts_at=sighting.starts_at, ends_at=sighting.ends_at)
            if is_within(when, self._sure) and not await has(sighting.event_id):
                await self.sightings.save([(sighting, as_list(sighting.decline(self.now)))])

    async def has_missing_instances(self) -> bool:
        """Whether a series changed and an instance of it that we know was not shown. Only a full round says for sure.

        Graph shows a series that changed with its instances, but does not always tell of one that was removed from it
        (microsoftgraph/microsoft-graph-docs#4501, #5520).
        """
        if not self.series:
            return False
        sure = self._sure
        known = await self.sightings.of_series(self.viewpoint.connection_id, sorted(self.series))
        return any(self._ought(one, sure) and not self._is_shown(one) for one in known)

    @property
    def _sure(self) -> Window:
        return Window(self.window.begins + _EDGE, self.window.ends - _EDGE)

    def _is_shown(self, sighting: ImportedEvent) -> bool:
        return sighting.meeting_uuid in self.shown_meetings or sighting.event_id in self.unread

    def _ought(self, sighting: ImportedEvent, sure: Window) -> bool:
        """Whether a full round must have shown it: it is in the window, or was in another account."""
        within = sighting.starts_at < sure.ends and sighting.ends_at >= sure.begins
        return within or sighting.account != self.key

    async def look(self, recent: Sequence[datetime], *, brake: int) -> Sequence[datetime]:
        """Have our copies looked at; ``recent`` is when others were deleted. Gives all deletions, these included."""
        doubted = len(recent) + len(self.deleted) > brake
        if doubted and self.deleted:
            log.warning("too many copies are missing at once to be believed", copies=len(self.deleted))
        looks = [RecheckRequest(one, self.key, doubted=doubted) for one in sorted(self.removed)]
        looks += [RecheckRequest(one, self.key) for one in sorted(self.changed - self.removed)]
        if looks:
            await self.copies.look(looks)
        return [*recent, *(self.now for _ in self.deleted)]


def as_list(news: ImportedEventMessage | None) -> Sequence[ImportedEventMessage]:
    return [] if news is None else [news]
