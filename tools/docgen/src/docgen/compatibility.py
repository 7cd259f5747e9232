"""Whether today's messages keep the promises of earlier releases.

Services are not deployed together and messages stay on topics for days, so two things must always hold: what is written
today can be read by every released consumer, and what was ever written can be read today. Both are the same question,
``misfits(written, read)``: is everything that the one schema describes accepted by the other? Beyond that, a field that
was promised stays (``broken_promises``). Consumers ignore unknown fields, so fields may be added; they accept no value
outside a closed enum, so none may be added there. The rules and their reasons: docs/decisions/0008.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from contracts.values.enums import OPEN_ENUM

Schema = dict[str, Any]
Problems = list[str]

_NOTES = frozenset({"$schema", "$defs", "title", "description", "default", "examples", "deprecated", "discriminator"})
_UNIONS = ("anyOf", "oneOf")
_LOWER = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum")
_UPPER = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum")
_JUDGED = frozenset(
    {"$ref", "type", "enum", "const", "format", "pattern", "properties", "required", "items", "additionalProperties"}
).union(_UNIONS, _LOWER, _UPPER)


@dataclass(frozen=True, slots=True)
class Promise:
    """What one release says about one message type: its schemas as written and as read, headed by type and topic."""

    written: Schema
    read: Schema

    @property
    def route(self) -> tuple[str, str]:
        return self.written["x-topic"], self.written["x-key"]


def incompatibilities(released: dict[str, list[Promise]], today: dict[str, Promise]) -> Problems:
    """What today's message types break; by type, every release that differed from its predecessor."""
    problems: Problems = []
    for name, promises in released.items():
        now = today.get(name)
        if now is None:
            problems.append(f"{name}: is gone")
            continue
        for then in promises:
            found = [*_moved(then, now), *broken_promises(then.written, now.written)]
            found += [f"{problem} (released consumers)" for problem in misfits(now.written, then.read)]
            found += [f"{problem} (released messages)" for problem in misfits(then.written, now.read)]
            problems += [f"{name}: {problem}" for problem in found]
    return list(dict.fromkeys(problems))


def _moved(then: Promise, now: Promise) -> Problems:
    return [] if now.route == then.route else [f"moved from {then.route} to {now.route} (topic, key)"]


def broken_promises(then: Schema, now: Schema) -> Problems:
    """Fields that were written, or always written, and are not any more."""
    guaranteed, present = dict(fields(then)), dict(fields(now))
    gone = [f"{path}: is gone" for path in guaranteed if path not in present]
    loosened = [path for path, always in guaranteed.items() if always and present.get(path) is False]
    return [*gone, *(f"{path}: is not always written any more" for path in loosened)]


def fields(schema: Schema) -> Iterator[tuple[str, bool]]:
    """Every field of a schema as a path like ``meeting.participants[].email``, and whether it is always there."""
    return _fields(schema, schema, "", ())


