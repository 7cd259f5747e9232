"""Reading calendars: the meetings on one person's calendar that fulfil conditions, in pages, sorted and counted.

What callers say arrives here as ``Condition``s, whose operands are text, numbers, booleans and times, never documents;
text is escaped wherever the database reads patterns. So nothing a caller sends is anything but a literal.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.mongo.database import Collection, Document, Query
from contracts.api.filters import FILTER_FIELDS, INSTANT, LOCAL_DATE_TIME, Condition, FieldType, Operator, SortKey
from contracts.messages.command import Actor
from contracts.model import Contract
from contracts.values.enums import ParticipantType, UserType
from contracts.values.meeting import HostFields, MeetingContent
from pydantic.alias_generators import to_camel
from pymongo import ASCENDING, DESCENDING, IndexModel

from meeting_core.application.search import ListedMeeting
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import HOST_FIELDS

_GROUPS: dict[str, type[Contract]] = {"content": MeetingContent, "hosted": HostFields}
"""The parts of a document, and the models that say which fields they have."""
_OTHER_PATHS = {
    "meetingUuid": "_id",
    "externalSyncStatus": "sync.status",
    "lastSyncOperation": "sync.lastOperation",
    "syncFailedAt": "sync.failedAt",
    "syncFailureCode": "sync.failureCode",
    "syncFailureReason": "sync.failureReason",
}


def _path_of(name: str) -> str:
    for group, model in _GROUPS.items():
        if name in map(to_camel, model.model_fields):
            return f"{group}.{name}"
    return _OTHER_PATHS.get(name, name)


PATHS = {name: _path_of(name) for name in FILTER_FIELDS}
"""Where the fields of ``contracts.filters.FILTER_FIELDS`` are stored."""

_LISTED = IndexModel(
    [
        ("tenantUuid", ASCENDING),
        ("visibleToUserIds", ASCENDING),
        ("startsAt", DESCENDING),
        ("_id", DESCENDING),
        ("status", ASCENDING),
    ],
    name="calendar_listed",
)
"""A calendar in the order of its pages, forwards or backwards."""

_COUNTED = IndexModel(
    [
        ("tenantUuid", ASCENDING),
        ("visibleToUserIds", ASCENDING),
        ("status", ASCENDING),
        ("content.startDateTime", ASCENDING),
    ],
    name="calendar_counted",
)
"""A calendar in an order in which the matches of the usual filters are adjacent, so that counting reads no document."""

_COUNTABLE = {"status", "startDateTime"}
CALENDAR_INDEXES = [_LISTED, _COUNTED]

_SORTED_BY = {"startDateTime": "startsAt", "endDateTime": "endsAt"}
_LATEST_FIRST = [SortKey(field="startDateTime", descending=True)]
_NEVER: Query = {"_id": {"$in": []}}
_OPPOSITES = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_IN: Operator.IN,
    Operator.IS_NULL: Operator.IS_NOT_NULL,
}
_UNLISTED = (
    "outbox",
    "processedCommands",
    "externalSources",
    "content.description",
    "content.internalNotes",
    "content.meetingInformation",
    "content.meetingPassword",
)
_FARTHEST = timedelta(days=2)
"""More than wall time and the instant can be apart: 16 h of offset, and a day by which all-day meetings are rounded."""


class MongoMeetingSearchReader:
    """Reads calendars from the primary: reads follow writes."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def page(
        self, viewer: Actor, conditions: Sequence[Condition], sort: Sequence[SortKey], *, skip: int, limit: int
    ) -> list[ListedMeeting]:
        documents = await self._collection.find(
            matching(conditions, viewer) | _start_bounds(conditions),
            projection=_listed_for(viewer),
            sort=order(sort),
            hint=_index_for(conditions),
            skip=skip,
            limit=limit,
        )
        return [ListedMeeting(Meeting.model_validate(document), document["participantCount"]) for document in documents]

    async def count(self, viewer: Actor, conditions: Sequence[Condition]) -> int:
        query = matching(conditions, viewer)
        if _COUNTABLE.issuperset(condition.field for condition in conditions):
            return await self._collection.count(query, hint="calendar_counted")
        return await self._collection.count(query | _start_bounds(conditions), hint=_index_for(conditions))


