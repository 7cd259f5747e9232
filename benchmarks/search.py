"""Lists and availability as the database grows, side by side with bare queries: ``python -m benchmarks.search``.

Databases of 10,000 to a million meetings, of which at most 100,000 are the caller's tenant's and always 2,500 on the
caller's calendar. Each question is asked of all of them in turn, once of meeting-core, timed from the question to the
JSON of the reply, and once with the bare indexed query that reads the same documents with the driver alone: so a
machine that slows down slows all of them. Writes ``docs/benchmarks/search.md``.
"""

import argparse
import contextlib
import os
import platform as machine
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from chassis.mongo.database import Document, open_database
from contracts.api.filters import Condition, Operator, SortKey
from contracts.api.queries import CheckAvailability, SearchMeetings
from contracts.messages.command import Actor
from localrun.mongodb import running_mongod
from meeting_core.adapters.availability import MongoBusyTimes
from meeting_core.adapters.connected_hosts import ConnectedHostsProjection
from meeting_core.adapters.meetings import INDEXES
from meeting_core.adapters.search import MongoMeetingSearchReader
from meeting_core.application.availability import Availability
from meeting_core.application.search import MeetingSearch
from meeting_core.settings import Settings
from pydantic import SecretStr
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from rich.console import Console
from rich.table import Table

from benchmarks.bulk import EVERYWHERE, FIRST_DAY, IN_A_TENANT, ON_THE_CALENDAR, actor, grow, staff, tenant
from tests.support.meeting_search import UNLIMITED, meeting_search

_REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "search.md"
_SIZES = (10_000, 100_000, 1_000_000)
_WARM_UP = 30
_CALLER = actor()
_PEOPLE = [staff(0, number) for number in range(50)]
_SINCE = "2026-04-01T00:00:00"
_PAGE_50 = 49
_FILTERED_PAGE_1 = "active since April, page 1"
_FIFTY_PEOPLE = "availability of 50, an hour"

Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One question, asked of meeting-core and of the bare driver."""

    name: str
    ours: Ask
    bare: Ask


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds that half of the runs took at most, and 95 of 100."""

    p50: float
    p95: float


Results = dict[tuple[str, int], tuple[Timed, Timed]]
"""By name of the case and size of the database: ours, and bare."""


class Questions:
    """What is asked of one database; every database is asked the same."""

    def __init__(self, raw: AsyncCollection[Document], listing: MeetingSearch, availability: Availability) -> None:
        self._raw, self._listing, self._availability = raw, listing, availability

    def cases(self) -> list[Case]:
        active = [Condition(field="status", operator=Operator.EQUALS, operands=["ACTIVE"])]
        since = [*active, Condition(field="startDateTime", operator=Operator.GREATER_THAN_OR_EQUAL, operands=[_SINCE])]
        calendar = {"tenantUuid": _CALLER.tenant_uuid, "visibleToUserIds": _CALLER.user_id}
        everything = calendar | {"visibleToUserIds": EVERYWHERE.user_id}
        active_by_hand = calendar | {"status": "ACTIVE"}
        since_by_hand = active_by_hand | {"content.startDateTime": {"$gte": _SINCE}}
        noon = FIRST_DAY.replace(tzinfo=UTC) + timedelta(days=500, hours=12)
        return [
            Case("calendar, page 1", self._list([], 0), self._find(calendar, 0)),
            Case(_FILTERED_PAGE_1, self._list(since, 0), self._find(since_by_hand, 0)),
            Case("active since April, page 50", self._list(since, _PAGE_50), self._find(since_by_hand, _PAGE_50)),
            Case(_FIFTY_PEOPLE, *self._busy(noon, timedelta(hours=1))),
            Case("availability of 50, a day", *self._busy(noon, timedelta(days=1))),
            Case("calendar of everything, page 1", self._list([], 0, EVERYWHERE), self._find(everything, 0)),
            Case(
                "calendar of everything, active, page 1",
                self._list(active, 0, EVERYWHERE),
                self._find(everything | {"status": "ACTIVE"}, 0),
            ),
        ]

    def memory_case(self) -> Ask:
        return self._list([], 0)

    def _list(self, conditions: list[Condition], page: int, caller: Actor = _CALLER) -> Ask:
        sort = [SortKey(field="startDateTime", descending=True)]
        query = SearchMeetings(actor=caller, conditions=conditions, sort=sort, page=page, size=20)

        async def ask() -> Any:
            return (await self._listing.search(query)).model_dump_json()

        return ask

    def _find(self, query: Document, page: int) -> Ask:
        async def ask() -> Any:
            found = self._raw.find(query, sort={"startsAt": -1, "_id": -1}, skip=20 * page, limit=20)
            return await found.to_list(None)

        return ask

    def _busy(self, opens: datetime, length: timedelta) -> tuple[Ask, Ask]:
        closes = opens + length
        query = CheckAvailability(actor=_CALLER, user_uuids=_PEOPLE, starts_at=opens, ends_at=closes)
        by_hand = {
            "tenantUuid": tenant(0),
            "busy": {"$in": _PEOPLE},
            "durationBucket": 0,
            "startsAt": {"$gt": opens - timedelta(hours=25), "$lt": closes},
            "endsAt": {"$gt": opens},
        }

        async def ours() -> Any:
            return (await self._availability.check(query)).model_dump_json()

        async def bare() -> Any:
            return await self._raw.find(by_hand, {"_id": 0, "busy": 1}).to_list(None)

        return ours, bare


