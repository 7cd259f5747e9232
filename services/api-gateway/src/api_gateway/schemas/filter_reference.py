"""The reference of the filter language, as data: the page at /docs/filters and the generated page are made from it."""

from collections.abc import Iterator

from contracts.api.filters import (
    BOOLEAN,
    FILTER_FIELDS,
    INSTANT,
    LOCAL_DATE_TIME,
    MAX_FILTERS,
    MAX_PATTERN_LENGTH,
    MAX_PATTERN_TOTAL,
    MAX_SORT_KEYS,
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    NUMBER,
    TEXT,
    FieldType,
    Operator,
)

_MEANINGS: dict[Operator, str] = {
    Operator.EQUALS: "is `value`, exactly",
    Operator.NOT_EQUALS: "the opposite of EQUALS: null fulfils it too",
    Operator.IN: "is one of `values`, exactly",
    Operator.NOT_IN: "the opposite of IN: null fulfils it too",
    Operator.CONTAINS: "has `value` in it, in upper or lower case",
    Operator.STARTS_WITH: "begins with `value`, in upper or lower case",
    Operator.ENDS_WITH: "ends with `value`, in upper or lower case",
    Operator.RANGE: "is between `min` and `max`, both inclusive",
    Operator.GREATER_THAN: "is after `value`",
    Operator.GREATER_THAN_OR_EQUAL: "is `value` or after it",
    Operator.LESS_THAN: "is before `value`",
    Operator.LESS_THAN_OR_EQUAL: "is `value` or before it",
    Operator.IS_NULL: "has no value",
    Operator.IS_NOT_NULL: "has a value",
}

_RULES = f"""
All filters of a search must hold. They are asked about the meetings on the caller's calendar, as the caller sees them.

Operators may be written in any case. Text is taken literally: no character in it is a wildcard. Text is ordered by code
points, so upper case comes before lower case.

A `participants.` filter holds when it holds for any participant, and each filter may hold for another one. NOT_EQUALS
and NOT_IN are opposites here too: they hold when no participant is the value. IS_NULL holds when some participant has
no value.

Instants are compared to the millisecond.

A sort entry is `field,asc` or `field,desc`. Every sort ends with the meetingUuid, in the direction of the last entry,
so pages never repeat or skip a meeting. Null comes first when ascending. Without a sort, the latest start comes first.

Fast on any calendar are pages that are not sorted, or sorted by `startDateTime` alone, in either direction. Any other
sort, a filter that few meetings fulfil, and one on `tenantUuid` (all have the same) read through the caller's own
calendar only; a filter on `startDateTime` narrows what is read.

At most {MAX_FILTERS} filters, {MAX_VALUES} `values`, {MAX_TEXT_LENGTH} characters of text and {MAX_SORT_KEYS} sort
entries. CONTAINS, STARTS_WITH and ENDS_WITH take at most {MAX_PATTERN_LENGTH} characters each, and
{MAX_PATTERN_TOTAL} in all filters together. Whatever is wrong is answered with 400, naming the entry:
`filters[2].value: must be a number`.

A search that takes too long is ended and answered with 503. Searches of one user run one after the other; more than a
few at once are answered with 429.
"""
RULES = [" ".join(rule.split()) for rule in _RULES.split("\n\n")]
"""Sentences in which parts in backticks are code."""

EXAMPLE = """{
  "filters": [
    {"field": "status", "operator": "EQUALS", "value": "ACTIVE"},
    {"field": "startDateTime", "operator": "RANGE", "min": "2026-06-01T00:00:00", "max": "2026-06-30T23:59:59"},
    {"field": "participants.email", "operator": "CONTAINS", "value": "@example.com"}
  ],
  "sort": ["startDateTime,asc"],
  "page": 0,
  "size": 20
}"""

FIELD_HEAD = ("field", "kind", "sortable", "note")
KIND_HEAD = ("kind", "an operand must be", "operators")
OPERATOR_HEAD = ("operator", "operands", "holds when the field")


def field_rows() -> Iterator[tuple[str, str, str, str]]:
    """One row for each field."""
    for field in FILTER_FIELDS.values():
        choices = field.kind.format_hint if field.kind.name == "choice" else ""
        note = "; ".join(part for part in (choices, field.note) if part)
        yield field.name, field.kind.name, "yes" if field.sortable else "no", note


def kind_rows() -> Iterator[tuple[str, str, str]]:
    """One row for each kind of field."""
    a_choice = FILTER_FIELDS["status"].kind
    for kind in (TEXT, NUMBER, LOCAL_DATE_TIME, INSTANT, BOOLEAN, a_choice):
        written = "one of the names in the field's note" if kind is a_choice else kind.format_hint
        yield kind.name, written, _named(kind)


def operator_rows() -> Iterator[tuple[str, str, str]]:
    """One row for each operator."""
    for operator in Operator:
        yield operator, ", ".join(f"`{name}`" for name in operator.operands) or "none", _MEANINGS[operator]


def _named(kind: FieldType) -> str:
    return ", ".join(kind.operators)
