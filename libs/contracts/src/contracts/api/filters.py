"""The filter language of meeting lists: which fields can be asked about, with which operators, by which operands.

``FILTER_FIELDS`` is the one table; texts of ``MeetingContent`` are in it by themselves. The gateway's validation, its
OpenAPI description, the reference page and meeting-core's database query are made from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import GenericAlias, NoneType
from typing import Annotated, Any, Self, cast, get_args, get_origin

from pydantic import (
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from contracts.model import Contract
from contracts.values.enums import (
    ExternalSyncStatus,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    RsvpStatus,
    SyncFailureCode,
    SyncOperation,
    UserType,
)
from contracts.values.meeting import MeetingContent
from contracts.values.times import Instant, LocalDateTime

MAX_FILTERS = 50
MAX_VALUES = 1_000
MAX_SORT_KEYS = 10
MAX_TEXT_LENGTH = 8_000
MAX_PATTERN_LENGTH = 255
"""Characters that ``CONTAINS`` and its like look for: finding them takes as long as they times the text."""
MAX_PATTERN_TOTAL = 2_000
"""The same, of all conditions of one search together."""
_MAX_NUMBER = 2**53  # beyond it, JSON numbers are not exact (RFC 8259 section 6)


class Operator(StrEnum):
    """What can be asked about a field. Callers may write it in any case."""

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    IN = "IN"
    NOT_IN = "NOT_IN"
    CONTAINS = "CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    RANGE = "RANGE"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL = "GREATER_THAN_OR_EQUAL"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL = "LESS_THAN_OR_EQUAL"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"

    @classmethod
    def _missing_(cls, value: object) -> "Operator | None":
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None

    @property
    def operands(self) -> tuple[str, ...]:
        """The names under which callers give what it compares with."""
        return _OPERANDS.get(self, ("value",))

    @property
    def is_pattern(self) -> bool:
        """Whether it looks for text within text, which no index helps with."""
        return self in _WITHIN_TEXT


_OPERANDS: dict[Operator, tuple[str, ...]] = {
    Operator.IN: ("values",),
    Operator.NOT_IN: ("values",),
    Operator.RANGE: ("min", "max"),
    Operator.IS_NULL: (),
    Operator.IS_NOT_NULL: (),
}
_MATCHING = (Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN, Operator.NOT_IN)
_WITHIN_TEXT = (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH)
_ORDERING = (
    Operator.RANGE,
    Operator.GREATER_THAN,
    Operator.GREATER_THAN_OR_EQUAL,
    Operator.LESS_THAN,
    Operator.LESS_THAN_OR_EQUAL,
)
_PRESENCE = (Operator.IS_NULL, Operator.IS_NOT_NULL)


class OperandError(ValueError):
    """An operand is none of its field's type; ``index`` says which of them, the message how one is written."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True)
class FieldType:
    """A kind of values: how an operand of it is written in JSON, and which operators make sense."""

    name: str
    format_hint: str
    operators: tuple[Operator, ...]
    annotation: Any

    def read(self, operator: Operator, raw: Sequence[object]) -> list[Any]:
        """The operands that these JSON values are.

        Raises:
            OperandError: one is none of this kind, or too long to be looked for in other text.
        """
        try:
            values = self._adapter.validate_python(list(raw))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise OperandError(int(first["loc"][0]), f"must be {self.format_hint}") from error
        if operator.is_pattern:
            for index, value in enumerate(values):
                if len(value) > MAX_PATTERN_LENGTH:
                    raise OperandError(index, f"must have at most {MAX_PATTERN_LENGTH} characters for {operator}")
        return values

    @cached_property
    def _adapter(self) -> TypeAdapter[list[Any]]:
        """For all at once: thousands of operands one by one take a tenth of a second."""
        return TypeAdapter(cast("Any", GenericAlias(list, self.annotation)))


TEXT = FieldType(
    "text",
    f"text of at most {MAX_TEXT_LENGTH} characters, without NUL",
    (*_MATCHING, *_WITHIN_TEXT, *_ORDERING, *_PRESENCE),
    Annotated[str, StringConstraints(strict=True, max_length=MAX_TEXT_LENGTH, pattern=r"^[^\x00]*$")],
)
NUMBER = FieldType(
    "number",
    "a number",
    (*_MATCHING, *_ORDERING, *_PRESENCE),
    Annotated[StrictInt | StrictFloat, Field(ge=-_MAX_NUMBER, le=_MAX_NUMBER, allow_inf_nan=False)],
)
BOOLEAN = FieldType("boolean", "true or false", (*_MATCHING, *_PRESENCE), StrictBool)
LOCAL_DATE_TIME = FieldType(
    "local date-time",
    "a local date-time like 2026-06-15T15:00:00 of the years 1900 to 2199, without offset or Z",
    (*_MATCHING, *_ORDERING, *_PRESENCE),
    LocalDateTime,
)
INSTANT = FieldType(
    "instant",
    "an instant like 2026-06-15T10:30:00.123Z, with Z or an offset",
    (*_MATCHING, *_ORDERING, *_PRESENCE),
    Instant,
)


