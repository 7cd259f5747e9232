"""How MongoDB carries the queries out: by index, and without sorting, but for what the reference page names."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from chassis.mongo.database import Collection, Document, Gate
from contracts.api.filters import FILTER_FIELDS, INSTANT, LOCAL_DATE_TIME, NUMBER, TEXT, Condition, Operator, SortKey
from contracts.api.queries import CheckAvailability
from contracts.values.ids import uuid7_hex
from meeting_core.adapters.availability import MongoBusyTimes
from meeting_core.adapters.meetings import INDEXES, to_document
from meeting_core.adapters.search import MongoMeetingSearchReader
from meeting_core.application.availability import Availability
from pymongo import AsyncMongoClient, InsertOne
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from tests.support.commands import actor
from tests.support.meeting_search import UNLIMITED
from tests.support.meetings import EverythingKnown, meeting

pytestmark = pytest.mark.integration
VIEWER = actor("TS-A")


class Recorder(CommandListener):
    """Keeps the reading commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("find", "count"):
            sent = dict(event.command)
            self.commands.append({name: sent[name] for name in sent if name not in ("lsid", "maxTimeMS", "$db")})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to keep."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to keep."""


class Explained:
    """Runs queries and tells which stages their plans have."""

    def __init__(self, client: AsyncMongoClient[Document], recorder: Recorder, name: str) -> None:
        self._database, self._recorder = client[name], recorder
        self.meetings = Collection(self._database["meetings"], Gate(4, time_limit=60))

    async def plans(self, *, command: str) -> list[set[str]]:
        """The stages of each such command since the last call, and ``index:`` with the name of each index."""
        sent = [one for one in self._recorder.commands if command in one]
        self._recorder.commands.clear()
        explained = [await self._database.command("explain", one, verbosity="queryPlanner") for one in sent]
        return [set(_stages(one)) for one in explained]

    async def searched(self, *conditions: Condition, sort: tuple[SortKey, ...] = ()) -> tuple[set[str], set[str]]:
        """The stages of a search's page, and of its count."""
        self._recorder.commands.clear()
        reader = MongoMeetingSearchReader(self.meetings)
        await reader.page(VIEWER, conditions, sort, skip=5, limit=5)
        await reader.count(VIEWER, conditions)
        commands = list(self._recorder.commands)
        [page] = await self.plans(command="find")
        self._recorder.commands[:] = commands
        [count] = await self.plans(command="count")
        return page, count


def _stages(plan: Any) -> Iterator[str]:
    if isinstance(plan, list):
        for one in plan:
            yield from _stages(one)
    elif isinstance(plan, dict):
        if "stage" in plan:
            yield plan["stage"]
        if "indexName" in plan:
            yield f"index:{plan['indexName']}"
        for name, part in plan.items():
            if name not in ("rejectedPlans", "command"):
                yield from _stages(part)


@pytest.fixture(scope="module")
async def explained(mongodb_uri: str) -> AsyncIterator[Explained]:
    recorder = Recorder()
    async with AsyncMongoClient[Document](mongodb_uri, tz_aware=True, event_listeners=[recorder]) as client:
        found = Explained(client, recorder, f"plans_{uuid7_hex().lower()}")
        await found.meetings.create_indexes(INDEXES)
        await found.meetings.bulk_write([InsertOne(to_document(meeting(seed))) for seed in range(200)])
        yield found


def operands(field: str, operator: Operator) -> list[Any]:
    kind = FILTER_FIELDS[field].kind
    one = {
        TEXT.name: "x",
        NUMBER.name: 45,
        LOCAL_DATE_TIME.name: "2026-06-15T15:00:00",
        INSTANT.name: "2026-06-15T15:00:00Z",
        "boolean": True,
    }.get(kind.name)
    if one is None:
        one = kind.format_hint.removeprefix("one of ").split(", ")[0]
    return [one for _ in operator.operands]


EVERY_CONDITION = [
    Condition(field=name, operator=operator, operands=operands(name, operator))
    for name, field in FILTER_FIELDS.items()
    for operator in field.kind.operators
]


async def test_every_filter_reads_by_index_and_sorts_by_it(explained: Explained) -> None:
    for condition in EVERY_CONDITION:
        page, count = await explained.searched(condition)
        named = condition.field == "meetingUuid" and condition.operator in (Operator.EQUALS, Operator.IN)
        if named:
            assert {"index:_id_"} <= page, condition
        else:
            assert {"index:calendar_listed"} <= page, condition
            assert condition.field == "tenantUuid" or "SORT" not in page, condition
        assert "COLLSCAN" not in page | count, condition


@pytest.mark.parametrize("descending", [False, True])
async def test_sorting_by_start_sorts_nothing(explained: Explained, descending: bool) -> None:
    page, _ = await explained.searched(sort=(SortKey(field="startDateTime", descending=descending),))
    assert {"index:calendar_listed"} <= page
    assert page.isdisjoint({"COLLSCAN", "SORT"})


async def test_any_other_sort_reads_the_callers_calendar_by_index(explained: Explained) -> None:
    for name in (name for name, field in FILTER_FIELDS.items() if field.sortable and name != "startDateTime"):
        page, _ = await explained.searched(sort=(SortKey(field=name),))
        assert {"index:calendar_listed"} <= page, name
        assert "COLLSCAN" not in page, name


async def test_the_usual_lists_are_counted_in_the_index(explained: Explained) -> None:
    active = Condition(field="status", operator=Operator.EQUALS, operands=["ACTIVE"])
    month = Condition(
        field="startDateTime", operator=Operator.RANGE, operands=["2026-06-01T00:00:00", "2026-06-30T23:59:59"]
    )
    for conditions in ((), (active,), (month,), (active, month)):
        _, count = await explained.searched(*conditions)
        assert count & {"IXSCAN", "COUNT_SCAN"}, conditions
        assert "index:calendar_counted" in count, conditions
        assert "FETCH" not in count, conditions


async def test_what_is_not_canceled_is_counted_without_a_look(explained: Explained) -> None:
    since = Condition(field="startDateTime", operator=Operator.GREATER_THAN, operands=["2026-06-01T00:00:00"])
    active = Condition(field="status", operator=Operator.EQUALS, operands=["ACTIVE"])
    for conditions in ((), (active,), (active, since)):
        _, count = await explained.searched(*conditions)
        assert "COUNT_SCAN" in count, conditions


async def test_busy_times_are_found_by_index(explained: Explained) -> None:
    window = (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC))
    for max_read in (1, 1000):
        checks = Availability(MongoBusyTimes(explained.meetings, max_read=max_read), EverythingKnown(), UNLIMITED)
        await checks.check(
            CheckAvailability(actor=VIEWER, user_uuids=["TS-A", "TS-B"], starts_at=window[0], ends_at=window[1])
        )
        for stages in await explained.plans(command="find"):
            assert {"index:busy"} <= stages
            assert stages.isdisjoint({"COLLSCAN", "SORT"})
