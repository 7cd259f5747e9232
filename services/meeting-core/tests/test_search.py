"""Searching, on a real MongoDB, against a plain reference: Python over what the viewer would be shown."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from chassis.mongo.database import Collection
from contracts.api.filters import (
    FILTER_FIELDS,
    INSTANT,
    LOCAL_DATE_TIME,
    NUMBER,
    TEXT,
    Condition,
    FilterField,
    Operator,
    SortKey,
)
from contracts.api.meetings import MeetingSummary, Page
from contracts.api.queries import ListCalendar, SearchMeetings
from contracts.messages.command import Actor
from contracts.values.enums import UserType
from contracts.values.times import parse_instant
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from meeting_core.adapters.meetings import to_document
from meeting_core.adapters.search import MongoMeetingSearchReader
from meeting_core.application.search import MeetingSearch
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer
from pymongo import DeleteMany, InsertOne

from tests.support.commands import actor
from tests.support.meeting_search import meeting_search
from tests.support.meetings import CONTACTS, LETTERS, STAFF, instants, meeting_lists, wall_times

pytestmark = pytest.mark.integration

# --- the reference --------------------------------------------------------------------------------------------------

_NEGATIVE = {Operator.NOT_EQUALS: Operator.EQUALS, Operator.NOT_IN: Operator.IN}
_HOLDS: dict[Operator, Callable[..., bool]] = {
    Operator.EQUALS: lambda value, operand: value == operand,
    Operator.IN: lambda value, *operands: value in operands,
    Operator.CONTAINS: lambda value, operand: operand.lower() in value.lower(),
    Operator.STARTS_WITH: lambda value, operand: value.lower().startswith(operand.lower()),
    Operator.ENDS_WITH: lambda value, operand: value.lower().endswith(operand.lower()),
    Operator.RANGE: lambda value, least, most: least <= value <= most,
    Operator.GREATER_THAN: lambda value, operand: value > operand,
    Operator.GREATER_THAN_OR_EQUAL: lambda value, operand: value >= operand,
    Operator.LESS_THAN: lambda value, operand: value < operand,
    Operator.LESS_THAN_OR_EQUAL: lambda value, operand: value <= operand,
    Operator.IS_NOT_NULL: lambda _value: True,
}


def shown(meeting: Meeting, viewer: Actor) -> dict[str, Any]:
    """What the viewer gets from ``GET /meetings/{id}``; of a hidden guest list nobody can ask how long it is."""
    view: dict[str, Any] = Viewer(meeting, viewer).full().model_dump(mode="json")
    return view | ({"attendee_count": 1, "attendeeCount": 1} if meeting.guests_hidden else {})


def values(view: dict[str, Any], field: FilterField) -> list[Any]:
    """The values that a shown meeting has of a field: one, or one for each participant."""
    if field.of_participant:
        found = [one[field.name.removeprefix("participants.")] for one in view["participants"]]
    else:
        found = [view[field.name]]
    return [_comparable(value, field) for value in found]


def _comparable(value: Any, field: FilterField) -> Any:
    if value is None or field.kind not in (LOCAL_DATE_TIME, INSTANT):
        return value
    return datetime.fromisoformat(value) if field.kind is LOCAL_DATE_TIME else parse_instant(value)


def fulfils(view: dict[str, Any], condition: Condition) -> bool:
    """Whether a shown meeting fulfils a condition, by the words of the reference page."""
    operator, operands = condition.operator, [_comparable(one, condition.definition) for one in condition.operands]
    found = values(view, condition.definition)
    if operator in _NEGATIVE:
        return not any(_HOLDS[_NEGATIVE[operator]](value, *operands) for value in found)
    if operator is Operator.IS_NULL:
        return any(value is None for value in found)
    return any(value is not None and _HOLDS[operator](value, *operands) for value in found)


def in_order(found: list[Meeting], viewer: Actor, sort: Sequence[SortKey]) -> list[Meeting]:
    """Sorted by the last key, then by the one before it, and so on: Python's sort keeps what was in order."""
    keys = list(sort) or [SortKey(field="startDateTime", descending=True)]
    keys.append(SortKey(field="meetingUuid", descending=keys[-1].descending))
    for key in reversed(keys):
        found = sorted(found, key=lambda one, key=key: _sortable(one, viewer, key.field), reverse=key.descending)
    return found


def _sortable(meeting: Meeting, viewer: Actor, field: str) -> tuple[bool, Any]:
    """Null comes first; start and end sort by their instants, hosts as they are also where the viewer sees none."""
    schedule = meeting.content.schedule
    stored = {"startDateTime": schedule.starts_at, "endDateTime": schedule.ends_at}
    stored |= meeting.hosted.model_dump(mode="json")
    [value] = [stored[field]] if field in stored else values(shown(meeting, viewer), FILTER_FIELDS[field])
    return (value is not None, value if value is not None else 0)


# --- random questions -----------------------------------------------------------------------------------------------

VIEWERS = [
    *(actor(one) for one in STAFF),
    *(actor(one, user_type=UserType.CLIENT) for one in CONTACTS),
    actor("TS-A", tenant="T-OTHER"),
]


_ASKED_ABOUT = sorted(FILTER_FIELDS) + 6 * ["startDateTime", "endDateTime"]
"""Wall times most, because they also bound what is read of the index."""