async def measure(cases: list[Case], runs: int) -> list[tuple[Timed, Timed]]:
    """The same question to each database: ours and bare, all in turn."""
    asks = [ask for case in cases for ask in (case.ours, case.bare)]
    taken: list[list[float]] = [[] for _ in asks]
    for number in range(-_WARM_UP, runs):
        for ask, times in zip(asks, taken, strict=True):
            started = time.perf_counter()
            await ask()
            if number >= 0:
                times.append(time.perf_counter() - started)
    timed = list(map(_timed, taken))
    return list(zip(timed[::2], timed[1::2], strict=True))


def _timed(taken: list[float]) -> Timed:
    cuts = statistics.quantiles(taken, n=100)
    return Timed(cuts[49], cuts[94])


def fill(uri: str, sizes: list[int]) -> None:
    """Make what is missing of each database."""
    with MongoClient[Document](uri, tz_aware=True) as client:
        for size in sizes:
            started = time.perf_counter()
            meetings = client[_name(size)]["meetings"]
            grow(meetings, meetings.estimated_document_count(), size)
            meetings.create_indexes(INDEXES)
            print(f"{size:,} meetings after {time.perf_counter() - started:.0f} s", flush=True)


async def run(uri: str, sizes: list[int], runs: int) -> tuple[Results, float]:
    """Ask every question of every database; also tell by how many megabytes this process grew by listing."""
    async with contextlib.AsyncExitStack() as opened:
        client = await opened.enter_async_context(AsyncMongoClient[Document](uri, tz_aware=True))
        asked = []
        for size in sizes:
            settings = Settings(internal_token=SecretStr("none"), mongodb_uri=uri, mongodb_database=_name(size))
            database = await opened.enter_async_context(open_database(settings))
            meetings, hosts = database.collection("meetings"), ConnectedHostsProjection(database.collection("hosts"))
            listing = meeting_search(MongoMeetingSearchReader(meetings))
            availability = Availability(MongoBusyTimes(meetings), hosts, UNLIMITED)
            asked.append(Questions(client[_name(size)]["meetings"], listing, availability))
        results: Results = {}
        for cases in zip(*(questions.cases() for questions in asked), strict=True):
            for size, timed in zip(sizes, await measure(list(cases), runs), strict=True):
                results[cases[0].name, size] = timed
            print(f"{cases[0].name}: done", flush=True)
        return results, await _memory_growth(asked[-1].memory_case(), 10 * runs)


def _name(size: int) -> str:
    return f"search_{size}"


async def _memory_growth(ask: Ask, times: int) -> float:
    """Megabytes by which the greatest resident size of this process grew while asking so often, once warm."""
    for _ in range(_WARM_UP):
        await ask()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(times):
        await ask()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


_HEADINGS = ["question", "meetings", "p50 ms", "p95 ms", "bare p50 ms", "ratio", "growth", "target"]
_TARGETS = {_FILTERED_PAGE_1: "growth ≤ 1.5, ratio ≤ 3", _FIFTY_PEOPLE: "growth ≤ 2, ratio ≤ 3"}


def _rows(results: Results) -> list[list[str]]:
    smallest = min(size for _, size in results)
    rows = []
    for (name, size), (ours, bare) in results.items():
        growth = ours.p50 / results[name, smallest][0].p50
        numbers = (ours.p50 * 1000, ours.p95 * 1000, bare.p50 * 1000, ours.p50 / bare.p50, growth)
        rows.append([name, f"{size:,}", *(f"{number:.2f}" for number in numbers), _TARGETS.get(name, "")])
    return sorted(rows, key=lambda row: [name for name, _ in results].index(row[0]))


def _show(rows: list[list[str]]) -> None:
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)


def _report(rows: list[list[str]], memory: float, options: argparse.Namespace) -> str:
    head = f"""# Lists and availability as the database grows

`python -m benchmarks.search` times meeting-core's answers, from the question to the JSON of the reply and with the
exact count that a list carries, in turn with the bare indexed query for the same documents, sent with the driver alone
and without a count. One process asks one question at a time, of all databases in turn. *Growth* is against the
smallest database.

Of each database at most {IN_A_TENANT:,} meetings are the caller's tenant's, and {ON_THE_CALENDAR:,} are on the caller's
calendar at every size. The calendar of everything has all meetings of the tenant, which no person's has: it shows what
the exact count costs (docs/decisions/0009).

Last run {datetime.now(UTC).date().isoformat()}: {os.cpu_count()} cores ({machine.machine()}),
Python {machine.python_version()}, MongoDB and the benchmark on the same cores, medians of {options.runs} runs, warm.

"""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{head}{table}\n\nAsking for {10 * options.runs:,} lists more made the process grow by {memory:.1f} MB.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_SIZES))
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument(
        "--uri", help="a MongoDB to use, and to leave filled, instead of one that lasts as long as this"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="meetings-search-") as folder, contextlib.ExitStack() as started:
        uri = options.uri or started.enter_context(running_mongod(Path(folder)))
        fill(uri, options.sizes)
        results, memory = uvloop.run(run(uri, options.sizes, options.runs))
    rows = _rows(results)
    _show(rows)
    print(f"{10 * options.runs:,} lists more: {memory:.1f} MB")
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(_report(rows, memory, options))


if __name__ == "__main__":
    main()
