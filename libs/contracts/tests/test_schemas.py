"""The golden schemas and the samples say what today's models do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from contracts.transport.envelope import Envelope
from contracts.transport.registry import MessageType
from docgen import schemas
from docgen.files import drift
from docgen.messages import message_types
from docgen.releases import today
from docgen.samples import Sample, sample_files, samples, samples_of
from docgen.schemas import schema_files
from jsonschema import Draft202012Validator, FormatChecker

TYPES = list(message_types().values())
SAMPLES = list(samples())
TODAY = today()
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_instant(value: Any) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def meeting_of(sample: Sample) -> str:
    body = sample.body
    return str(body.get("meetingUuid") or body["meeting"]["meetingUuid"])


KEYS: dict[str, Callable[[Sample], str]] = {
    "meetings.commands": meeting_of,
    "meetings.events": meeting_of,
    "gateway.replies": lambda sample: sample.headers["ce_causationid"],
    "calendar.commands": lambda sample: str(sample.body["actor"]["userId"]),
    "calendar.events": lambda sample: str(sample.body.get("meetingUuid") or sample.body["userId"]),
    "invitations.events": meeting_of,
    "calendar.notifications": lambda sample: str(sample.body["channelId"]),
    "calendar.channels": lambda sample: str(sample.body["channelId"]),
}
"""What the key rule of each topic means for a record."""


def test_golden_schemas_are_those_of_todays_models() -> None:
    assert drift(schema_files(), whole=schemas.FOLDER) == [], "run `make schemas` and look at what changed"


def test_samples_are_what_a_producer_writes_today() -> None:
    assert drift(sample_files()) == [], "run `make schemas` and look at what changed"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_every_message_type_has_a_sample(kind: MessageType) -> None:
    assert samples_of(kind.name), f"write libs/contracts/samples/{kind.name}/<what it shows>.json"


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_sample_is_a_whole_record_of_its_type(sample: Sample) -> None:
    kind, envelope = message_types()[sample.type], Envelope.from_headers(sample.kafka_headers)
    assert envelope.type == kind.name
    assert envelope.source in kind.topic.writer
    assert sample.key == KEYS[kind.topic.name](sample)
    assert envelope.sequence is not None or kind.topic.name != "meetings.events"
    assert (envelope.reply_to is not None) is kind.topic.name.endswith(".commands")


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_sample_fits_the_schemas_of_its_type(sample: Sample) -> None:
    promise = TODAY[sample.type]
    for schema in (promise.written, promise.read):
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema, format_checker=FORMATS).validate(sample.body)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_a_written_schema_promises_every_field(kind: MessageType) -> None:
    written = TODAY[kind.name].written
    for schema in (written, *written.get("$defs", {}).values()):
        assert set(schema.get("properties", ())) == set(schema.get("required", ())), schema["title"]