def _choice(values: type[StrEnum]) -> FieldType:
    """One of the names as they are: what a newer peer may send is no name that a caller may ask about."""
    name = Annotated[str, StringConstraints(strict=True, pattern=f"^({'|'.join(values)})$")]
    return FieldType("choice", f"one of {', '.join(values)}", (*_MATCHING, *_PRESENCE), name)


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field that callers can ask about. ``note`` tells what the name and the kind do not."""

    name: str
    kind: FieldType
    sortable: bool = True
    note: str = ""

    @property
    def of_participant(self) -> bool:
        """Whether a meeting has many values of it, one for each participant."""
        return self.name.startswith("participants.")


def _texts_of(model: type[Contract]) -> Iterator[str]:
    """The fields of a model that are a text or null."""
    for name, field in model.model_fields.items():
        types = (get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in get_args(field.annotation))
        if set(types) == {str, NoneType}:
            yield name


_WALL_TIME = "compares the wall time as given; sorts by the instant"
_STAFF_ONLY = "null for CLIENT callers"
_OF_OTHERS = "null for CLIENT callers, unless of staff, of their own, or in a meeting that they manage"
_HOST = "null to guests who do not see each other, where the organiser is elsewhere"
_MANAGERS_ONLY = "null unless the caller is host or creator"

FILTER_FIELDS: dict[str, FilterField] = {
    field.name: field
    for field in (
        FilterField("meetingUuid", TEXT),
        FilterField("tenantUuid", TEXT),
        *(FilterField(to_camel(name), TEXT) for name in _texts_of(MeetingContent)),
        FilterField("startDateTime", LOCAL_DATE_TIME, note=_WALL_TIME),
        FilterField("endDateTime", LOCAL_DATE_TIME, note=_WALL_TIME),
        FilterField("timezone", TEXT),
        FilterField("allDay", BOOLEAN),
        FilterField("locationType", _choice(LocationType)),
        FilterField("internalNotes", TEXT, sortable=False, note=_STAFF_ONLY),
        FilterField("status", _choice(MeetingStatus)),
        FilterField("source", _choice(MeetingSource)),
        FilterField("hostUuid", TEXT, note=_HOST),
        FilterField("hostType", _choice(UserType), note=_HOST),
        FilterField("hostName", TEXT, note=_HOST),
        FilterField("hostEmail", TEXT, note=_HOST),
        FilterField("createdByUuid", TEXT, note=_HOST),
        FilterField("createdByType", _choice(UserType), note=_HOST),
        FilterField("createdAt", INSTANT),
        FilterField("updatedAt", INSTANT),
        FilterField("durationMinutes", NUMBER),
        FilterField("attendeeCount", NUMBER, note="1 where the guests do not see each other"),
        FilterField("organizerEmail", TEXT),
        FilterField("organizerName", TEXT),
        FilterField("externallyOrganized", BOOLEAN),
        FilterField("showExternalCalendarIcon", BOOLEAN),
        FilterField("externalSyncStatus", _choice(ExternalSyncStatus)),
        FilterField("lastSyncOperation", _choice(SyncOperation)),
        FilterField("syncFailedAt", INSTANT, sortable=False, note=_MANAGERS_ONLY),
        FilterField("syncFailureCode", _choice(SyncFailureCode), sortable=False, note=_MANAGERS_ONLY),
        FilterField("syncFailureReason", TEXT, sortable=False, note=_MANAGERS_ONLY),
        FilterField("participants.participantUuid", TEXT, sortable=False, note=_OF_OTHERS),
        FilterField("participants.participantEntityUuid", TEXT, sortable=False, note=_OF_OTHERS),
        FilterField("participants.participantType", _choice(ParticipantType), sortable=False),
        FilterField("participants.email", TEXT, sortable=False, note=_OF_OTHERS),
        FilterField("participants.name", TEXT, sortable=False),
        FilterField("participants.rsvpStatus", _choice(RsvpStatus), sortable=False),
    )
}


class Condition(Contract):
    """What every meeting of a list fulfils. ``operands`` are as many as the operator takes, in the types of JSON."""

    field: str
    operator: Operator
    operands: list[Any] = Field(default_factory=list)
    _values: list[Any] = PrivateAttr()

    @property
    def definition(self) -> FilterField:
        return FILTER_FIELDS[self.field]

    @property
    def values(self) -> list[Any]:
        """The operands as values of the field's kind."""
        return self._values

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.field not in FILTER_FIELDS or self.operator not in self.definition.kind.operators:
            raise ValueError("no such condition")
        names, given = self.operator.operands, len(self.operands)
        if not (1 <= given <= MAX_VALUES if names == ("values",) else given == len(names)):
            raise ValueError("the operator takes another number of operands")
        self._values = self.definition.kind.read(self.operator, self.operands)
        return self


class SortKey(Contract):
    """A field to sort by."""

    field: str
    descending: bool = False

    @model_validator(mode="after")
    def _is_sortable(self) -> Self:
        if self.field not in FILTER_FIELDS or not FILTER_FIELDS[self.field].sortable:
            raise ValueError("no such sort key")
        return self
