"""Workers: they lease work, do it, and record how it went, several pieces at once. What work is, says ``leases``."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from contracts.values.times import utc_now

from chassis.backoff import backoff
from chassis.jobs.queue import JobQueue, LeasedJob, Result
from chassis.mongo.database import Document
from chassis.outages import is_outage
from chassis.tasks import stop
from chassis.telemetry import metrics

log = structlog.get_logger()

_GATHER = 0.01
"""Seconds after a write in which results gather for the next one; the first result after a lull is written at once."""

Work = Callable[[LeasedJob], Awaitable[Result]]
Told = Callable[[Sequence[Document]], Awaitable[None]]


async def _nothing_to_tell(_documents: Sequence[Document]) -> None:
    return None


@dataclass(slots=True)
class _RunningJob:
    """A leased piece of work."""

    lease: LeasedJob
    lane: str
    in_lane: bool = True
    begun: bool = False
    """Whether anybody was at it; before that it waits for its turn."""
    deadline: asyncio.Timeout | None = None
    """While it is ours: fires when the lease runs out unrenewed, for then the work is somebody else's."""


class WorkerPool:
    """Does leased work, at most ``concurrency`` pieces at once and at most ``per_lane`` of one lane.

    ``work`` does one piece and says how it went. It may raise: when a dependency is away (``is_outage``), all work
    pauses and the attempt does not count; anything else is tried again with growing pauses, ``give_up_after`` times.
    ``told`` is called with documents whose results were just recorded, to publish what they have to say.

    Some pieces are leased ahead, so that a worker who is done goes on at once; and what ends at the same time is
    recorded together. So much work costs few writes, and little work does not wait.
    """

    def __init__(
        self,
        leases: JobQueue,
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
        self._records = _ResultWriter(leases, told)
        self._concurrency = concurrency
        self._per_lane = per_lane or concurrency
        self._poll = poll
        self._give_up_after = give_up_after
        self._drain = drain
        self._stirred = asyncio.Event()
        self._in_hand: dict[asyncio.Task[None], _RunningJob] = {}
        self._turns = asyncio.Semaphore(concurrency)
        self._lanes: Counter[str] = Counter()
        self._paused_lanes: dict[str, float] = {}
        self._paused_until = 0.0
        self._outages_in_a_row = 0

    def wake(self) -> None:
        """Look for work now: this process has just written some down."""
        self._stirred.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["WorkerPool"]:
        """Work until left; then what is in hand gets ``drain`` seconds to end, and the rest is given back."""
        looking = [
            asyncio.create_task(self._for_ever(self._dispatch, pause=0)),
            asyncio.create_task(self._for_ever(self._look_after, pause=self._poll)),
        ]
        serving = [
            asyncio.create_task(self._for_ever(self._renew, pause=self._leases.seconds / 3)),
            asyncio.create_task(self._for_ever(self._records.write, pause=_GATHER)),
            asyncio.create_task(self._for_ever(self._records.tell, pause=_GATHER)),
        ]
        try:
            yield self
        finally:
            await stop(*looking)
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
                    log.exception("looking after work failed", work=self._leases.name)
                self._pause(error)
            await asyncio.sleep(pause)

    # --- finding work -------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Begin what can be begun; when nothing can, wait until that may have changed."""
        self._stirred.clear()
        wait = self._paused_until - _now()
        if wait <= 0:
            ahead = sum(not one.begun for one in self._in_hand.values())
            enough = ahead > self._concurrency or len(self._in_hand) >= 6 * self._concurrency
            if not enough and await self._begin(2 * self._concurrency - ahead):
                return
            wait = self._poll if enough else await self._until_next_due()
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

    def _start(self, lease: LeasedJob) -> None:
        in_hand = _RunningJob(lease, self._leases.lane_of(lease.document))
        task = asyncio.create_task(self._carry_out(in_hand))
        self._in_hand[task] = in_hand
        self._lanes[in_hand.lane] += 1
        metrics.WORK_IN_HAND.labels(self._leases.name).inc()
        task.add_done_callback(self._forget)

    def _leave_lane(self, in_hand: _RunningJob) -> None:
        """The outside is done with it; recording it is our own affair."""
        if not in_hand.in_lane:
            return
        in_hand.in_lane = False
        self._lanes[in_hand.lane] -= 1
        if not self._lanes[in_hand.lane]:
            del self._lanes[in_hand.lane]
        self._stirred.set()

    def _forget(self, task: asyncio.Task[None]) -> None:
        in_hand = self._in_hand.pop(task)
        self._leave_lane(in_hand)
        metrics.WORK_IN_HAND.labels(self._leases.name).dec()
        self._stirred.set()

    async def _look_after(self) -> None:
        if reclaimed := await self._leases.reclaim():
            metrics.WORK_ABANDONED.labels(self._leases.name).inc(reclaimed)
            log.warning("going on with work that a worker left behind", work=self._leases.name, pieces=reclaimed)
            self.wake()
        metrics.WORK_OVERDUE.labels(self._leases.name).set(await self._leases.overdue())

    async def _renew(self) -> None:
        ours = list(self._in_hand.values())
        if not ours:
            return
        until = _now() + self._leases.seconds
        await self._leases.renew([in_hand.lease for in_hand in ours])
        for in_hand in ours:
            if in_hand.deadline is not None and not in_hand.deadline.expired():
                in_hand.deadline.reschedule(until)

    # --- doing it -----------------------------------------------------------------------------------------------

    async def _carry_out(self, in_hand: _RunningJob) -> None:
        lease = in_hand.lease
        deadline = asyncio.timeout(self._leases.seconds)
        try:
            async with deadline:
                in_hand.deadline = deadline
                try:
                    await self._attempt(in_hand)
                finally:
                    in_hand.deadline = None
        except TimeoutError:
            log.warning("a lease could not be renewed; its work is left to another", work=self._leases.name)
            self._count("lost")
        except asyncio.CancelledError:
            # The service stops. Another may go on at once, but must know whether something may have been done.
            attempts = lease.attempt - (not in_hand.begun)
            giving = self._leases.give_back(lease, again_in=0, attempts=attempts, abandoned=in_hand.begun)
            await self._give_back(giving)
            raise

    async def _attempt(self, in_hand: _RunningJob) -> None:
        lease = in_hand.lease
        async with self._turns:
            in_hand.begun = True
            self._stirred.set()  # there is room to lease ahead
            try:
                with metrics.WORK_SECONDS.labels(self._leases.name).time():
                    result = await self._work(lease)
            except Exception as error:
                await self._failed(lease, error)
                return
        self._leave_lane(in_hand)
        self._outages_in_a_row = 0
        if result.again_in is not None and result.pause_lane:
            self._paused_lanes[in_hand.lane] = _now() + result.again_in
        if await self._recorded(lease, result):
            self._count("done" if result.again_in is None else "again")
        else:
            log.warning("a lease ran out before its work was recorded", work=self._leases.name)
            self._count("lost")

    async def _recorded(self, lease: LeasedJob, result: Result) -> bool:
        """Once something was done it must not be forgotten: keep trying for as long as the lease holds."""
        for attempt in itertools.count(1):
            try:
                return await self._records.add(lease, result)
            except Exception as error:
                if not is_outage(error):
                    raise
                self._pause(error)
                await asyncio.sleep(backoff(attempt, first=0.1, most=2))
        return False

    async def _failed(self, lease: LeasedJob, error: Exception) -> None:
        if is_outage(error):
            self._pause(error)
            await self._give_back(self._leases.give_back(lease, again_in=0, attempts=lease.attempt - 1, outage=error))
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

    def _count(self, outcome: str) -> None:
        metrics.WORK_ENDED.labels(self._leases.name, outcome).inc()


@dataclass(frozen=True, slots=True)
class _Ended:
    """A result that waits to be recorded, and who waits for that."""

    lease: LeasedJob
    result: Result
    counts: asyncio.Future[bool]


class _ResultWriter:
    """Records results and has them told, each time all that have come in meanwhile."""

    def __init__(self, leases: JobQueue, told: Told) -> None:
        self._leases = leases
        self._told = told
        self._ended: list[_Ended] = []
        self._some_ended = asyncio.Event()
        self._untold: list[Document] = []
        self._some_untold = asyncio.Event()

    async def add(self, lease: LeasedJob, result: Result) -> bool:
        """Record a result; whether it counts, because its lease still held."""
        ended = _Ended(lease, result, asyncio.get_running_loop().create_future())
        self._ended.append(ended)
        self._some_ended.set()
        return await ended.counts

    async def write(self) -> None:
        """Wait for results and record them. An error is the error of each of them."""
        await self._some_ended.wait()
        self._some_ended.clear()
        ended, self._ended = self._ended, []
        try:
            documents = await self._leases.record([(one.lease, one.result) for one in ended])
        except Exception as error:  # whoever waits decides what it means
            for one in ended:
                if not one.counts.done():
                    one.counts.set_exception(error)
            return
        for one, document in zip(ended, documents, strict=True):
            if not one.counts.done():  # whoever waited may be gone
                one.counts.set_result(document is not None)
        self._untold += [document for document in documents if document is not None]
        self._some_untold.set()

    async def tell(self) -> None:
        """Wait for what was recorded and have it told; what cannot be told now is left to the outbox's sweeper."""
        await self._some_untold.wait()
        self._some_untold.clear()
        untold, self._untold = self._untold, []
        try:
            await self._told(untold)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("recorded but not told yet", work=self._leases.name, error=type(error).__name__)


def _now() -> float:
    return asyncio.get_running_loop().time()
