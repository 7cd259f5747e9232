"""What callers send to search meetings: the filter language, checked entry by entry."""

from typing import Annotated, Any, Self

from contracts.api.filters import (
    FILTER_FIELDS,
    MAX_FILTERS,
    MAX_PATTERN_TOTAL,
    MAX_SORT_KEYS,
    MAX_VALUES,
    Condition,
    FilterField,
    OperandError,
    Operator,
    SortKey,
)
from contracts.api.queries import SearchMeetings
from contracts.messages.command import Actor
from contracts.model import Contract
from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema, model_validator
from typing_extensions import TypeAliasType

from api_gateway.schemas.bodies import field_error
from api_gateway.schemas.text import at_most

_SORTABLE = [name for name, field in FILTER_FIELDS.items() if field.sortable]
_DIRECTIONS = {"asc": False, "desc": True}
LAST_PAGE = 10_000_000
DEFAULT_PAGE, MAX_PAGE_SIZE = 20, 100


FieldName = TypeAliasType("FieldName", Annotated[str, Field(json_schema_extra={"enum": [*FILTER_FIELDS]})])
"""A field that can be asked about. It is checked together with the operator, where an error can name the entry."""


class Filter(Contract):
    """One condition: what a field must be. All filters of a search must hold."""

    field: FieldName = Field(examples=["startDateTime"])
    operator: Operator = Field(description="in any case", examples=["RANGE"])
    value: Any = Field(default=None, description="for operators that compare with one value")
    values: Annotated[list[Any], at_most(MAX_VALUES)] | None = Field(
        default=None, max_length=MAX_VALUES, description="for `IN` and `NOT_IN`"
    )
    min: Any = Field(default=None, description="for `RANGE`, inclusive", examples=["2026-06-01T00:00:00"])
    max: Any = Field(default=None, description="for `RANGE`, inclusive", examples=["2026-06-30T23:59:59"])

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        field = FILTER_FIELDS.get(self.field)
        if field is None:
            raise field_error("field", f"must be one of {', '.join(FILTER_FIELDS)}")
        if self.operator not in field.kind.operators:
            raise field_error(
                "operator", f"{self.field} is a {field.kind.name} field: use {', '.join(field.kind.operators)}"
            )
        for name in self.operator.operands:
            self._check_operand(field, name)
        return self

    def _check_operand(self, field: FilterField, name: str) -> None:
        given = getattr(self, name)
        if given is None or (name == "values" and not given):
            raise field_error(name, f"is required by {self.operator}; to ask for no value, use IS_NULL or IS_NOT_NULL")
        try:
            field.kind.read(self.operator, given if name == "values" else [given])
        except OperandError as problem:
            place = f"values[{problem.index}]" if name == "values" else name
            raise field_error(place, str(problem)) from problem

    @property
    def condition(self) -> Condition:
        """What it asks, with the operands that its operator takes and no others."""
        given = [getattr(self, name) for name in self.operator.operands]
        operands = given[0] if self.operator.operands == ("values",) else given
        return Condition(field=self.field, operator=self.operator, operands=operands)


def _read_sort_key(value: Any) -> SortKey:
    name, _, direction = value.partition(",") if isinstance(value, str) else ("", "", "")
    name, direction = name.strip(), direction.strip().casefold() or "asc"
    if name not in _SORTABLE or direction not in _DIRECTIONS:
        raise ValueError(f"must be `field,asc` or `field,desc` with a field out of {', '.join(_SORTABLE)}")
    return SortKey(field=name, descending=_DIRECTIONS[direction])


SortEntry = Annotated[
    SortKey, BeforeValidator(_read_sort_key), WithJsonSchema({"type": "string", "examples": ["startDateTime,desc"]})
]


class SearchBody(Contract):
    """Which of the meetings on the caller's calendar to list, in which order, and which page. Null is the default."""

    filters: Annotated[list[Filter], Field(max_length=MAX_FILTERS), at_most(MAX_FILTERS)] | None = None
    page: Annotated[StrictInt, Field(ge=0, le=LAST_PAGE)] | None = Field(default=0, description="zero-based")
    size: Annotated[StrictInt, Field(ge=1, le=MAX_PAGE_SIZE)] | None = DEFAULT_PAGE
    sort: Annotated[list[SortEntry], Field(max_length=MAX_SORT_KEYS), at_most(MAX_SORT_KEYS)] | None = Field(
        default=None,
        description="by the first, then the next, at last by the meetingUuid; unless given, the latest start first",
    )

    @model_validator(mode="after")
    def _looks_for_little(self) -> Self:
        total = 0
        for index, condition in enumerate(self.filters or ()):
            total += len(condition.value) if condition.operator.is_pattern else 0
            if total > MAX_PATTERN_TOTAL:
                problem = f"CONTAINS, STARTS_WITH and ENDS_WITH take {MAX_PATTERN_TOTAL} characters in all filters"
                raise field_error(f"filters[{index}].value", f"{problem} together")
        return self

    def query(self, actor: Actor) -> SearchMeetings:
        """The query that it is, on behalf of the actor."""
        return SearchMeetings(
            actor=actor,
            conditions=[body.condition for body in self.filters or ()],
            sort=self.sort or [],
            page=self.page or 0,
            size=self.size or DEFAULT_PAGE,
        )
