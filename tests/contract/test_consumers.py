"""What consumers read is what producers guarantee."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts.transport.topics import TOPICS
from docgen.compatibility import Schema, branches
from docgen.messages import message_types, types_on
from docgen.releases import today

READS = yaml.safe_load(Path(__file__).with_name("reads.yaml").read_text())
PAIRS = [(consumer, name) for consumer, messages in READS.items() for name in messages]


def flat(paths: Any) -> Iterator[str]:
    if isinstance(paths, str):
        yield paths
    else:
        for one in paths:
            yield from flat(one)


def not_guaranteed(written: Schema, path: str) -> str | None:
    """Why a consumer cannot rely on what lies at a path of what is written; None when it can."""
    here: list[Schema] = [written]
    for step in path.replace("[]", ".[]").split("."):
        name, copes_with_null = step.removesuffix("?"), step.endswith("?")
        if name == "[]":
            here = [item for one in here for item in branches(written, one.get("items", {}))]
        else:
            if any(name not in one.get("properties", {}) for one in here):
                return f"{path}: there is no {name}"
            if any(name not in one.get("required", ()) for one in here):
                return f"{path}: {name} is not always there"
            here = [branch for one in here for branch in branches(written, one["properties"][name])]
        if not copes_with_null and any(one.get("type") == "null" for one in here):
            return f"{path}: {name} may be null"
        here = [one for one in here if one.get("type") != "null"]
    return None


@pytest.mark.parametrize(("consumer", "name"), PAIRS)
def test_the_producer_guarantees_what_a_consumer_reads(consumer: str, name: str) -> None:
    written = today()[name].written
    assert [problem for path in flat(READS[consumer][name]) if (problem := not_guaranteed(written, path))] == []


@pytest.mark.parametrize(("consumer", "name"), PAIRS)
def test_a_consumer_reads_from_topics_that_name_it(consumer: str, name: str) -> None:
    assert consumer in message_types()[name].topic.readers


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if not topic.public], ids=lambda topic: topic.name)
def test_every_message_between_services_is_read_by_one(topic: Any) -> None:
    read = {name for messages in READS.values() for name in messages}
    assert [kind.name for kind in types_on(topic) if kind.name not in read] == []


PERSON = {"type": "object", "properties": {"email": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "people": {"type": "array", "items": {"$ref": "#/$defs/Person"}},
        "note": {"type": "string"},
        "host": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
    },
    "required": ["people", "host"],
    "$defs": {"Person": PERSON | {"required": ["email"]}},
}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("people[].email?", None),
        ("host?.email?", None),
        ("people[].email", "people[].email: email may be null"),
        ("host.email?", "host.email?: host may be null"),
        ("people[].phone", "people[].phone: there is no phone"),
        ("note", "note: note is not always there"),
    ],
)
def test_a_read_that_nobody_guarantees_is_found(path: str, problem: str | None) -> None:
    assert not_guaranteed(SCHEMA, path) == problem