def _fields(root: Schema, schema: Schema, path: str, inside: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    for branch in branches(root, schema):
        reference = branch.get("title", "")
        if branch.get("type") == "array":
            yield from _fields(root, branch.get("items", {}), f"{path}[]", inside)
        elif reference not in inside or not reference:
            for name, field in branch.get("properties", {}).items():
                place = f"{path}.{name}".lstrip(".")
                yield place, name in branch.get("required", ())
                yield from _fields(root, field, place, (*inside, reference))


def branches(root: Schema, schema: Schema) -> list[Schema]:
    """The alternatives of a schema, with references followed."""
    if "$ref" in schema:
        return branches(root, root["$defs"][schema["$ref"].rpartition("/")[2]])
    for union in _UNIONS:
        if union in schema:
            return [branch for alternative in schema[union] for branch in branches(root, alternative)]
    return [schema]


def misfits(written: Schema, read: Schema) -> Problems:
    """Why some of what ``written`` describes would not be accepted by ``read``; empty when all of it is.

    Raises:
        NotImplementedError: ``read`` uses a keyword whose meaning this check does not know.
    """
    return _Comparison(written, read).compare(written, read, "")


class _Comparison:
    def __init__(self, written_root: Schema, read_root: Schema) -> None:
        self._written_root = written_root
        self._read_root = read_root
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, written: Schema, read: Schema, path: str) -> Problems:
        """Each alternative that may be written must fit one that is read."""
        question = (written["$ref"], repr(read)) if "$ref" in written else None
        if question in self._under_way:
            return []  # a recursive type: this question is being answered further out
        if question is not None:
            self._under_way.add(question)
        accepted = branches(self._read_root, read)
        problems: Problems = []
        for branch in branches(self._written_root, written):
            attempts = [self._compare_one(branch, other, path) for other in accepted]
            if [] not in attempts:
                problems += self._closest(branch, accepted, attempts, path)
        if question is not None:
            self._under_way.discard(question)
        return problems

    def _closest(self, branch: Schema, accepted: list[Schema], attempts: list[Problems], path: str) -> Problems:
        """What is wrong with the alternative of the same type, if there is just one; that is what was meant."""
        alike = [
            found for other, found in zip(accepted, attempts, strict=True) if other.get("type") == branch.get("type")
        ]
        return alike[0] if len(alike) == 1 else [f"{path}: {_kind(branch)} is not accepted"]

    def _compare_one(self, written: Schema, read: Schema, path: str) -> Problems:
        unknown = {key for key in read if not key.startswith("x-")} - _NOTES - _JUDGED
        if unknown:
            raise NotImplementedError(f"{path}: no rule for {sorted(unknown)}")
        if not _same_type(written.get("type"), read.get("type")):
            return [f"{path}: {_kind(written)} is not accepted"]
        return [
            *_values(written, read, path),
            *_texts(written, read, path),
            *_bounds(written, read, path),
            *self._items(written, read, path),
            *self._properties(written, read, path),
        ]

    def _items(self, written: Schema, read: Schema, path: str) -> Problems:
        return self.compare(written.get("items", {}), read["items"], f"{path}[]") if "items" in read else []

    def _properties(self, written: Schema, read: Schema, path: str) -> Problems:
        missing = set(read.get("required", ())) - set(written.get("required", ()))
        problems = [f"{path}.{name}: is required".lstrip(".") for name in sorted(missing)]
        there = written.get("properties", {})
        for name, schema in read.get("properties", {}).items():
            if name in there:
                problems += self.compare(there[name], schema, f"{path}.{name}".lstrip("."))
        if isinstance(others := read.get("additionalProperties"), dict):
            problems += self.compare(written.get("additionalProperties") or {}, others, f"{path}{{}}")
        elif others is False and set(there) - set(read.get("properties", {})):
            problems.append(f"{path}: unknown fields are not accepted")
        return problems


def _kind(schema: Schema) -> str:
    return str(schema.get("type", "any value"))


def _same_type(written: str | None, read: str | None) -> bool:
    return read is None or written == read or (written, read) == ("integer", "number")


def _values(written: Schema, read: Schema, path: str) -> Problems:
    accepted = _enumerated(read)
    if accepted is None or read.get(OPEN_ENUM):
        return []
    said = _enumerated(written)
    if said is None:
        return [f"{path}: only {accepted} are accepted"]
    return [f"{path}: the value {value!r} is not accepted" for value in said if value not in accepted]


def _enumerated(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _texts(written: Schema, read: Schema, path: str) -> Problems:
    """Formats and patterns can only be compared for equality."""
    keywords = [key for key in ("format", "pattern") if key in read and written.get(key) != read[key]]
    return [f"{path}: only the {key} {read[key]} is accepted" for key in keywords]


def _bounds(written: Schema, read: Schema, path: str) -> Problems:
    def beyond(keywords: tuple[str, ...], inside: Callable[[Any, Any], bool]) -> Iterator[str]:
        for key in keywords:
            if key in read and not (key in written and inside(written[key], read[key])):
                yield f"{path}: only {key} {read[key]} is accepted"

    return [*beyond(_LOWER, lambda said, limit: said >= limit), *beyond(_UPPER, lambda said, limit: said <= limit)]
