"""Pulling: reading what is new in an external calendar, and saying what of it others do not know yet.

The cursor is kept last: whoever is interrupted reads the same again, and says nothing twice. Nothing here writes copies
of our own meetings: whoever writes them is asked to look at what their hosts seem to have done.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from contracts.messages.calendar_events import (
    CalendarOwner,
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
)
from contracts.values.enums import CalendarProvider, SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.application.calling import Calls, retry_in
from calendar_sync.application.ports import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.application.writing import Access
from calendar_sync.domain.event import When
from calendar_sync.domain.external import (
    ChangesPage,
    CursorLostError,
    Found,
    SeenEvent,
    Window,
)
from calendar_sync.domain.failures import (
    NO_CALENDAR,
    CallFailedError,
    Failure,
    MissingError,
    StaleError,
    TakenError,
    unavailable,
)
from calendar_sync.domain.feed import Counts, Cursor, Feed, FeedState
from calendar_sync.domain.sighting import Sighting, Viewpoint, invited_to, is_within

log = structlog.get_logger()

_MOST_PAGES = 2_000
_EDGE = timedelta(days=1)
"""Providers know whole days by the calendar's zone: what is missing this close to an edge may be beyond it."""


_FAILING = (CallFailedError, MissingError, StaleError, TakenError, CursorLostError)
"""How a call may fail, beside what is wrong with the grant."""


class Changes(Protocol):
    """What is new in one provider's calendars. May raise CallFailedError and UnauthorizedError."""

    async def page(self, access: Access, *, cursor: str | None, page: str | None, window: Window) -> ChangesPage:
        """One page of what is new since ``cursor``, or without one of everything in the ``window``.

        ``page`` asks for the next page of the same round; cursor and window are those of its first page.

        Raises:
            CursorLostError: the provider does not know the cursor, or the page, any more.
            MissingError: the calendar is not there.
        """

    async def has(self, access: Access, event_id: str) -> bool:
        """Whether the event may still be there, perhaps in another calendar of the account."""


@dataclass(frozen=True, slots=True)
class KnownCopy:
    """A copy of ours, by the event that it is in an account."""

    meeting_uuid: str
    event_id: str
    echo: str | None
    """The fingerprint of what the platform knows the event to say; None when that is not known."""
    expected: bool
    """Whether the event ought to be there: the meeting is active and not over, and the copy was not removed by us."""
    when: When | None = None
    """When the platform knows the event to be."""
    written_at: datetime | None = None
    """When it was last written, or tried to be."""


@dataclass(frozen=True, slots=True)
class Look:
    """A copy in the account ``key`` that its host may have changed or removed.

    ``doubted``: so many are missing at once that a removal is not to be believed.
    """

    meeting_uuid: str
    key: str
    doubted: bool = False


class Copies(Protocol):
    """The copies of our own meetings; ``key`` is the account's (``account_key``)."""

    async def of_events(self, key: str, event_ids: Sequence[str]) -> Mapping[str, KnownCopy]:
        """The copies that these events are, by event id; also those that were removed by us (their id is kept)."""

    def of_window(self, key: str, window: Window) -> AsyncIterator[Sequence[KnownCopy]]:
        """Pages of the copies that are expected in the account, and of which the newest known time is in the window."""

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these meetings whose copy in this account is being made: its event may be there, its id unknown."""

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these that are meetings made on the platform, whoever hosts them."""

    async def look(self, looks: Sequence[Look]) -> None:
        """Have these copies compared with their events, and taken over what their hosts did."""


News = ExternalEventUpserted | ExternalEventDeleted | InvitationAnswered


