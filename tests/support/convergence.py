"""One meeting and its copy in its host's calendar, both ends and the way between them in memory: the real link and the
real writing side, with a calendar, a meeting and a pull that do only what these rely on.

Messages wait until they are delivered, may come again, and are only looked at late; the clock moves when it is told to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from calendar_sync.outbound import event_writer, reconciler
from calendar_sync.outbound.description import host_description
from calendar_sync.outbound.meeting_event import event_for
from calendar_sync.outbound.model import Recheck
from calendar_sync.providers.errors import (
    AlreadyExistsError,
    CallFailedError,
    NotFoundError,
    PreconditionFailedError,
    unavailable_failure,
)
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.ports import CalendarAccess, EventRef, Marker, RemoteEvent
from calendar_sync.providers.text import normalised
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import CalendarProvider, MeetingStatus
from contracts.values.meeting import MeetingState

from tests.support.outward import FakeAccounts, OutboundHarness, meeting_state, participant

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
_AWAY = CallFailedError(unavailable_failure("503"))


@dataclass
class FakeCalendarWriter:
    """Events by id; a deleted one leaves a tombstone. ``fail``: how the next call goes wrong."""

    events: dict[str, RemoteEvent]
    fail: str | None = None
    writes: int = 0
    changed: set[str] = field(default_factory=set)
    """The fields that we ever changed in an event that was there."""
    version: int = 0

    async def create(self, access: CalendarAccess, marker: Marker, content: EventContent) -> RemoteEvent:
        if marker.event_id in self.events:
            raise AlreadyExistsError
        return self._write(marker.event_id, content)

    async def find(self, access: CalendarAccess, marker: Marker) -> list[RemoteEvent]:
        self._go_wrong("before")
        found = self.events.get(marker.event_id)
        return [found] if found else []

    async def read(self, access: CalendarAccess, event_id: str) -> RemoteEvent:
        self._go_wrong("before")
        if event_id not in self.events:
            raise NotFoundError
        return self.events[event_id]

    async def locate(self, access: CalendarAccess, marker: Marker, event_id: str) -> RemoteEvent | None:
        self._go_wrong("before")
        found = self.events.get(event_id)
        return None if found is None or found.canceled else found

    async def change(
        self, access: CalendarAccess, ref: EventRef, content: EventContent, fields: frozenset[str]
    ) -> RemoteEvent:
        there = self._found(ref)
        self.changed |= fields
        return self._write(ref.event_id, there.content.with_those_of(content, fields))

    async def remove(self, access: CalendarAccess, ref: EventRef) -> None:
        there = self._found(ref)
        self._write(ref.event_id, there.content, canceled=True)

    def by_hand(self, event_id: str, **changes: Any) -> None:
        """What the owner does is no write of ours."""
        there = self.events[event_id]
        content = EventContent.model_validate(there.content.model_dump() | changes)
        self._keep(event_id, content, canceled=there.canceled)

    def delete_by_hand(self, event_id: str) -> None:
        self._keep(event_id, self.events[event_id].content, canceled=True)

    def restore_by_hand(self, event_id: str) -> None:
        self._keep(event_id, self.events[event_id].content, canceled=False)

    @property
    def shown(self) -> list[RemoteEvent]:
        return [event for event in self.events.values() if not event.canceled]

    def _write(self, event_id: str, content: EventContent, *, canceled: bool = False) -> RemoteEvent:
        self._go_wrong("before")
        self.writes += 1
        written = self._keep(event_id, content, canceled=canceled)
        self._go_wrong("after")
        return written

    def _keep(self, event_id: str, content: EventContent, *, canceled: bool) -> RemoteEvent:
        self.version += 1
        self.events[event_id] = RemoteEvent(
            EventRef(event_id, str(self.version)), content, ours=True, canceled=canceled
        )
        return self.events[event_id]

    def _found(self, ref: EventRef) -> RemoteEvent:
        there = self.events.get(ref.event_id)
        if there is None or there.canceled:
            raise NotFoundError
        if there.ref != ref:
            raise PreconditionFailedError
        return there

    def _go_wrong(self, when: str) -> None:
        if self.fail == when:
            self.fail = None
            raise _AWAY


class Meeting:
    """The meeting as meeting-core keeps it: takes changes in order, each once, and tells its newest state."""

    def __init__(self, state: MeetingState, tell: Callable[[int, MeetingState], None]) -> None:
        self.state = state
        self.version = 1
        self.applied: set[str] = set()
        self.canceled_by_host = False
        self._tell = tell

    @property
    def is_active(self) -> bool:
        return self.state.status is MeetingStatus.ACTIVE

    def change(self, **changes: Any) -> None:
        if not self.is_active:
            return
        kept = {name: value for name, value in self.state if name not in ("starts_at", "ends_at")} | changes
        times = {name: kept[name].isoformat() for name in ("start_date_time", "end_date_time")}
        state = meeting_state(**kept | times)
        if state != self.state:
            self.state = state
            self.version += 1
            self._tell(self.version, state)

    def hear(self, said: MirroredEventChanged | MirroredEventDeleted) -> None:
        """What the host did; a title that says so is refused, as if no meeting could have it."""
        if said.change_id in self.applied:
            return
        self.applied.add(said.change_id)
        if isinstance(said, MirroredEventDeleted):
            self.change(status=MeetingStatus.CANCELED)
            self.canceled_by_host = True
            return
        if said.title == REFUSED:
            return
        given = said.model_dump(
            include={"title", "description", "start_date_time", "end_date_time", "timezone", "all_day"},
            exclude_none=True,
        )
        place = {} if said.location is None else {"location_detail": said.location or None}
        self.change(**given, **place)


REFUSED = "refused"


class ConvergenceHarness:
    """Both ends, and everything that is under way between them."""

    def __init__(self, *, answer: float = 15) -> None:
        """``answer``: for so many seconds the writing side waits for the meeting to take over a host's change."""
        self.now = START
        self.calendar = FakeCalendarWriter({})
        account = FakeAccounts(CalendarProvider.OUTLOOK, "host@contoso.com", lambda: "token")
        self.harness = OutboundHarness(self.calendar, account, answer=timedelta(seconds=answer))
        self.news: list[tuple[int, MeetingState]] = []
        self.told: list[MirroredEventChanged | MirroredEventDeleted] = []
        state = meeting_state(participants=[participant("Jane Roe")], meeting_link="https://meet.example.com/x")
        self.harness.mirror.desired, self.harness.mirror.meeting_uuid = state, state.meeting_uuid
        self.meeting = Meeting(state, lambda version, newest: self.news.append((version, newest)))
        self.due: datetime | None = START
        self.looks = 0

    @property
    def event_id(self) -> str | None:
        """The event that the owner sees, if there is one."""
        shown = self.calendar.shown
        return shown[0].ref.event_id if shown else None

    @property
    def trash(self) -> str | None:
        """The event that was the copy last and is deleted now."""
        ids = [copy.event_id for copy in self.harness.mirror.events.values()]
        return next((one for one in ids if one in self.calendar.events and self.calendar.events[one].canceled), None)

    @contextmanager
    def clock(self) -> Iterator[None]:
        with (
            patch.object(reconciler, "utc_now", lambda: self.now),
            patch.object(event_writer, "utc_now", lambda: self.now),
        ):
            yield

    # --- what moves things along --------------------------------------------------------------------------------

    def deliver_news(self, *, again: bool = False) -> None:
        """The link hears of the oldest news; ``again``: and will hear of it once more."""
        if self.news:
            version, state = self.news[0] if again else self.news.pop(0)
            if version > self.harness.mirror.sequence:
                self.harness.mirror.desired, self.harness.mirror.sequence = state, version
            self.due = self.now

    def deliver_told(self, *, again: bool = False) -> None:
        if self.told:
            self.meeting.hear(self.told[0] if again else self.told.pop(0))

    def pull(self) -> None:
        """What the pulling side does with our own copy: compare, and ask for a look."""
        for key, copy in self.harness.mirror.events.items():
            if copy.event_id is None or copy.event_id not in self.calendar.events:
                continue
            there = self.calendar.events[copy.event_id]
            expected = not copy.deleted and self.harness.mirror.desired.status is MeetingStatus.ACTIVE
            if expected if there.canceled else there.content.fingerprint != copy.base_fingerprint:
                self.looks += 1
                self.harness.mirror.rechecks[key] = Recheck(recheck_id=str(self.looks))
                self.due = self.now

    async def attempt(self, *, forget: bool = False) -> None:
        """One attempt, if one is due; ``forget``: the worker dies before its result is recorded."""
        if self.due is None or self.due > self.now:
            return
        self.due = None
        attempt = await self.harness.attempt(forget=forget)
        if forget:
            self.due = self.now
            return
        if attempt.host_edit is not None:
            self.told.append(attempt.host_edit)
        if attempt.retry_in is not None:
            self.due = self.now + timedelta(seconds=attempt.retry_in)

    async def calm_down(self) -> int:
        """Nobody does anything any more; how often the event is written until nothing moves."""
        before = self.calendar.writes
        self.calendar.fail = None
        for _ in range(60):
            self.pull()
            while self.told or self.news:
                self.deliver_told()
                self.deliver_news()
            if self.due is None:
                return self.calendar.writes - before
            self.now = max(self.now, self.due)
            await self.attempt()
        raise AssertionError("it never calms down")

    # --- what is true at the end --------------------------------------------------------------------------------

    def differences(self) -> list[str]:
        shown = self.calendar.shown
        wanted = event_for(self.meeting.state)
        if wanted is None:
            return [f"orphan {one.content.title}" for one in shown]
        if len(shown) != 1:
            return [f"{len(shown)} events"]
        said = shown[0].content
        differing = sorted(wanted.differs_from(said) - {"description"})
        if host_description(said.description, self.meeting.state) != normalised(self.meeting.state.description or ""):
            differing.append("own words")
        return [f"{name}: {wanted} {said}" for name in differing]
