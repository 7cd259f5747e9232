"""The reference pages about messages: topics, events and their fields, error codes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from contracts.api.errors import ErrorCode
from contracts.transport.registry import MessageType
from contracts.transport.topics import RETRY_TOPICS, TOPICS, Topic
from contracts.values.enums import OPEN_ENUM

from docgen.compatibility import Schema, branches
from docgen.files import Files, as_json
from docgen.markdown import code, listed, page, table
from docgen.messages import meaning, types_on
from docgen.samples import Sample, samples_of
from docgen.schemas import schema_of

FOLDER = "docs/generated"


def catalogue_files() -> Files:
    """The pages about topics, messages and errors."""
    return {
        f"{FOLDER}/topics.md": _topics(),
        f"{FOLDER}/events.md": _events(),
        f"{FOLDER}/errors.md": _errors(),
    }


def _topics() -> str:
    return page(
        "Topics",
        "Declared in `contracts/transport/topics.py`, created by the provisioning job alone. "
        "A public topic is for every team of the platform; the others are between the services of this repository.",
        table(
            ("topic", "purpose", "key", "written by", "read by", "partitions", "kept", "public"),
            (
                (
                    code(topic.name),
                    topic.purpose,
                    code(topic.key),
                    ", ".join(topic.writer),
                    ", ".join(topic.readers),
                    str(topic.partitions),
                    retention(topic),
                    "yes" if topic.public else "",
                )
                for topic in TOPICS
            ),
        ),
        "## Dead letters",
        "A record that a reader cannot handle is kept with its bytes, headers, origin and error, and later ones go on.",
        table(("topic", "holds", "kept"), _dead_letters()),
        "## Retries",
        "Dead letters that an operator wants handled again go here, so that no other group sees them twice.",
        table(
            ("topic", "read by", "kept"),
            ((code(topic.name), ", ".join(topic.readers), retention(topic)) for topic in RETRY_TOPICS),
        ),
    )


def _dead_letters() -> Iterator[tuple[str, str, str]]:
    for topic in (*TOPICS, *RETRY_TOPICS):
        for reader in topic.readers:
            parked = topic.dead_letters(reader)
            yield code(parked.name), f"records of `{topic.name}` that `{reader}` could not handle", retention(parked)


def retention(topic: Topic) -> str:
    """How long records stay, in words."""
    if topic.retention is None:
        return "newest per key, for ever"
    if topic.retention < timedelta(hours=1):
        return f"{topic.retention // timedelta(minutes=1)} min"
    days = topic.retention // timedelta(days=1)
    return f"{days} days" if days != 1 else "1 day"


def _events() -> str:
    used = sorted(filter(types_on, TOPICS), key=lambda topic: not topic.public)
    return page(
        "Messages",
        "Every message is a Kafka record: its headers are a CloudEvents 1.0 envelope in binary mode, its value is the "
        "JSON body alone. Consumers ignore fields that they do not know; producers write every field of a body, null "
        "where it does not apply. The schemas are in `libs/contracts/schemas`, whole records in "
        "`libs/contracts/samples`, the topics in [topics.md](topics.md), one AsyncAPI document per service in "
        "[asyncapi](asyncapi).",
        table(
            ("message", "topic", "meaning"),
            (
                (f"[`{kind.name}`](#{_anchor(kind)})", code(topic.name), meaning(kind))
                for topic in used
                for kind in types_on(topic)
            ),
        ),
        *(_topic_section(topic) for topic in used),
    )


def _anchor(kind: MessageType) -> str:
    """The anchor that renderers give the heading of a message."""
    return kind.name.replace(".", "")


def _topic_section(topic: Topic) -> str:
    return "\n\n".join((f"## {topic.name}", topic.purpose, *map(_message, types_on(topic))))


def _message(kind: MessageType) -> str:
    topic = kind.topic
    name, _, version = kind.name.rpartition(".")
    facts = (
        ("type", f"{code(kind.name)}: {code(name)} in version {version.removeprefix('v')}"),
        ("topic, key", f"{code(topic.name)}, {code(topic.key)}"),
        ("producer", listed(topic.writer)),
        ("consumers", listed(topic.readers) + (" and other services of the platform" if topic.public else "")),
    )
    rows = list(_field_rows(schema_of(kind.body, "serialization")))
    return "\n\n".join(
        (
            f"### {kind.name}",
            meaning(kind),
            "\n".join(f"- {label}: {value}" for label, value in facts),
            table(("field", "type", "null?", "meaning"), rows),
            *map(_example, samples_of(kind.name)[:1]),
        )
    )


def _example(sample: Sample) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in sample.headers.items())
    return (
        f"<details><summary>Example: {sample.path.stem.replace('-', ' ')}</summary>\n\n"
        f"```text\nkey: {sample.key}\n{headers}\n```\n\n```json\n{as_json(sample.body)}```\n\n</details>"
    )


def _field_rows(root: Schema) -> Iterator[tuple[str, str, str, str]]:
    yield from _rows_of(root, root, "")


def _rows_of(root: Schema, schema: Schema, path: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        kinds = branches(root, field)
        place = f"{path}.{name}".lstrip(".")
        nullable = any(kind.get("type") == "null" for kind in kinds)
        value = next((kind for kind in kinds if kind.get("type") != "null"), {})
        yield code(place), _type_name(root, value), "yes" if nullable else "", _notes(root, field, value)
        inner, inner_place = value, place
        while inner.get("type") == "array":
            inner, inner_place = branches(root, inner.get("items", {}))[0], f"{inner_place}[]"
        yield from _rows_of(root, inner, inner_place)


def _type_name(root: Schema, value: Schema) -> str:
    if value.get("type") == "array":
        return f"list of {_type_name(root, branches(root, value.get('items', {}))[0])}"
    if "enum" in value:
        return " ".join(map(code, value["enum"])) + (" or later ones" if value.get(OPEN_ENUM) else "")
    return "instant" if value.get("format") == "date-time" else str(value.get("type", "any JSON"))


def _notes(root: Schema, field: Schema, value: Schema) -> str:
    described = field.get("description") or _described_items(root, value)
    examples = field.get("examples") or value.get("examples") or []
    return "; ".join(part for part in (described, *(f"e.g. {_shown(example)}" for example in examples[:1])) if part)


def _described_items(root: Schema, value: Schema) -> str:
    inner = branches(root, value.get("items", {}))[0] if value.get("type") == "array" else value
    return str(inner.get("description", ""))


def _shown(example: Any) -> str:
    return code(example if isinstance(example, str) else as_json(example).strip())


def _errors() -> str:
    return page(
        "Error codes",
        "Every error answer of the HTTP API carries this body; clients switch on `errorCode`. The same codes stand in "
        "the replies to commands.",
        '```json\n{"errorCode":"BE0201","message":"Validation failed","status":400,"path":"/api/v1/meetings",\n'
        ' "timestamp":"2026-06-15T10:30:00","details":["endDateTime: must be after startDateTime"]}\n```',
        "`timestamp` is UTC. `details` has `field: message` for each thing that is wrong with the input, else it is "
        "null. A 503 says in `Retry-After` when to try again; nothing was accepted.",
        table(
            ("errorCode", "status", "message", "name in the code"),
            (
                (code(entry.code), str(entry.status), entry.message, code(entry.name))
                for entry in sorted(ErrorCode, key=lambda entry: (entry.status, entry.code))
            ),
        ),
    )
