"""Every message body, whatever it says, survives the wire and is what its golden schemas promise."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from contracts.messages.meeting_commands import MeetingChanges
from contracts.model import Contract
from contracts.transport.registry import MessageType
from contracts.values.meeting import MeetingContent
from contracts.values.times import Instant, LocalDateTime, TimeZoneName, format_instant
from docgen.messages import message_types
from docgen.releases import today
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

TYPES = list(message_types().values())
VALIDATORS = {
    name: [Draft202012Validator(promise.written), Draft202012Validator(promise.read)]
    for name, promise in today().items()
}
Strategy = st.SearchStrategy[Any]

TEXT = st.text(max_size=20)
JSON: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
LOCAL = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 wall times have no zone
INSTANTS = st.integers(-(2**40), 2**40).map(lambda ms: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
ZONES = st.sampled_from(["America/Santiago", "Europe/Madrid", "Asia/Kathmandu", "UTC", "Australia/Lord_Howe"])
LEAVES: list[tuple[Any, Strategy]] = [
    (LocalDateTime, LOCAL),
    (Instant, INSTANTS),
    (TimeZoneName, ZONES),
    (Any, JSON),
    (str, TEXT),
    (int, st.integers(-(2**53), 2**53)),
    (bool, st.booleans()),
    (NoneType, st.none()),
]


def values(annotation: Any) -> Strategy:
    """Any value that a field so annotated may have."""
    for known, strategy in LEAVES:
        if annotation == known:
            return strategy
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return bodies(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if get_origin(annotation) is list:
        return st.lists(values(get_args(annotation)[0]), max_size=2)
    if hasattr(annotation, "__metadata__"):
        return values(annotation.__origin__)
    return st.one_of(*map(values, get_args(annotation)))


@cache
def bodies(model: type[Contract]) -> Strategy:
    """Any instance of a model."""
    hints = get_type_hints(model, include_extras=True)
    fields = {name: values(hints[name]) for name in model.model_fields}
    return st.fixed_dictionaries(fields).map(lambda given: model(**given))


def of_every_type(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with any body of every message type."""
    quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    each = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
    tried: Callable[..., None] = each(quick(given(data=st.data())(test)))
    return tried


@of_every_type
def test_a_body_comes_back_from_the_wire_and_is_what_its_schemas_promise(
    kind: MessageType, data: st.DataObject
) -> None:
    body = data.draw(bodies(kind.body))
    written = body.model_dump_json()
    assert kind.body.model_validate_json(written) == body
    for validator in VALIDATORS[kind.name]:
        validator.validate(json.loads(written))


@of_every_type
def test_a_consumer_ignores_fields_that_it_does_not_know(kind: MessageType, data: st.DataObject) -> None:
    body = data.draw(bodies(kind.body))
    said = body.model_dump(mode="json") | {"aFieldOfTheFuture": data.draw(JSON)}
    assert kind.body.model_validate(said) == body


@of_every_type
def test_a_hostile_body_is_only_ever_a_validation_error(kind: MessageType, data: st.DataObject) -> None:
    """The consumer parks what raises ValueError; anything else would stop the partition."""
    said = data.draw(bodies(kind.body)).model_dump(mode="json")
    name = data.draw(st.sampled_from(sorted(said)))
    hostile = data.draw(JSON | st.sampled_from(HOSTILE))
    with suppress(ValidationError):
        kind.body.model_validate(said | {name: hostile})


HOSTILE = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9" * 5000,
    "\0",
    "../../etc/passwd",
    "2026-06-15T15:00:00Z",
    10**400,
    -1,
    [[]],
    {"$gt": ""},
]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}'])
def test_what_is_no_body_is_a_validation_error(kind: MessageType, raw: bytes) -> None:
    with pytest.raises(ValidationError):
        kind.body.model_validate_json(raw)


def test_instants_far_out_are_refused_everywhere() -> None:
    created = message_types()["meetings.meeting.created.v1"]
    said = {"meeting": {"startsAt": "9999-12-31T23:59:59-14:00"}}
    with pytest.raises(ValidationError, match="must be an instant of the years 1 to 9999"):
        created.body.model_validate(said)


@given(INSTANTS)
def test_instants_are_written_in_utc_with_milliseconds(instant: datetime) -> None:
    written = format_instant(instant)
    assert written.endswith("Z")
    assert len(written) == len("2026-06-15T10:30:00.123Z")
    assert datetime.fromisoformat(written) == instant


def test_an_update_can_change_every_field_of_a_meetings_content() -> None:
    assert set(MeetingChanges.model_fields) == set(MeetingContent.model_fields)
