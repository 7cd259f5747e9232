"""Leased work on a real MongoDB: done once, taken over when its worker vanishes, never lost, and bounded."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chassis.jobs.admin import JobAdmin, QueueStats
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import JobQueue, JobResult, LeasedJob, schedule
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import Collection, Document, open_database
from chassis.settings import DatabaseSettings
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from tests.support.waiting import until

pytestmark = pytest.mark.integration

ALL: dict[str, Any] = {"full": [], "per_key": lambda _key: 100}


@pytest.fixture
async def things(mongodb_uri: str) -> AsyncIterator[Collection]:
    """An empty collection with work in the field ``job``."""
    settings = DatabaseSettings(
        service_name="test-service",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="leases",
    )
    async with open_database(settings) as database:
        collection = database.collection(uuid7_hex())
        await collection.create_indexes(job_indexes("job", concurrency_key="account"))
        yield collection


def leases(things: Collection, *, seconds: float = 30) -> JobQueue:
    return JobQueue(things, "job", seconds=seconds, concurrency_key="account")


async def want(things: Collection, *names: str, account: str = "", later: float = 0) -> None:
    """Work is written down, as a consumer of messages would."""
    for name in names:
        asked = schedule("job", utc_now() + timedelta(seconds=later))
        await things.update_one({"_id": name}, {"$set": {"account": account}, **asked}, upsert=True)


async def stored(things: Collection, name: str = "a") -> Document:
    document = await things.find_one({"_id": name})
    assert document is not None
    return document


async def ended(holder: JobQueue, lease: LeasedJob, result: JobResult | None = None) -> Document | None:
    [document] = await holder.record([(lease, result or JobResult())])
    return document


async def is_over(things: Collection, *names: str) -> bool:
    """Nobody has to do, or is doing, any of these."""
    busy = {"_id": {"$in": list(names)}, "$or": [{"job.dueAt": {"$exists": True}}, {"job.lease": {"$exists": True}}]}
    return await things.find_one(busy) is None


# --- leases -----------------------------------------------------------------------------------------------------------


async def test_work_is_leased_to_one_and_ended_by_its_holder(things: Collection) -> None:
    await want(things, "a")
    one, other = leases(things), leases(things)
    [lease] = await one.claim(10, **ALL)
    assert (lease.key, lease.attempt, lease.interrupted) == ("a", 1, False)
    assert await other.claim(10, **ALL) == []
    document = await ended(one, lease, JobResult({"$set": {"done": True}}))
    assert document is not None
    assert (document["done"], document["job"]) == (True, {"attempts": 0, "lastRecordedLease": lease.token})
    assert await one.claim(10, **ALL) == []


async def test_work_is_not_taken_before_it_is_due_and_the_longest_due_first(things: Collection) -> None:
    await want(things, "later", later=3600)
    await want(things, "young", later=-1)
    await want(things, "old", later=-2)
    here = leases(things)
    assert [lease.key for lease in await here.claim(1, **ALL)] == ["old"]
    assert [lease.key for lease in await here.claim(10, **ALL)] == ["young"]
    at = await here.next_due()
    assert at is not None
    assert at > utc_now()


async def test_what_is_wanted_earlier_stays_so(things: Collection) -> None:
    await want(things, "a", later=-5)
    await want(things, "a", later=3600)
    assert len(await leases(things).claim(1, **ALL)) == 1


async def test_what_is_wanted_while_the_work_is_done_is_work_again(things: Collection) -> None:
    await want(things, "a")
    here = leases(things)
    [lease] = await here.claim(1, **ALL)
    await want(things, "a")
    assert await here.claim(1, **ALL) == []
    await ended(here, lease)
    assert len(await here.claim(1, **ALL)) == 1


async def test_a_lease_that_ran_out_is_another_workers_and_its_result_counts_no_more(things: Collection) -> None:
    await want(things, "a")
    slow, quick = leases(things, seconds=0), leases(things)
    [lost] = await slow.claim(1, **ALL)
    assert await quick.rescue() == 1
    [lease] = await quick.claim(1, **ALL)
    assert (lease.interrupted, lease.attempt) == (True, 2)
    assert await ended(slow, lost, JobResult({"$set": {"done": "slow"}})) is None
    await slow.extend([lost])
    assert await ended(quick, lease, JobResult({"$set": {"done": "quick"}})) is not None
    document = await stored(things)
    assert document["done"] == "quick"
    assert "interrupted" not in document["job"]


async def test_a_renewed_lease_does_not_run_out(things: Collection) -> None:
    await want(things, "a")
    here = leases(things, seconds=0)
    [lease] = await here.claim(1, **ALL)
    here.seconds = 60
    await here.extend([lease])
    assert await here.rescue() == 0
    assert await ended(here, lease) is not None


async def test_nobody_gets_what_another_took(things: Collection) -> None:
    names = [f"{n:03}" for n in range(100)]
    await want(things, *names)
    workers = [leases(things) for _ in range(5)]
    taken: list[Any] = []

    async def take(one: JobQueue) -> None:
        for _ in range(20):
            taken.extend(lease.key for lease in await one.claim(7, **ALL))

    await asyncio.gather(*map(take, workers))
    assert sorted(taken) == names


async def test_results_that_are_recorded_together_count_each_by_its_own_lease(things: Collection) -> None:
    await want(things, "lost")
    slow, quick = leases(things, seconds=0), leases(things)
    [lost] = await slow.claim(1, **ALL)
    await quick.rescue()
    await quick.claim(1, **ALL)
    await want(things, "kept")
    [kept] = await slow.claim(1, **ALL)
    result = JobResult({"$set": {"done": True}})
    documents = await slow.record([(lost, result), (kept, result)])
    assert [document and document["_id"] for document in documents] == [None, "kept"]
    assert "done" not in await stored(things, "lost")


async def test_due_work_is_taken_in_the_order_of_a_field_and_retries_go_behind(things: Collection) -> None:
    await things.create_indexes(job_indexes("job", concurrency_key="account", order="startAt"))
    ordered = JobQueue(things, "job", seconds=30, concurrency_key="account", order="startAt")
    start = utc_now() - timedelta(minutes=1)
    for name, seconds in (("last", 50), ("first", 10), ("middle", 30)):
        await want(things, name)
        await things.update_one({"_id": name}, {"$set": {"startAt": start + timedelta(seconds=seconds)}})
    [first] = await ordered.claim(1, **ALL)
    assert first.key == "first"
    await ended(ordered, first, JobResult(retry_in=0))
    assert [lease.key for lease in await ordered.claim(10, **ALL)] == ["middle", "last", "first"]


async def test_full_concurrency_keys_are_passed_over_and_others_get_their_share_only(things: Collection) -> None:
    await want(things, *"abcd", account="busy", later=-10)
    await want(things, *"efgh", account="fine", later=-5)
    taken = await leases(things).claim(10, full=["busy"], per_key=lambda _key: 3)
    assert [lease.key for lease in taken] == ["e", "f", "g"]


# --- workers ----------------------------------------------------------------------------------------------------------


class Place:
    """Workers of one test, and what they did."""

    def __init__(self, things: Collection, started: AsyncExitStack) -> None:
        self.things = things
        self.did: list[str] = []
        self._started = started

    async def hire(
        self, work: Callable[[LeasedJob], Any] | None = None, *, seconds: float = 30, **options: Any
    ) -> WorkerPool:
        given: dict[str, Any] = {"concurrency": 4, "poll": 0.05, "drain": 5}
        workers = WorkerPool(leases(self.things, seconds=seconds), work or self.work, **given | options)
        return await self._started.enter_async_context(workers.running())

    async def work(self, lease: LeasedJob) -> JobResult:
        self.did.append(lease.key)
        return JobResult()

    async def all_over(self, *names: str) -> None:
        await until(lambda: is_over(self.things, *names), what=f"{names} are over")


@pytest.fixture
async def place(things: Collection) -> AsyncIterator[Place]:
    async with AsyncExitStack() as started:
        yield Place(things, started)


async def test_what_is_written_down_gets_done_once(place: Place) -> None:
    names = [f"{n:03}" for n in range(60)]
    for _ in range(3):
        await place.hire()
    await want(place.things, *names)
    await place.all_over(*names)
    assert sorted(place.did) == names


async def test_a_wake_up_is_enough_however_seldom_one_looks(place: Place) -> None:
    workers = await place.hire(poll=3600)
    await want(place.things, "a")
    workers.wake()
    await place.all_over("a")
    await want(place.things, "b", later=0.2)
    workers.wake()
    await place.all_over("b")
    assert place.did == ["a", "b"]


async def test_no_more_than_allowed_at_once_and_in_one_key(place: Place) -> None:
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    go_on = asyncio.Event()

    async def work(lease: LeasedJob) -> JobResult:
        for key in ("all", lease.document["account"]):
            now[key] += 1
            most[key] = max(most[key], now[key])
        await go_on.wait()
        for key in ("all", lease.document["account"]):
            now[key] -= 1
        return JobResult()

    slow, quick = [f"s{n}" for n in range(12)], [f"q{n}" for n in range(12)]
    await want(place.things, *slow, account="slow", later=-1)
    await want(place.things, *quick, account="quick")
    await place.hire(work, concurrency=3, per_key=2)

    async def busy() -> bool:
        return now == {"all": 3, "slow": 2, "quick": 1}

    await until(busy, what="all are at work that may be")
    go_on.set()
    await place.all_over(*slow, *quick)
    assert most["all"] == 3
    assert most["slow"] <= 2
    assert most["quick"] <= 2


async def test_one_lane_that_stands_still_delays_no_other(place: Place) -> None:
    stuck = asyncio.Event()

    async def work(lease: LeasedJob) -> JobResult:
        if lease.document["account"] == "stuck":
            await stuck.wait()
        return await place.work(lease)

    await want(place.things, *(f"s{n}" for n in range(20)), account="stuck", later=-1)
    await place.hire(work, per_key=2)
    await want(place.things, *"abc", account="fine")
    await place.all_over(*"abc")
    stuck.set()


async def test_what_is_to_be_tried_again_is_and_counted(place: Place) -> None:
    attempts: list[int] = []

    async def work(lease: LeasedJob) -> JobResult:
        attempts.append(lease.attempt)
        return JobResult({"$set": {"tries": lease.attempt}}, retry_in=0.01) if lease.attempt < 4 else JobResult()

    await want(place.things, "a")
    await place.hire(work)
    await place.all_over("a")
    assert attempts == [1, 2, 3, 4]
    assert (await stored(place.things))["job"]["attempts"] == 0


async def test_a_lane_can_be_paused_by_what_its_work_met(place: Place) -> None:
    async def work(lease: LeasedJob) -> JobResult:
        place.did.append(lease.key)
        limited = lease.document["account"] == "limited"
        return JobResult(retry_in=600, pause_key=True) if limited else JobResult()

    await want(place.things, *(f"l{n}" for n in range(6)), account="limited", later=-1)
    await place.hire(work, per_key=1)
    await want(place.things, *"abcdef", account="fine")
    await place.all_over(*"abcdef")
    assert [name for name in place.did if name.startswith("l")] == ["l0"]


async def test_a_fault_is_tried_again_then_given_up_where_people_see_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(lease: LeasedJob) -> JobResult:
        place.did.append(lease.key)
        raise RuntimeError("no good for jane.roe@example.com, named 'Jane Roe'")

    await want(place.things, "a")
    await place.hire(work, max_attempts=1)
    await place.all_over("a")
    job = (await stored(place.things))["job"]
    assert job["discarded"]["error"] == "RuntimeError: no good for …, named …"
    assert place.did == ["a"]
    await want(place.things, "a")
    await until(lambda: _did(place, 2), what="it is tried again when it is wanted again")


async def test_an_outage_stops_the_work_and_counts_as_no_attempt(place: Place) -> None:
    away = True
    attempts: list[int] = []

    async def work(lease: LeasedJob) -> JobResult:
        attempts.append(lease.attempt)
        if away:
            raise ConnectionRefusedError
        return JobResult()

    await want(place.things, *"abcdef")
    await place.hire(work, concurrency=1)
    await until(lambda: _at_least(attempts, 3), what="it looks whether the dependency is back")
    admin = JobAdmin(place.things, "job")
    assert (await admin.stats()).blocked >= 1
    away = False
    await place.all_over(*"abcdef")
    assert set(attempts) == {1}
    assert (await admin.stats()).blocked == 0


async def test_a_worker_that_vanishes_is_replaced(place: Place) -> None:
    """It holds a lease, and never comes back to it."""
    await want(place.things, "a")
    await leases(place.things, seconds=0.2).claim(1, **ALL)
    seen: list[bool] = []

    async def work(lease: LeasedJob) -> JobResult:
        seen.append(lease.interrupted)
        return JobResult()

    await place.hire(work)
    await place.all_over("a")
    assert seen == [True]


async def test_work_that_takes_longer_than_a_lease_stays_its_workers(place: Place) -> None:
    go_on = asyncio.Event()

    async def work(lease: LeasedJob) -> JobResult:
        place.did.append(lease.key)
        await go_on.wait()
        return JobResult()

    await want(place.things, "a")
    first = leases(place.things, seconds=2)
    await place.hire(work, seconds=first.seconds)
    await place.hire(work, seconds=first.seconds)
    started = (await until(lambda: _lease_of(place.things), what="it is taken"))["until"]

    async def renewed() -> bool:
        return bool((await stored(place.things))["job"]["lease"]["until"] > started + timedelta(seconds=first.seconds))

    await until(renewed, what="the lease was renewed beyond its first end")
    go_on.set()
    await place.all_over("a")
    assert place.did == ["a"]


async def test_stopping_lets_running_work_end(things: Collection) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(_lease: LeasedJob) -> JobResult:
        begun.set()
        await go_on.wait()
        return JobResult({"$set": {"done": True}})

    await want(things, "a")
    async with WorkerPool(leases(things), work, concurrency=1, poll=0.05, drain=10).running():
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    assert (await stored(things))["done"] is True


async def test_stopping_gives_back_what_does_not_end(things: Collection) -> None:
    begun = asyncio.Event()

    async def work(_lease: LeasedJob) -> JobResult:
        begun.set()
        await asyncio.Event().wait()
        return JobResult()

    await want(things, "a")
    async with WorkerPool(leases(things), work, concurrency=1, poll=0.05, drain=0.05).running():
        await begun.wait()
    [lease] = await leases(things).claim(1, **ALL)
    assert lease.interrupted


async def test_a_result_outlives_an_outage_of_the_database(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    record, failures = JobQueue.record, 3

    async def flaky(self: JobQueue, ended: Sequence[tuple[LeasedJob, JobResult]]) -> list[Document | None]:
        nonlocal failures
        if failures:
            failures -= 1
            raise AutoReconnect("gone")
        return await record(self, ended)

    monkeypatch.setattr(JobQueue, "record", flaky)
    await want(place.things, "a")
    await place.hire()
    await place.all_over("a")
    assert (failures, place.did) == (0, ["a"])


async def test_what_was_recorded_is_told(place: Place) -> None:
    told: list[Document] = []

    async def tell(documents: Sequence[Document]) -> None:
        told.extend(documents)

    async def work(lease: LeasedJob) -> JobResult:
        return JobResult({"$set": {"news": lease.key}})

    await want(place.things, "a")
    await place.hire(work, after_commit=tell)
    await place.all_over("a")
    await until(lambda: _at_least(told, 1), what="it is told")
    assert told[0]["news"] == "a"


async def _did(place: Place, times: int) -> bool:
    return len(place.did) >= times


async def _at_least(things: list[Any], count: int) -> bool:
    return len(things) >= count


async def _lease_of(things: Collection) -> Any:
    return (await stored(things)).get("job", {}).get("lease")


# --- what operators see and do ----------------------------------------------------------------------------------------


async def taken(things: Collection, name: str, *, seconds: float = 30) -> tuple[JobQueue, LeasedJob]:
    """A worker and the lease that it has just taken."""
    holder = leases(things, seconds=seconds)
    await want(things, name, later=-1)
    [lease] = await holder.claim(1, **ALL)
    return holder, lease


async def test_operators_see_how_work_stands(things: Collection) -> None:
    admin = JobAdmin(things, "job")
    assert await admin.stats() == QueueStats(0, 0, 0, 0, 0, 0, overdue=0)
    holder, lease = await taken(things, "given up")
    await holder.discard(lease, ValueError("of our own"))
    holder, lease = await taken(things, "put off")
    await ended(holder, lease, JobResult(retry_in=600))
    await taken(things, "held")
    await taken(things, "vanished", seconds=-1)
    await want(things, "next round", later=300)
    await want(things, "overdue", later=-600)
    stats = await admin.stats()
    assert 600 <= stats.overdue < 660
    expected = QueueStats(due=1, later=2, leased=1, interrupted=1, blocked=0, discarded=1, overdue=0)
    assert replace(stats, overdue=0) == expected
    await holder.rescue()
    assert (await admin.stats()).interrupted == 1, "nobody has taken it up yet"

    a_minute_ago = utc_now() - timedelta(minutes=1)
    found = await admin.list_stuck(10, due_before=a_minute_ago)
    assert [one["_id"] for one in found] == ["given up", "overdue", "put off"]
    assert all(set(one) == {"_id", "job"} for one in found)
    [first] = await admin.list_stuck(1, due_before=a_minute_ago, projection=["account"])
    assert first["account"] == ""


async def test_operators_make_due_what_waits_and_never_what_somebody_is_at(things: Collection) -> None:
    admin = JobAdmin(things, "job")
    for name in ("given up", "given up too"):
        holder, lease = await taken(things, name)
        await holder.discard(lease, ValueError("of our own"))
    holder, lease = await taken(things, "put off")
    await ended(holder, lease, JobResult(retry_in=600))
    holder, lease = await taken(things, "done")
    await ended(holder, lease)
    held_by, held = await taken(things, "held")
    assert await admin.retry(["given up", "put off", "done", "held", "never heard of"]) == 2
    assert (await admin.stats()).discarded == 1
    assert "discarded" not in (await stored(things, "given up"))["job"]
    assert {lease.key for lease in await holder.claim(10, **ALL)} == {"given up", "put off"}
    assert await ended(held_by, held) is not None, "its holder noticed nothing"

    assert await admin.retry_discarded(10) == 1
    assert await admin.retry_discarded(10) == 0
    assert [lease.key for lease in await holder.claim(10, **ALL)] == ["given up too"]
    found = await admin.find("given up too")
    assert found is not None
    assert found["job"]["attempts"] == 1
    assert await admin.find("never heard of") is None


async def test_work_that_finds_a_dependency_away_says_so_until_it_ends(things: Collection) -> None:
    """However often it is taken and given back, it counts as waiting since the first time."""
    admin = JobAdmin(things, "job")
    holder, lease = await taken(things, "a")
    await holder.release(lease, retry_in=0, attempts=0, outage=ConnectionRefusedError("jane.roe@example.com"))
    waiting = await things.find_one({"_id": "a"}) or {}
    assert waiting["job"]["blocked"]["error"] == "ConnectionRefusedError: …"
    await things.update_one({"_id": "a"}, {"$set": {"job.blocked.since": utc_now() - timedelta(minutes=10)}})
    [lease] = await holder.claim(1, **ALL)
    await holder.release(lease, retry_in=0, attempts=0, outage=TimeoutError())
    stats = await admin.stats()
    assert (stats.blocked, stats.due, stats.discarded) == (1, 1, 0)
    assert 600 <= stats.overdue < 660
    assert stats.overdue <= await holder.overdue() < 660
    [found] = await admin.list_stuck(10, due_before=utc_now() - timedelta(minutes=1))
    assert found["job"]["blocked"]["error"] == "TimeoutError"

    [lease] = await holder.claim(1, **ALL)
    await ended(holder, lease)
    assert (await admin.stats()) == QueueStats(0, 0, 0, 0, 0, 0, overdue=0)
    assert "blocked" not in (await stored(things))["job"]
