"""Contracts are promises: today's keep those of every release, and the check that proves it bites."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from contracts.model import Contract
from contracts.transport.registry import MessageType
from contracts.transport.topics import CALENDAR_EVENTS, MEETING_EVENTS
from contracts.values.enums import OPEN_ENUM, OpenEnum
from docgen import schemas
from docgen.compatibility import Promise, fields, incompatibilities, misfits
from docgen.files import ROOT, write
from docgen.messages import message_types
from docgen.releases import IncompatibleError, history, next_release, releases, today
from docgen.samples import Sample, samples
from docgen.schemas import headed, schema_of
from jsonschema import Draft202012Validator
from pydantic import Field, create_model

Schema = dict[str, Any]


# --- today and every release ------------------------------------------------------------------------------------


def test_something_was_released() -> None:
    assert releases(), "without a release nothing below proves anything"


def test_todays_contracts_keep_every_released_promise() -> None:
    assert incompatibilities(history(), today()) == []


RELEASED_SAMPLES = [sample for release in releases() for sample in samples(release / "samples")]


@pytest.mark.parametrize("sample", RELEASED_SAMPLES, ids=str)
def test_today_reads_every_sample_ever_released(sample: Sample) -> None:
    message_types()[sample.type].body.model_validate(sample.body)


@pytest.mark.parametrize("sample", list(samples()), ids=str)
def test_every_released_consumer_reads_todays_samples(sample: Sample) -> None:
    for promise in history().get(sample.type, ()):
        Draft202012Validator(_as_consumers_read(promise.read)).validate(sample.body)


def _as_consumers_read(schema: Schema) -> Schema:
    """A released schema as a tolerant consumer takes it: a vocabulary that may grow accepts any value."""
    read = copy.deepcopy(schema)
    for definition in read.get("$defs", {}).values():
        if definition.get(OPEN_ENUM):
            del definition["enum"]
    return read


# --- the check, on models -----------------------------------------------------------------------------------------


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class FewerColours(StrEnum):
    RED = "RED"


class MoreColours(StrEnum):
    RED = "RED"
    BLUE = "BLUE"
    GREEN = "GREEN"


class Reason(OpenEnum):
    LATE = "LATE"
    UNKNOWN = "UNKNOWN"


class MoreReasons(OpenEnum):
    LATE = "LATE"
    LOST = "LOST"
    UNKNOWN = "UNKNOWN"


class FewerReasons(OpenEnum):
    UNKNOWN = "UNKNOWN"


class Person(Contract):
    name: str


class Stranger(Contract):
    nickname: str


class Tree(Contract):
    label: str
    branches: "list[Tree]" = Field(default_factory=list)


class NumberedTree(Contract):
    label: int
    branches: "list[NumberedTree]" = Field(default_factory=list)


OPTIONAL: Any = (str | None, None)
NEEDED: Any = (str, ...)
LETTERS: Any = (Annotated[str, Field(pattern="^[a-z]+$")], ...)
DIGITS: Any = (Annotated[str, Field(pattern="^[0-9]+$")], ...)


SHORT: Any = (Annotated[str, Field(max_length=5)], ...)
LONG: Any = (Annotated[str, Field(max_length=9)], ...)
NUMBER: Any = (int, ...)
POSITIVE: Any = (Annotated[int, Field(ge=1)], ...)
ENUM: Any = (Colour, ...)


BREAKING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a field is removed": ({"a": NEEDED, "b": NEEDED}, {"a": NEEDED}, "b: is gone"),
    "an optional field is removed": ({"a": NEEDED, "b": OPTIONAL}, {"a": NEEDED}, "b: is gone"),
    "a field is renamed": ({"a": NEEDED}, {"z": NEEDED}, "a: is gone"),
    "a field that consumers need is added": ({"a": NEEDED}, {"a": NEEDED, "b": NEEDED}, "b: is required"),
    "a type changes": ({"a": NEEDED}, {"a": (int, ...)}, "a: integer is not accepted"),
    "a type is narrowed": ({"a": (float, ...)}, {"a": (int, ...)}, "a: number is not accepted"),
    "null is no longer accepted": ({"a": OPTIONAL}, {"a": (str, "")}, "a: null is not accepted"),
    "null is written where none was": ({"a": NEEDED}, {"a": OPTIONAL}, "a: null is not accepted"),
    "one of two types is dropped": ({"a": (str | int, ...)}, {"a": NEEDED}, "a: integer is not accepted"),
    "any value becomes some value": ({"a": (Any, ...)}, {"a": NEEDED}, "a: any value is not accepted"),
    "a pattern is added": ({"a": NEEDED}, {"a": LETTERS}, "a: only the pattern ^[a-z]+$ is accepted"),
    "a pattern changes": ({"a": LETTERS}, {"a": DIGITS}, "a: only the pattern ^[0-9]+$ is accepted"),
    "a pattern is dropped": ({"a": LETTERS}, {"a": NEEDED}, "a: only the pattern ^[a-z]+$ is accepted"),
    "a limit is tightened": ({"a": LONG}, {"a": SHORT}, "a: only maxLength 5 is accepted"),
    "a limit is loosened": ({"a": SHORT}, {"a": LONG}, "a: only maxLength 5 is accepted"),
    "a limit is added": ({"a": NUMBER}, {"a": POSITIVE}, "a: only minimum 1 is accepted"),
    "an enum value is removed": (
        {"a": ENUM},
        {"a": (FewerColours, ...)},
        "a: the value 'BLUE' is not accepted",
    ),
    "an enum value is added": ({"a": ENUM}, {"a": (MoreColours, ...)}, "a: the value 'GREEN' is not accepted"),
    "an enum is opened to any text": ({"a": ENUM}, {"a": NEEDED}, "a: only ['RED', 'BLUE'] are accepted"),
    "text becomes an enum": ({"a": NEEDED}, {"a": ENUM}, "a: only ['RED', 'BLUE'] are accepted"),
    "a constant changes": ({"a": (Literal["x"], ...)}, {"a": (Literal["y"], ...)}, "a: the value 'y' is not accepted"),
    "an item's type changes": ({"a": (list[str], ...)}, {"a": (list[int], ...)}, "a[]: integer is not accepted"),
    "an inner field is renamed": ({"a": (Person, ...)}, {"a": (Stranger, ...)}, "a.name: is gone"),
    "a field of items is renamed": ({"a": (list[Person], ...)}, {"a": (list[Stranger], ...)}, "a[].name: is gone"),
    "a recursive type changes": ({"a": (Tree, ...)}, {"a": (NumberedTree, ...)}, "a.label: integer is not accepted"),
    "a mapping's values change": ({"a": (dict[str, str], ...)}, {"a": (dict[str, int], ...)}, "a{}: integer is not"),
    "an object becomes text": ({"a": (Person, ...)}, {"a": NEEDED}, "a: string is not accepted"),
}

ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing changes": ({"a": NEEDED, "b": (Tree, ...)}, {"a": NEEDED, "b": (Tree, ...)}),
    "an optional field is added": ({"a": NEEDED}, {"a": NEEDED, "b": OPTIONAL}),
    "an optional object is added": ({"a": NEEDED}, {"a": NEEDED, "b": (Person | None, None)}),
    "an optional list is added": ({"a": NEEDED}, {"a": NEEDED, "b": (list[Person], Field(default_factory=list))}),
    "a default is given": ({"a": NEEDED}, {"a": (str, "x")}),
    "an open enum grows": ({"a": (Reason, ...)}, {"a": (MoreReasons, ...)}),
    "an open enum shrinks": ({"a": (Reason, ...)}, {"a": (FewerReasons, ...)}),
    "the fields are reordered": ({"a": NEEDED, "b": OPTIONAL}, {"b": OPTIONAL, "a": NEEDED}),
    "a description is written": ({"a": NEEDED}, {"a": (str, Field(description="what it is"))}),
}


def promise(parts: dict[str, Any], topic: Any = MEETING_EVENTS) -> Promise:
    body = create_model("Body", __base__=Contract, **parts)
    kind = MessageType("tests.body.v1", topic, body)
    return Promise(headed(kind, schema_of(body, "serialization")), headed(kind, schema_of(body, "validation")))


def problems(then: Promise, now: Promise) -> list[str]:
    return incompatibilities({"tests.body.v1": [then]}, {"tests.body.v1": now})


@pytest.mark.parametrize("what", BREAKING)
def test_a_breaking_change_is_found(what: str) -> None:
    then, now, problem = BREAKING[what]
    assert any(problem in found for found in problems(promise(then), promise(now)))


@pytest.mark.parametrize("what", ALLOWED)
def test_a_compatible_change_is_allowed(what: str) -> None:
    then, now = ALLOWED[what]
    assert problems(promise(then), promise(now)) == []


def test_what_is_read_may_widen_before_what_is_written() -> None:
    narrow, wide = promise({"a": SHORT}), promise({"a": LONG})
    reads_wider = Promise(narrow.written, wide.read)
    assert problems(narrow, reads_wider) == []
    assert problems(reads_wider, wide) == []
    assert problems(narrow, wide) != []


def test_a_type_that_is_gone_or_renamed_is_found() -> None:
    then = promise({"a": NEEDED})
    assert incompatibilities({"tests.body.v1": [then]}, {"tests.corpus.v1": then}) == ["tests.body.v1: is gone"]


def test_a_type_that_is_new_is_allowed() -> None:
    both = {name: promise({"a": NEEDED}) for name in ("tests.body.v1", "tests.body.v2")}
    assert incompatibilities({"tests.body.v1": [both["tests.body.v1"]]}, both) == []


def test_a_type_that_moves_to_another_topic_is_found() -> None:
    assert "moved from" in problems(promise({"a": NEEDED}), promise({"a": NEEDED}, CALENDAR_EVENTS))[0]


def test_every_release_counts_not_only_the_last() -> None:
    first, second = promise({"a": NEEDED, "b": OPTIONAL}), promise({"a": NEEDED})
    assert incompatibilities({"tests.body.v1": [first, second]}, {"tests.body.v1": second}) != []


def test_a_keyword_without_a_rule_is_never_passed_over() -> None:
    with pytest.raises(NotImplementedError, match="multipleOf"):
        misfits({"type": "integer"}, {"type": "integer", "multipleOf": 5})


# --- the check, on every place of the real contracts --------------------------------------------------------------


def _places(node: Any) -> Iterator[Any]:
    """Every object of a schema, itself and below."""
    if isinstance(node, dict):
        yield node
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _places(child)


def _mutants(promise: Promise, mutate: Callable[[Schema], Iterator[None]]) -> Iterator[Promise]:
    """One copy of the promise, changed at one place after the other; it is good until the next is asked for."""
    both = copy.deepcopy(promise)
    for place in list(_places([both.written, both.read])):
        for _ in mutate(place):
            yield both


def _drop_a_field(place: Schema) -> Iterator[None]:
    for name in list(place.get("properties", {})):
        saved = place["properties"], place.get("required")
        place["properties"] = {key: field for key, field in saved[0].items() if key != name}
        place["required"] = [key for key in saved[1] or () if key != name]
        yield
        place["properties"], place["required"] = saved


def _want_one_more(place: Schema) -> Iterator[None]:
    if "properties" in place:
        saved = place.get("required", [])
        place["required"] = [*saved, "brandNew"]
        yield
        place["required"] = saved


def _change_a_type(place: Schema) -> Iterator[None]:
    if isinstance(place.get("type"), str):
        saved, place["type"] = place["type"], "something else"
        yield
        place["type"] = saved


def _drop_a_value(place: Schema) -> Iterator[None]:
    if "enum" in place and OPEN_ENUM not in place:
        last = place["enum"].pop()
        yield
        place["enum"].append(last)


def _add_a_value(place: Schema) -> Iterator[None]:
    if "enum" in place and OPEN_ENUM not in place:
        place["enum"].append("BRAND_NEW")
        yield
        place["enum"].pop()


def _narrow_a_text(place: Schema) -> Iterator[None]:
    if place.get("type") == "string" and "enum" not in place:
        saved = dict(place)
        place["pattern"] = "^only this$"
        yield
        place.clear()
        place.update(saved)


MUTATIONS = {
    "a field is removed from what is written": (_drop_a_field, "written"),
    "a field that consumers need is added": (_want_one_more, "read"),
    "the type of a written field changes": (_change_a_type, "written"),
    "the type of a read field changes": (_change_a_type, "read"),
    "an enum value is no longer read": (_drop_a_value, "read"),
    "an enum value is written that nobody knows": (_add_a_value, "written"),
    "a read text is narrowed": (_narrow_a_text, "read"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_the_check_bites_at_every_place_of_every_contract(what: str) -> None:
    mutate, side = MUTATIONS[what]
    tried = 0
    for name, promise in today().items():
        for mutant in _mutants(promise, mutate):
            now = Promise(mutant.written, promise.read) if side == "written" else Promise(promise.written, mutant.read)
            if now != promise:
                tried += 1
                assert incompatibilities({name: [promise]}, {name: now}), f"{name}: {now}"
    assert tried > 20


# --- releases -----------------------------------------------------------------------------------------------------


def test_a_release_holds_what_changed_since_the_one_before(tmp_path: Path) -> None:
    everything = _release(tmp_path)
    assert {path.name for path in (everything / "schemas").iterdir()} == {
        path.name for path in (ROOT / schemas.FOLDER).iterdir()
    }
    assert next_release(tmp_path) == {}
    _edit(everything / "schemas" / "meetings.meeting.created.v1.json", lambda schema: schema.update(description="old"))
    second = _release(tmp_path)
    assert sorted(path.name for path in (second / "schemas").iterdir()) == [
        "meetings.meeting.created.v1.json",
        "meetings.meeting.created.v1.read.json",
    ]
    assert [len(promises) for name, promises in history(tmp_path).items() if name == "meetings.meeting.created.v1"] == [
        2
    ]


def test_a_release_that_breaks_one_before_is_refused(tmp_path: Path) -> None:
    released = _release(tmp_path) / "schemas" / "meetings.meeting.created.v1.json"
    _edit(released, lambda schema: schema["properties"].update(dropped={"type": "string"}))
    with pytest.raises(IncompatibleError, match=re.escape("meetings.meeting.created.v1: dropped: is gone")):
        next_release(tmp_path)


def _release(folder: Path) -> Path:
    number = len(releases(folder)) + 1
    write(next_release(folder), root=folder)
    return folder / str(number)


def _edit(path: Path, change: Callable[[Schema], None]) -> None:
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def test_fields_are_named_by_their_paths() -> None:
    written = schema_of(create_model("Body", __base__=Contract, one=(list[Person] | None, None)), "serialization")
    assert dict(fields(written)) == {"one": True, "one[].name": True}
