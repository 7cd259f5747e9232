"""Work that leaves the house: mail and provider calls, which are slow, fail and repeat.

Whoever learns that something is wanted writes it down in the document it is about, with ``due`` in the same write.
Workers lease what is due, do it, and record how it went; the record counts only while the lease holds. Kill any worker
anywhere: its lease runs out and another goes on.

One piece of work is one sub-document, the ``field``, of a document:

- ``dueAt``: wanted, from this instant on. Taking the work removes it, so that finding it afterwards means that more
  was wanted meanwhile.
- ``lease``: ``{owner, token, until}`` while somebody is at it. The token is the fence: every lease has a new one.
- ``attempts``: begun since the last success, the running one included.
- ``ended``: the token of the last lease whose result was recorded.
- ``abandoned``: the last lease ran out, so what its holder did is not known.
- ``gaveUp``: ``{at, error}`` when it failed for reasons of our own so often that only a person can help.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from contracts.ids import uuid7_hex
from contracts.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from chassis import metrics
from chassis.backoff import backoff
from chassis.mongo import Collection, Document
from chassis.outages import is_outage
from chassis.waiting import stop

log = structlog.get_logger()

Update = Mapping[str, Mapping[str, Any]]
"""A MongoDB update by its operators, such as ``{"$set": {…}}``."""

_LONGEST_ERROR = 200


def due(name: str, at: datetime) -> Update:
    """The part of a write that makes the work in field ``name`` wanted from ``at`` on; what is due earlier stays so."""
    return {"$min": {f"{name}.dueAt": at}}


def work_indexes(name: str, *, lane: str | None = None) -> list[IndexModel]:
    """What finding work in field ``name`` needs; ``lane`` as for ``Leases``."""
    keys = [f"{name}.dueAt", *([lane] if lane else [])]
    return [
        IndexModel(
            [(key, ASCENDING) for key in keys],
            name=f"{name} due",
            partialFilterExpression={f"{name}.dueAt": {"$exists": True}},
        ),
        IndexModel(
            [(f"{name}.lease.until", ASCENDING)],
            name=f"{name} leased",
            partialFilterExpression={f"{name}.lease.until": {"$exists": True}},
        ),
    ]


@dataclass(frozen=True, slots=True)
class Lease:
    """Work that is ours for a while. ``document`` is as it was when the work was taken."""

    document: Document
    token: str
    attempt: int
    """1 for the first since the last success."""
    abandoned: bool
    """A worker before us vanished: it may have done the work without saying so."""

    @property
    def key(self) -> Any:
        return self.document["_id"]


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended: over, or to be tried again ``again_in`` seconds from now.

    ``update`` is written to the document together with the end of the lease. ``pause_lane``: nothing else in the same
    lane is begun until then either (a provider's Retry-After, a mail domain that defers).
    """

    update: Update = field(default_factory=dict)
    again_in: float | None = None
    pause_lane: bool = False