def matching(conditions: Sequence[Condition], viewer: Actor) -> Document:
    """The query for the meetings on the viewer's calendar that fulfil every condition, as the viewer sees them."""
    query: Document = {"tenantUuid": viewer.tenant_uuid, "visibleToUserIds": viewer.user_id}
    if conditions:
        query["$and"] = [_clause(condition, viewer) for condition in conditions]
    return query


def order(sort: Sequence[SortKey]) -> dict[str, int]:
    """The order that these keys mean. It ends with the meetingUuid, in the direction of the last key, and is total."""
    keys: dict[str, int] = {}
    direction = ASCENDING
    for key in sort or _LATEST_FIRST:
        direction = DESCENDING if key.descending else ASCENDING
        keys.setdefault(_SORTED_BY.get(key.field, PATHS[key.field]), direction)
    keys.setdefault("_id", direction)
    return keys


def _index_for(conditions: Sequence[Condition]) -> str:
    """The index to read by. The planner would try others first and could be misled by what it sees of them."""
    names_meetings = any(
        condition.field == "meetingUuid" and condition.operator in (Operator.EQUALS, Operator.IN)
        for condition in conditions
    )
    return "_id_" if names_meetings else "calendar_listed"


def _listed_for(viewer: Actor) -> Document:
    """What a summary needs: no long texts, and of the participants the viewer alone; there may be hundreds."""
    own = {"participants": {"$elemMatch": {"participantEntityUuid": viewer.user_id}}}
    return {**dict.fromkeys(_UNLISTED, 0), **own}


def _clause(condition: Condition, viewer: Actor) -> Query:
    """A negative operator is the opposite of its positive one: null fulfils it, and so does having no participants.

    Of participants, IS_NULL asks for one whose field is null; each condition may be fulfilled by another participant.
    """
    field, operator = condition.definition, condition.operator
    negative = operator in _OPPOSITES and not (field.of_participant and operator is Operator.IS_NULL)
    test = _TESTS[_OPPOSITES[operator] if negative else operator](
        [_stored(field.kind, value) for value in condition.values]
    )
    path = PATHS[field.name]
    clause: Query
    if field.of_participant:
        clause = _any_participant({path.removeprefix("participants."): test}, viewer, condition)
    else:
        clause = {path: test}
    if field.name in _SEEN_BY:
        clause = {"$and": [_SEEN_BY[field.name](viewer), clause]}
    return {"$nor": [clause]} if negative else clause


def _any_participant(fits: Query, viewer: Actor, condition: Condition) -> Query:
    """Some participant fits, as the viewer is shown them.

    Clients see of others who are no staff, in meetings that they do not manage, only some fields; the rest is null.
    """
    if viewer.user_type is not UserType.CLIENT or condition.field not in _HIDDEN_FROM_CLIENTS:
        return _fitting(fits, viewer)
    seen = {"$or": [{"participantEntityUuid": viewer.user_id}, {"participantType": {"$in": _STAFF}}]}
    masked = {"$or": [fits, {"$nor": [seen]}]} if condition.operator is Operator.IS_NULL else {"$and": [fits, seen]}
    manages = _if_viewer_manages(viewer)
    return {
        "$or": [
            {"$and": [manages, _fitting(fits, viewer)]},
            {"$and": [{"$nor": [manages]}, _fitting(masked, viewer)]},
        ]
    }


def _fitting(fits: Query, viewer: Actor) -> Query:
    """Some participant fits: only the viewer themselves where the guests do not see each other."""
    themselves = {"participants": {"$elemMatch": {"$and": [fits, {"participantEntityUuid": viewer.user_id}]}}}
    organized_here = {"hosted.hostUuid": viewer.user_id, "hosted.externallyOrganized": False}
    seen = {"$or": [{"guestsHidden": {"$ne": True}}, organized_here]}
    return {"$or": [{"$and": [seen, {"participants": {"$elemMatch": fits}}]}, themselves]}