class Sightings(Protocol):
    """Where sightings are kept. Only who leases a connection's pull writes them."""

    async def known(
        self, connection_id: str, *, event_ids: Sequence[str], meeting_uuids: Sequence[str]
    ) -> Sequence[Sighting]:
        """Those of these events, or of these meetings, in this connection's calendar."""

    async def of_series(self, connection_id: str, series_ids: Sequence[str]) -> Sequence[Sighting]:
        """Those of instances of these series that are not gone."""

    def held(self, connection_id: str) -> AsyncIterator[Sequence[Sighting]]:
        """Pages of the sightings of this connection that are not gone."""

    async def save(self, said: Sequence[tuple[Sighting, Sequence[News]]]) -> None:
        """Keep these sightings and tell the news.

        Raises:
            LeaseLostError: another worker wrote one of them.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how far calendars are read; seconds, days and counts."""

    rest: float = 0.5
    """At least so much is between the beginnings of two pulls."""
    interval: float = 300
    """The catch-up poll; a quarter more or less, so that not all come at once."""
    retry_first: float = 1
    retry_most: float = 60
    tell_after: int = 8
    """Failed attempts after which the connection says what stands in the way."""
    days_back: int = 30
    days_ahead: int = 180
    brake: int = 10
    """More copies that are found deleted within ten minutes are not believed to be deleted on purpose."""

    def window(self, now: datetime) -> Window:
        return Window(now - timedelta(days=self.days_back), now + timedelta(days=self.days_ahead))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A round that was read to its end: everything is written, and the feed may go on from ``cursor``."""

    cursor: Cursor
    counts: Counts
    deletions: Sequence[datetime]
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Nothing, or not everything, was read: again in so many seconds, and not before."""

    seconds: float
    because: SyncFailureCode | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """There is nothing to read here until the user connects again."""


class Pulling:
    """Reads the calendars of connected users."""

    def __init__(
        self,
        changes: Mapping[CalendarProvider, Changes],
        *,
        copies: Copies,
        sightings: Sightings,
        accounts: Accounts,
        calls: Calls,
        pace: Pace,
    ) -> None:
        self._changes = changes
        self._copies = copies
        self._sightings = sightings
        self._accounts = accounts
        self._calls = calls
        self._pace = pace

    async def attempt(self, feed: Feed, *, number: int) -> Pulled | PutOff | Ended:
        """One attempt at reading what is new; ``number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: another worker is at this feed.
        """
        now = utc_now()
        if feed.state is FeedState.CLOSED:
            await self._forget(feed, now)
            return Ended()
        account = await self._accounts.connected(feed.tenant_uuid, feed.user_id)
        if account is None or account.generation != feed.generation:
            return Ended()  # an event that tells of the change is on its way
        if feed.rests_until is not None and feed.rests_until > now:
            return PutOff(seconds=(feed.rests_until - now).total_seconds())
        try:
            pulled = await self._pull(feed, account, now)
            await self._accounts.synced(account, now, Window(pulled.cursor.begins, pulled.cursor.ends))
        except GrantRevokedError:
            return Ended()
        except (*_FAILING, ProviderUnavailableError) as error:
            return await self._failed(account, _failure(error), number)
        return pulled

    async def _failed(self, account: Account, failure: Failure, number: int) -> PutOff:
        """What may pass is tried again soon, and told when it does not; what will not is told and tried rarely."""
        log.info("a calendar could not be read", code=failure.code.value, reason=failure.reason, attempt=number)
        if not failure.passing or number >= self._pace.tell_after:
            await self._accounts.unreadable(account, failure.code, failure.reason)
        pause = retry_in(failure, number, first=self._pace.retry_first, most=self._pace.retry_most)
        seconds = pause if failure.passing else self._pace.interval
        return PutOff(seconds=seconds, because=failure.code)

    async def _forget(self, feed: Feed, now: datetime) -> None:
        """The user ended the connection: what was seen by it is not known any more."""
        async for page in self._sightings.held(feed.connection_id):
            await self._sightings.save([(one, _some(one.vanish(now))) for one in page])

    async def _pull(self, feed: Feed, account: Account, now: datetime) -> Pulled:
        """Go on from the feed's cursor, if it serves; else read everything."""
        window = self._pace.window(now)
        round_ = _Round(self._copies, self._sightings, _viewpoint(feed, account), window, now)
        if feed.cursor is not None and feed.cursor.serves(feed.generation, window):
            round_.window = Window(feed.cursor.begins, feed.cursor.ends)
            try:
                return await self._carry_out(round_, feed, account, cursor=feed.cursor.token)
            except CursorLostError:
                log.info("a cursor does not serve any more, so everything is read again")
                round_ = round_.anew(window)
        return await self._carry_out(round_, feed, account, cursor=None)

    async def _carry_out(self, round_: "_Round", feed: Feed, account: Account, *, cursor: str | None) -> Pulled:
        """Read all pages, write what they bring, and only then say where the next round begins."""
        window, now = round_.window, round_.now
        async for page in self._pages(account, window, cursor=cursor):
            await round_.take_in(page)
        await round_.note_declined(lambda event_id: self._has(account, event_id))
        if cursor is None:
            await round_.reconcile()
        elif await round_.lacks_instances():
            raise CursorLostError
        deletions = await round_.look(feed.recent_deletions(now), brake=self._pace.brake)
        reached = Cursor(token=round_.reached, begins=window.begins, ends=window.ends, generation=feed.generation)
        return Pulled(cursor=reached, counts=round_.counts, deletions=deletions, began=now)

    async def _has(self, account: Account, event_id: str) -> bool:
        changes = self._changes[account.provider]
        return await self._calls.make(account, lambda token: changes.has(Access(token, account.calendar_id), event_id))

    async def _pages(self, account: Account, window: Window, *, cursor: str | None) -> AsyncIterator[ChangesPage]:
        """All pages of a round; the last one has a cursor."""
        changes, page = self._changes[account.provider], None
        for _ in range(_MOST_PAGES):
            asked = page

            async def call(token: str, asked: str | None = asked) -> ChangesPage:
                access = Access(token, account.calendar_id)
                return await changes.page(access, cursor=cursor, page=asked, window=window)

            answer = await self._calls.make(account, call)
            yield answer
            if answer.cursor is not None:
                return
            if answer.next_page is None:
                break
            page = answer.next_page
        raise CallFailedError(unavailable("its list of changes has no end"))