class Leases:
    """Takes and ends work in one field of one collection's documents, on behalf of one process."""

    def __init__(self, collection: Collection, name: str, *, seconds: float, lane: str | None = None) -> None:
        """``name``: the field. ``seconds``: how long a lease lasts unless renewed.

        ``lane``: a field whose value says what work competes for, such as a mail domain or a provider account.
        """
        self.name = name
        self.seconds = seconds
        self._collection = collection
        self._lane = lane
        self._owner = uuid7_hex()

    def lane_of(self, document: Document) -> str:
        """What this document's work competes for; empty when there are no lanes."""
        return str(document.get(self._lane, "")) if self._lane else ""

    async def take(self, limit: int, *, full: Sequence[str], per_lane: Callable[[str], int]) -> list[Lease]:
        """Lease up to ``limit`` pieces of work, the longest due first.

        ``full`` lanes are passed over; in another lane at most ``per_lane(lane)`` are taken.
        """
        takeable = {f"{self.name}.dueAt": {"$lte": utc_now()}, f"{self.name}.lease": {"$exists": False}}
        elsewhere = {self._lane: {"$nin": list(full)}} if self._lane and full else {}
        candidates = await self._collection.find(
            takeable | elsewhere,
            projection=[self._lane] if self._lane else ["_id"],
            sort={f"{self.name}.dueAt": ASCENDING},
            limit=limit,
        )
        chosen = self._within(candidates, per_lane)
        if not chosen:
            return []
        token = uuid7_hex()
        await self._collection.update_many(
            {"_id": {"$in": chosen}} | takeable,
            {
                "$set": {f"{self.name}.lease": {"owner": self._owner, "token": token, "until": self._until()}},
                "$unset": {f"{self.name}.dueAt": "", f"{self.name}.gaveUp": ""},
                "$inc": {f"{self.name}.attempts": 1},
            },
        )
        taken = await self._collection.find({"_id": {"$in": chosen}, f"{self.name}.lease.token": token})
        return [self._lease(document, token) for document in taken]

    async def renew(self, leases: Sequence[Lease]) -> None:
        """Hold them for another full time. Those that ran out already stay lost."""
        tokens = list({lease.token for lease in leases})
        await self._collection.update_many(
            {"_id": {"$in": [lease.key for lease in leases]}, f"{self.name}.lease.token": {"$in": tokens}},
            {"$set": {f"{self.name}.lease.until": self._until()}},
        )

    async def record(self, ended: Sequence[tuple[Lease, Result]]) -> list[Document | None]:
        """Write these results and end their leases, all in one go.

        For each the document after that, or None when its lease had run out, so that its result does not count.
        """
        await self._collection.bulk_write(
            [self._ending(lease, self._recorded(lease, result)) for lease, result in ended]
        )
        found = await self._collection.find({"_id": {"$in": [lease.key for lease, _ in ended]}})
        documents = {document["_id"]: document for document in found}
        return [
            document
            if (document := documents.get(lease.key)) and document[self.name].get("ended") == lease.token
            else None
            for lease, _ in ended
        ]

    async def give_back(self, lease: Lease, *, again_in: float, attempts: int, abandoned: bool = False) -> None:
        """End the lease without a result; ``attempts`` have been made that count."""
        marked = {"$set": {f"{self.name}.attempts": attempts} | ({f"{self.name}.abandoned": True} if abandoned else {})}
        await self._collection.bulk_write([self._ending(lease, _merged(due(self.name, _in(again_in)), marked))])

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End the lease and leave the work, visibly, until it is wanted again."""
        gave_up = {"at": utc_now(), "error": f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]}
        ended = {"$set": {f"{self.name}.gaveUp": gave_up, f"{self.name}.attempts": 0}}
        await self._collection.bulk_write([self._ending(lease, ended)])

    def _recorded(self, lease: Lease, result: Result) -> Update:
        again = {} if result.again_in is None else due(self.name, _in(result.again_in))
        ended: Update = {
            "$unset": {f"{self.name}.abandoned": ""},
            "$set": {f"{self.name}.attempts": lease.attempt if again else 0, f"{self.name}.ended": lease.token},
        }
        return _merged(ended, again, result.update)

    def _ending(self, lease: Lease, update: Update) -> UpdateOne:
        """The write that ends a lease, if it still holds."""
        holds = {"_id": lease.key, f"{self.name}.lease.token": lease.token}
        return UpdateOne(holds, _merged({"$unset": {f"{self.name}.lease": ""}}, update))

    async def reclaim(self) -> int:
        """Make due again what vanished workers held; returns how much."""
        now = utc_now()
        done = await self._collection.update_many(
            {f"{self.name}.lease.until": {"$lte": now}},
            {
                "$unset": {f"{self.name}.lease": ""},
                "$set": {f"{self.name}.abandoned": True},
                "$min": {f"{self.name}.dueAt": now},
            },
        )
        return done.modified_count

    async def next_due(self) -> datetime | None:
        """When the next piece of work that nobody holds is due."""
        found = await self._collection.find_one(
            {f"{self.name}.dueAt": {"$exists": True}, f"{self.name}.lease": {"$exists": False}},
            projection=[f"{self.name}.dueAt"],
            sort={f"{self.name}.dueAt": ASCENDING},
        )
        at: datetime | None = found[self.name]["dueAt"] if found else None
        return at

    def _within(self, candidates: Sequence[Document], per_lane: Callable[[str], int]) -> list[Any]:
        taken: Counter[str] = Counter()
        chosen = []
        for candidate in candidates:
            lane = self.lane_of(candidate)
            if taken[lane] < per_lane(lane):
                taken[lane] += 1
                chosen.append(candidate["_id"])
        return chosen

    def _lease(self, document: Document, token: str) -> Lease:
        work = document[self.name]
        return Lease(document, token, attempt=work["attempts"], abandoned=work.get("abandoned", False))

    def _until(self) -> datetime:
        return _in(self.seconds)


Work = Callable[[Lease], Awaitable[Result]]
Told = Callable[[Sequence[Document]], Awaitable[None]]


async def _nothing_to_tell(_documents: Sequence[Document]) -> None:
    return None


@dataclass(slots=True)
class _InHand:
    lease: Lease
    lane: str
    begun: bool = False
    """Whether it is being worked at; before that it waits for its turn."""
    deadline: asyncio.Timeout | None = None
    """While it is ours: fires when the lease runs out unrenewed, for then the work is somebody else's."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A result that waits to be recorded, and who waits for that."""

    lease: Lease
    result: Result
    document: asyncio.Future[Document | None]

    def succeed(self, document: Document | None) -> None:
        if not self.document.done():  # whoever waited may be cancelled
            self.document.set_result(document)

    def fail(self, error: Exception) -> None:
        if not self.document.done():
            self.document.set_exception(error)