@st.composite
def conditions(draw: st.DrawFn, shown_meetings: list[dict[str, Any]]) -> Condition:
    """A condition, often on a value that some meeting has."""
    field = FILTER_FIELDS[draw(st.sampled_from(_ASKED_ABOUT))]
    operator = draw(st.sampled_from(field.kind.operators))
    stored = [value for view in shown_meetings for value in _raw(view, field) if value is not None]
    operand = st.sampled_from(stored) | _any_of_kind(field) if stored else _any_of_kind(field)
    if operator in (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH):
        operand = st.builds(_part, operand, st.integers(0, 3), st.integers(1, 4), st.booleans())
    names = operator.operands
    operands = (
        draw(st.lists(operand, min_size=1, max_size=3)) if names == ("values",) else [draw(operand) for _ in names]
    )
    return Condition(field=field.name, operator=operator, operands=operands)


def _raw(view: dict[str, Any], field: FilterField) -> list[Any]:
    if field.of_participant:
        return [one[field.name.removeprefix("participants.")] for one in view["participants"]]
    return [view[field.name]]


def _part(text: str, start: int, length: int, upper: bool) -> str:
    part = text[start : start + length]
    return part.upper() if upper else part.lower()


def _any_of_kind(field: FilterField) -> st.SearchStrategy[Any]:
    if field.kind is TEXT:
        return st.text(LETTERS, max_size=3)
    if field.kind is NUMBER:
        return st.integers(-1, 100_000) | st.floats(0, 100)
    if field.kind is LOCAL_DATE_TIME:
        return wall_times().map(datetime.isoformat)
    if field.kind is INSTANT:
        return instants().map(datetime.isoformat)
    if field.kind.name == "choice":
        return st.sampled_from(field.kind.format_hint.removeprefix("one of ").split(", "))
    return st.booleans()


def sort_keys() -> st.SearchStrategy[SortKey]:
    sortable = sorted(name for name, field in FILTER_FIELDS.items() if field.sortable)
    return st.builds(SortKey, field=st.sampled_from(sortable), descending=st.booleans())


@st.composite
def questions(draw: st.DrawFn, stored: Sequence[Meeting]) -> SearchMeetings:
    viewer = draw(st.sampled_from(VIEWERS))
    views = [shown(one, viewer) for one in stored]
    return SearchMeetings(
        actor=viewer,
        conditions=draw(st.lists(conditions(views), max_size=2)),
        sort=draw(st.lists(sort_keys(), max_size=3)),
        page=draw(st.sampled_from((0, 0, 0, 1, 2))),
        size=draw(st.sampled_from((100, 5, 3))),
    )


_NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Seeds have no simpler form, and each example asks many questions: the first that fails tells enough."""

# --- tests ----------------------------------------------------------------------------------------------------------


async def keep(collection: Collection, stored: Sequence[Meeting]) -> MeetingSearch:
    """These meetings and no others."""
    await collection.bulk_write([DeleteMany({})])
    if stored:
        await collection.bulk_write([InsertOne(to_document(one)) for one in stored])
    return meeting_search(MongoMeetingSearchReader(collection))


async def page(listing: MeetingSearch, query: SearchMeetings) -> Page[MeetingSummary]:
    reply = await listing.search(query)
    assert isinstance(reply.data, Page)
    return reply.data


def _ids(found: Sequence[Meeting | MeetingSummary]) -> list[str]:
    return [one.meeting_uuid for one in found]


@given(stored=meeting_lists(), data=st.data())
@settings(max_examples=40, deadline=None, phases=_NO_SHRINKING, suppress_health_check=list(HealthCheck))
async def test_a_search_finds_what_plain_python_finds(
    meetings: Collection, stored: Sequence[Meeting], data: st.DataObject
) -> None:
    listing = await keep(meetings, stored)
    for _ in range(20):
        await check(listing, stored, data.draw(questions(stored)))


async def check(listing: MeetingSearch, stored: Sequence[Meeting], query: SearchMeetings) -> None:
    """Ask, and compare with the reference: which meetings, in which order, how many in all, and how they are shown."""
    viewer = query.actor
    expected = [
        one
        for one in stored
        if one.tenant_uuid == viewer.tenant_uuid
        and viewer.user_id in one.visible_to_user_ids
        and all(fulfils(shown(one, viewer), condition) for condition in query.conditions)
    ]
    start = query.page * query.size
    found = await page(listing, query)
    assert _ids(found.content) == _ids(in_order(expected, viewer, query.sort)[start : start + query.size]), query
    assert found.total_elements == len(expected)
    assert found.total_pages == (len(expected) + query.size - 1) // query.size
    by_id = {one.meeting_uuid: one for one in stored}
    for summary in found.content:
        assert summary == Viewer(by_id[summary.meeting_uuid], viewer).summary()


@given(stored=meeting_lists(), data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
async def test_pages_neither_repeat_nor_skip(
    meetings: Collection, stored: Sequence[Meeting], data: st.DataObject
) -> None:
    listing = await keep(meetings, stored)
    viewer, size = actor("TS-A"), data.draw(st.integers(2, 5))
    keys = data.draw(st.lists(sort_keys(), max_size=2))
    pages = [await page(listing, SearchMeetings(actor=viewer, sort=keys, page=one, size=size)) for one in range(16)]
    together = [meeting for one in pages for meeting in _ids(one.content)]
    assert sorted(together) == sorted(one.meeting_uuid for one in stored if "TS-A" in one.visible_to_user_ids)


@given(stored=meeting_lists())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
async def test_the_calendar_is_the_search_for_everything(meetings: Collection, stored: Sequence[Meeting]) -> None:
    listing = await keep(meetings, stored)
    everything = await page(listing, SearchMeetings(actor=actor("TS-B")))
    assert (await listing.list_calendar(ListCalendar(actor=actor("TS-B")))).data == everything