@dataclass(slots=True)
class _Round:
    """One round in hand."""

    copies: Copies
    sightings: Sightings
    viewpoint: Viewpoint
    window: Window
    now: datetime
    counts: Counts = field(default_factory=Counts)
    reached: str = ""
    """The cursor that the last page gave."""
    shown_meetings: set[str] = field(default_factory=set)
    shown_copies: set[str] = field(default_factory=set)
    series: set[str] = field(default_factory=set)
    """Series that changed."""
    unread: set[str] = field(default_factory=set)
    """Events that are there, and of which nothing else is known."""
    changed: set[str] = field(default_factory=set)
    """Our meetings whose copies say something that we do not know."""
    removed: set[str] = field(default_factory=set)
    """Our meetings whose copies are missing."""
    left: dict[str, Sighting] = field(default_factory=dict)
    """Our invitations that seem to have been taken off the calendar, by meeting."""
    deleted: set[str] = field(default_factory=set)
    """Those of them whose hosts seem to have deleted the copy."""

    @property
    def key(self) -> str:
        return self.viewpoint.account

    def anew(self, window: Window) -> "_Round":
        """A round of everything after this one: what it found still counts, but what it was shown may be gone since."""
        nothing_yet = _Round(self.copies, self.sightings, self.viewpoint, window, self.now)
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
        await self._see(latest)

    def _meet(self, copy: KnownCopy, found: Found) -> None:
        """An event of ours: our own writes that come back say nothing new. One that was removed may be restored."""
        if isinstance(found, SeenEvent):
            self.shown_copies.add(copy.event_id)
            if found.content.fingerprint != copy.echo:
                self.changed.add(copy.meeting_uuid)
        elif copy.expected:
            self._miss(copy)

    def _miss(self, copy: KnownCopy) -> None:
        """A copy is missing: deleted, unless it left the window, or was written while the round was read."""
        self.removed.add(copy.meeting_uuid)
        belongs = copy.when is not None and is_within(copy.when, self._sure)
        if belongs and (copy.written_at is None or copy.written_at < self.now):
            self.deleted.add(copy.meeting_uuid)

    async def _unsettled(self, latest: Mapping[str, Found]) -> dict[str, str]:
        """Meetings whose copies are being made just now, by event id: whoever makes them looks at them afterwards."""
        marked = {
            event_id: found.marked_meeting
            for event_id, found in latest.items()
            if isinstance(found, SeenEvent) and found.marked_meeting is not None
        }
        unsettled = await self.copies.unsettled(self.key, list(marked.values())) if marked else set()
        return {event_id: meeting_uuid for event_id, meeting_uuid in marked.items() if meeting_uuid in unsettled}

    # --- external events ----------------------------------------------------------------------------------------

    async def _see(self, latest: Mapping[str, Found]) -> None:
        if not latest:
            return
        wanted, invitations = await self._wanted(latest.values())
        known = await self.sightings.known(
            self.viewpoint.connection_id, event_ids=list(latest), meeting_uuids=list(wanted.values())
        )
        before = {one.meeting_uuid: one for one in known}
        held = {one.meeting_uuid: one.model_copy() for one in known}
        news: dict[str, list[News]] = {}
        for event_id, found in latest.items():
            meeting_uuid = wanted.get(event_id)
            for other in held.values():
                if other.event_id == event_id and other.meeting_uuid != meeting_uuid:
                    self._leave(news, other)
            if isinstance(found, SeenEvent) and meeting_uuid is not None:
                self.shown_meetings.add(meeting_uuid)
                new = Sighting.of_invitation if meeting_uuid in invitations else Sighting.new
                sighting = held.get(meeting_uuid) or new(self.viewpoint, meeting_uuid)
                self.left.pop(meeting_uuid, None)
                if not sighting.gone or is_within(found.content.when, self.window):
                    self._note(news, sighting, self._seen(sighting, found))
                    held[meeting_uuid] = sighting
        changed = [
            one
            for one in held.values()
            if one != before.get(one.meeting_uuid, Sighting.new(self.viewpoint, one.meeting_uuid))
        ]
        await self.sightings.save([(one, news.get(one.meeting_uuid, [])) for one in changed])

    async def _wanted(self, found: Iterable[Found]) -> tuple[dict[str, str], set[str]]:
        """The meetings of those events that belong on the platform, by event id, and to which of them we invited."""
        seen = [one for one in found if isinstance(one, SeenEvent) and one.imported]
        invitations = {one.event_id: meeting for one in seen if (meeting := invited_to(one)) is not None}
        ours = await self.copies.meetings(list(invitations.values())) if invitations else set()
        return {
            one.event_id: invitation
            if (invitation := invitations.get(one.event_id)) in ours
            else self.viewpoint.meeting_of(one)
            for one in seen
        }, ours

    def _seen(self, sighting: Sighting, event: SeenEvent) -> News | None:
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

    def _leave(self, news: dict[str, list[News]], sighting: Sighting) -> None:
        """An event is not there any more; of an invitation that is no answer until it is sure."""
        if sighting.invitation and not sighting.gone and sighting.ends_at > self.now:
            self.left[sighting.meeting_uuid] = sighting.model_copy()
        else:
            self._note(news, sighting, sighting.vanish(self.now))

    def _note(self, news: dict[str, list[News]], sighting: Sighting, said: News | None) -> None:
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
            await self.sightings.save([(one, _some(one.vanish(self.now))) for one in gone])
        async for copies in self.copies.of_window(self.key, sure):
            there = self.shown_copies | self.unread
            for copy in copies:
                if copy.event_id not in there:
                    self._miss(copy)

    async def note_declined(self, has: Callable[[str], Awaitable[bool]]) -> None:
        """Who took our invitation off their calendar declined; not who moved it, or whose window it left."""
        for sighting in self.left.values():
            when = When(starts_at=sighting.starts_at, ends_at=sighting.ends_at)
            if is_within(when, self._sure) and not await has(sighting.event_id):
                await self.sightings.save([(sighting, _some(sighting.decline(self.now)))])

    async def lacks_instances(self) -> bool:
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

    def _is_shown(self, sighting: Sighting) -> bool:
        return sighting.meeting_uuid in self.shown_meetings or sighting.event_id in self.unread

    def _ought(self, sighting: Sighting, sure: Window) -> bool:
        """Whether a full round must have shown it: it is in the window, or was in another account."""
        within = sighting.starts_at < sure.ends and sighting.ends_at >= sure.begins
        return within or sighting.account != self.key

    async def look(self, recent: Sequence[datetime], *, brake: int) -> Sequence[datetime]:
        """Have our copies looked at; ``recent`` is when others were deleted. Gives all deletions, these included."""
        doubted = len(recent) + len(self.deleted) > brake
        if doubted and self.deleted:
            log.warning("too many copies are missing at once to be believed", copies=len(self.deleted))
        looks = [Look(one, self.key, doubted=doubted) for one in sorted(self.removed)]
        looks += [Look(one, self.key) for one in sorted(self.changed - self.removed)]
        if looks:
            await self.copies.look(looks)
        return [*recent, *(self.now for _ in self.deleted)]


def _failure(error: Exception) -> Failure:
    match error:
        case CallFailedError():
            return error.failure
        case ProviderUnavailableError():
            return unavailable(str(error), error.retry_after)
        case MissingError():
            return NO_CALENDAR
        case _:
            return unavailable("it lost what it gave us just now")


def _viewpoint(feed: Feed, account: Account) -> Viewpoint:
    owner = CalendarOwner(
        user_id=account.user_id, user_type=account.owner_type, name=account.owner_name, email=account.calendar_email
    )
    return Viewpoint(account.connection_id, account.tenant_uuid, owner, account.provider, feed.account)


def _some(news: News | None) -> Sequence[News]:
    return [] if news is None else [news]