class Workers:
    """Does leased work, at most ``concurrency`` pieces at once and at most ``per_lane`` of one lane.

    ``work`` does one piece and says how it went. It may raise: when a dependency is away (``is_outage``), all work
    pauses and the attempt does not count; anything else is tried again with growing pauses, ``give_up_after`` times.
    ``told`` is called with the documents whose results were just recorded, to publish what they have to say.

    As many pieces again are leased ahead, so that a worker who is done goes on at once; and what ends at the same time
    is recorded together. So much work costs few writes, and little work does not wait.
    """

    def __init__(
        self,
        leases: Leases,
        work: Work,
        *,
        concurrency: int,
        per_lane: int | None = None,
        told: Told = _nothing_to_tell,
        poll: float = 1.0,
        give_up_after: int = 20,
        drain: float = 10.0,
    ) -> None:
        """``poll``: seconds between looks for work that another process wrote down or abandoned.

        ``drain``: seconds that running work gets to end when the service stops.
        """
        self._leases = leases
        self._work = work
        self._told = told
        self._concurrency = concurrency
        self._per_lane = per_lane or concurrency
        self._poll = poll
        self._give_up_after = give_up_after
        self._drain = drain
        self._stirred = asyncio.Event()
        self._in_hand: dict[asyncio.Task[None], _InHand] = {}
        self._turns = asyncio.Semaphore(concurrency)
        self._ended: list[_Ended] = []
        self._some_ended = asyncio.Event()
        self._lanes: Counter[str] = Counter()
        self._paused_lanes: dict[str, float] = {}
        self._paused_until = 0.0
        self._outages_in_a_row = 0

    def wake(self) -> None:
        """Look for work now: this process has just written some down."""
        self._stirred.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Workers"]:
        """Work until left; then what is in hand gets ``drain`` seconds to end, and the rest is given back."""
        tasks = [
            asyncio.create_task(self._for_ever(self._dispatch, pause=0)),
            asyncio.create_task(self._for_ever(self._look_after, pause=self._poll)),
            asyncio.create_task(self._for_ever(self._renew, pause=self._leases.seconds / 3)),
            asyncio.create_task(self._for_ever(self._settle, pause=0)),
        ]
        try:
            yield self
        finally:
            dispatching, looking, *serving = tasks
            await stop(dispatching, looking)
            if self._in_hand:
                await asyncio.wait(self._in_hand, timeout=self._drain)
            await stop(*self._in_hand)
            await stop(*serving)

    async def _for_ever(self, step: Callable[[], Awaitable[None]], *, pause: float) -> None:
        while True:
            try:
                await step()
            except Exception as error:
                if not is_outage(error):
                    log.exception("looking for work failed", work=self._leases.name)
                self._pause(error)
            await asyncio.sleep(pause)

    async def _dispatch(self) -> None:
        """Begin what can be begun; when nothing can, wait until that may have changed."""
        self._stirred.clear()
        wait = self._paused_until - _now()
        if wait <= 0:
            room = 2 * self._concurrency - len(self._in_hand)
            all_busy = room < self._concurrency
            if not all_busy and await self._begin(room):
                return
            wait = self._poll if all_busy else await self._until_next_due()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait, self._poll)):
                await self._stirred.wait()

    async def _begin(self, room: int) -> int:
        now = _now()
        self._paused_lanes = {lane: until for lane, until in self._paused_lanes.items() if until > now}
        full = [lane for lane, busy in self._lanes.items() if busy >= self._per_lane]
        leases = await self._leases.take(
            room, full=[*full, *self._paused_lanes], per_lane=lambda lane: self._per_lane - self._lanes[lane]
        )
        for lease in leases:
            self._start(lease)
        return len(leases)

    async def _until_next_due(self) -> float:
        at = await self._leases.next_due()
        seconds = self._poll if at is None else (at - utc_now()).total_seconds()
        # What is due and was not taken waits for its lane; a lane that gets free stirs us.
        return seconds if seconds > 0 else self._poll

    def _start(self, lease: Lease) -> None:
        lane = self._leases.lane_of(lease.document)
        in_hand = _InHand(lease, lane)
        task = asyncio.create_task(self._carry_out(in_hand))
        self._in_hand[task] = in_hand
        self._lanes[lane] += 1
        metrics.WORK_IN_HAND.labels(self._leases.name).inc()
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        in_hand = self._in_hand.pop(task)
        self._lanes[in_hand.lane] -= 1
        if not self._lanes[in_hand.lane]:
            del self._lanes[in_hand.lane]
        metrics.WORK_IN_HAND.labels(self._leases.name).dec()
        self._stirred.set()

    async def _carry_out(self, in_hand: _InHand) -> None:
        name, lease = self._leases.name, in_hand.lease
        deadline = asyncio.timeout(self._leases.seconds)
        try:
            async with deadline:
                in_hand.deadline = deadline
                try:
                    async with self._turns:
                        in_hand.begun = True
                        await self._attempt(in_hand)
                finally:
                    in_hand.deadline = None
        except TimeoutError:
            log.warning("a lease could not be renewed; its work is left to another", work=name)
            self._count("lost")
        except asyncio.CancelledError:
            # The service stops. Another may go on at once, but must know whether something may have been done.
            attempts = lease.attempt - (not in_hand.begun)
            giving = self._leases.give_back(lease, again_in=0, attempts=attempts, abandoned=in_hand.begun)
            await self._give_back(giving)
            raise

    async def _attempt(self, in_hand: _InHand) -> None:
        lease = in_hand.lease
        try:
            with metrics.WORK_SECONDS.labels(self._leases.name).time():
                result = await self._work(lease)
        except Exception as error:
            await self._failed(lease, error)
            return
        self._outages_in_a_row = 0
        if result.again_in is not None and result.pause_lane:
            self._paused_lanes[in_hand.lane] = _now() + result.again_in
        await self._record(lease, result)

    async def _record(self, lease: Lease, result: Result) -> None:
        document = await self._recorded(lease, result)
        if document is None:
            log.warning("a lease ran out before its work was recorded", work=self._leases.name)
            self._count("lost")
            return
        self._count("done" if result.again_in is None else "again")

    async def _recorded(self, lease: Lease, result: Result) -> Document | None:
        """Once something was done it must not be forgotten: keep trying for as long as the lease holds."""
        for attempt in itertools.count(1):
            ended = _Ended(lease, result, asyncio.get_running_loop().create_future())
            self._ended.append(ended)
            self._some_ended.set()
            try:
                return await ended.document
            except Exception as error:
                if not is_outage(error):
                    raise
                self._pause(error)
                await asyncio.sleep(backoff(attempt, first=0.1, most=2))
        return None

    async def _settle(self) -> None:
        """Record what has ended, all of one moment together, and have it told."""
        await self._some_ended.wait()
        self._some_ended.clear()
        ended, self._ended = self._ended, []
        try:
            documents = await self._leases.record([(one.lease, one.result) for one in ended])
        except Exception as error:  # each tries again by itself
            for one in ended:
                one.fail(error)
            return
        for one, document in zip(ended, documents, strict=True):
            one.succeed(document)
        try:
            await self._told([document for document in documents if document is not None])
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("recorded but not told yet", work=self._leases.name, error=type(error).__name__)

    async def _failed(self, lease: Lease, error: Exception) -> None:
        if is_outage(error):
            self._pause(error)
            await self._give_back(self._leases.give_back(lease, again_in=0, attempts=lease.attempt - 1))
            return
        log.error("work failed", work=self._leases.name, attempt=lease.attempt, exc_info=error)
        if lease.attempt >= self._give_up_after:
            self._count("gave-up")
            await self._give_back(self._leases.give_up(lease, error))
            return
        self._count("failed")
        pause = backoff(lease.attempt, first=1, most=300)
        await self._give_back(self._leases.give_back(lease, again_in=pause, attempts=lease.attempt))

    async def _give_back(self, giving: Awaitable[None]) -> None:
        try:
            await giving
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("work not given back; its lease will run out", work=self._leases.name)

    def _count(self, outcome: str) -> None:
        metrics.WORK_ENDED.labels(self._leases.name, outcome).inc()

    def _pause(self, error: Exception) -> None:
        """Begin nothing for a while: everything would fail now. Many failures of one moment count once."""
        if self._paused_until > _now():
            return
        self._outages_in_a_row += 1
        seconds = backoff(self._outages_in_a_row, first=0.2, most=15)
        self._paused_until = _now() + seconds
        metrics.OUTAGES.labels(self._leases.name).inc()
        log.warning(
            "work waits for a dependency", work=self._leases.name, error=type(error).__name__, seconds=round(seconds, 2)
        )

    async def _look_after(self) -> None:
        if reclaimed := await self._leases.reclaim():
            metrics.WORK_ABANDONED.labels(self._leases.name).inc(reclaimed)
            log.warning("going on with work that a worker left behind", work=self._leases.name, pieces=reclaimed)
            self.wake()
        at = await self._leases.next_due()
        metrics.WORK_OVERDUE.labels(self._leases.name).set(max(0, (utc_now() - at).total_seconds()) if at else 0)

    async def _renew(self) -> None:
        running = list(self._in_hand.values())
        if not running:
            return
        until = _now() + self._leases.seconds
        await self._leases.renew([in_hand.lease for in_hand in running])
        for in_hand in running:
            if in_hand.deadline is not None and not in_hand.deadline.expired():
                in_hand.deadline.reschedule(until)


def _merged(*updates: Update) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for update in updates:
        for operator, fields in update.items():
            merged.setdefault(operator, {}).update(fields)
    return merged


def _in(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