def _stored(kind: FieldType, value: Any) -> Any:
    """A value as documents hold it: wall times as ISO 8601 text, which sorts like them, instants to the millisecond."""
    if kind is LOCAL_DATE_TIME:
        return value.isoformat()
    if kind is INSTANT:
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _pattern(before: str, after: str) -> Callable[[list[str]], Document]:
    """Literal text, in any case, between anchors."""
    return lambda values: {"$regex": f"{before}{re.escape(values[0])}{after}", "$options": "i"}


_TESTS: dict[Operator, Callable[[list[Any]], Document]] = {
    Operator.EQUALS: lambda values: {"$eq": values[0]},
    Operator.IN: lambda values: {"$in": values},
    Operator.CONTAINS: _pattern("", ""),
    Operator.STARTS_WITH: _pattern(r"\A", ""),
    Operator.ENDS_WITH: _pattern("", r"\z"),
    Operator.RANGE: lambda values: {"$gte": values[0], "$lte": values[1]},
    Operator.GREATER_THAN: lambda values: {"$gt": values[0]},
    Operator.GREATER_THAN_OR_EQUAL: lambda values: {"$gte": values[0]},
    Operator.LESS_THAN: lambda values: {"$lt": values[0]},
    Operator.LESS_THAN_OR_EQUAL: lambda values: {"$lte": values[0]},
    Operator.IS_NULL: lambda _: {"$eq": None},
    Operator.IS_NOT_NULL: lambda _: {"$ne": None},
}


def _if_viewer_is_staff(viewer: Actor) -> Query:
    return _NEVER if viewer.user_type is UserType.CLIENT else {}


def _if_viewer_manages(viewer: Actor) -> Query:
    return {"$or": [{"hosted.hostUuid": viewer.user_id}, {"hosted.createdByUuid": viewer.user_id}]}


def _if_viewer_sees_host(viewer: Actor) -> Query:
    one_of_hidden_guests = {"guestsHidden": True, "hosted.externallyOrganized": True}
    return {"$or": [{"$nor": [one_of_hidden_guests]}, _if_viewer_manages(viewer)]}


_STAFF = [ParticipantType.TENANT_STAFF, ParticipantType.PARTNER_STAFF]
_HIDDEN_FROM_CLIENTS = frozenset(
    {"participants.participantUuid", "participants.participantEntityUuid", "participants.email"}
)

_SEEN_BY: dict[str, Callable[[Actor], Query]] = {
    **{to_camel(name): _if_viewer_sees_host for name in HOST_FIELDS},
    "internalNotes": _if_viewer_is_staff,
    "syncFailedAt": _if_viewer_manages,
    "syncFailureCode": _if_viewer_manages,
    "syncFailureReason": _if_viewer_manages,
}
"""Which meetings show the field to the viewer; in all others it is null, also to filters."""


def _start_bounds(conditions: Sequence[Condition]) -> Document:
    """What conditions on wall times imply for the instant of the start, which the index is sorted by."""
    bounds: Document = {}
    for condition in conditions:
        values = [
            value.replace(tzinfo=UTC) for value in condition.values if condition.definition.kind is LOCAL_DATE_TIME
        ]
        if condition.field == "startDateTime" and condition.operator in _FROM:
            bounds["$gte"] = max(min(values) - _FARTHEST, bounds.get("$gte", _MIN_INSTANT))
        if condition.operator in _UNTIL and values:  # a meeting starts before it ends
            bounds["$lte"] = min(max(values) + _FARTHEST, bounds.get("$lte", _MAX_INSTANT))
    return {"startsAt": bounds} if bounds else {}


_BETWEEN = (Operator.EQUALS, Operator.IN, Operator.RANGE)
_FROM = (*_BETWEEN, Operator.GREATER_THAN, Operator.GREATER_THAN_OR_EQUAL)
_UNTIL = (*_BETWEEN, Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
_MIN_INSTANT, _MAX_INSTANT = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
