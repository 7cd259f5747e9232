"""Samples: whole records as they lie on their topics, with key, headers and body.

A sample is a file ``samples/<type>/<what it shows>.json``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.transport.envelope import Envelope, Headers

from docgen.files import ROOT, Files, as_json
from docgen.messages import message_types

FOLDER = "libs/contracts/samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One record, read from its file."""

    path: Path
    key: str
    headers: dict[str, str]
    body: Any

    @property
    def type(self) -> str:
        return self.path.parent.name

    @property
    def kafka_headers(self) -> Headers:
        return [(name, value.encode()) for name, value in self.headers.items()]

    def __str__(self) -> str:
        return f"{self.type}/{self.path.stem}"


def samples(folder: Path = ROOT / FOLDER) -> Iterator[Sample]:
    """The samples in a folder, by type and name."""
    for path in sorted(folder.glob("*/*.json")):
        yield Sample(path, **json.loads(path.read_text(encoding="utf-8")))


def samples_of(name: str) -> list[Sample]:
    """Today's samples of one message type."""
    return [sample for sample in samples() if sample.type == name]


def sample_files() -> Files:
    """Today's samples as a producer would write them today: new optional fields stand in them with their defaults."""
    return {sample.path.relative_to(ROOT).as_posix(): rewritten(sample) for sample in samples()}


def rewritten(sample: Sample) -> str:
    """What today's producer would write for what today's consumer reads in a sample."""
    headers = Envelope.from_headers(sample.kafka_headers).to_headers()
    body = message_types()[sample.type].body.model_validate(sample.body)
    return as_json(
        {
            "key": sample.key,
            "headers": {name: value.decode() for name, value in headers},
            "body": body.model_dump(mode="json"),
        }
    )
