"""Records of any content: read, or refused with the errors that the consumer parks, and nothing else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from chassis.kafka.records import ReceivedMessage, UnknownTypeError, decode
from contracts.model import Contract
from docgen.messages import message_types
from docgen.samples import Sample, samples
from hypothesis import given, settings
from hypothesis import strategies as st

SAMPLES = {sample.type: sample for sample in samples()}
UNTIMED = settings(deadline=None, max_examples=60)
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([10**400, "9" * 5000, "\0", "0001-01-01T00:00:00+14:00", {"$gt": ""}, [[]]]),
)


def record(value: bytes | None, headers: Any) -> Any:
    return ConsumerRecord("topic", 0, 0, 0, 0, b"key", value, None, 0, len(value or b""), tuple(headers))


def read(value: bytes | None, headers: Any) -> ReceivedMessage[Contract] | None:
    """None when it is refused as the consumer expects."""
    with suppress(ValueError):
        return decode(record(value, headers))
    return None


def spoilt(body: Any, data: st.DataObject) -> Any:
    """The body with junk in one place, at any depth."""
    match body:
        case dict() if body and data.draw(st.booleans()):
            name = data.draw(st.sampled_from(sorted(body)))
            return body | {name: spoilt(body[name], data)}
        case list() if body and data.draw(st.booleans()):
            return [spoilt(body[0], data), *body[1:]]
    return data.draw(JUNK)


def test_every_type_has_a_sample_and_is_read() -> None:
    assert SAMPLES.keys() == message_types().keys()
    for sample in SAMPLES.values():
        assert read(json.dumps(sample.body).encode(), sample.kafka_headers) is not None


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=str)
@UNTIMED
@given(data=st.data())
def test_a_sample_with_junk_in_it_is_read_or_refused(sample: Sample, data: st.DataObject) -> None:
    read(json.dumps(spoilt(sample.body, data)).encode(), sample.kafka_headers)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=str)
@UNTIMED
@given(data=st.data())
def test_a_sample_with_bytes_changed_is_read_or_refused(sample: Sample, data: st.DataObject) -> None:
    value = bytearray(json.dumps(sample.body).encode())
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=5)):
        value[place] = data.draw(st.integers(0, 255))
    read(bytes(value[: data.draw(st.integers(0, len(value)))]), sample.kafka_headers)


@pytest.mark.parametrize("value", [None, b"", b"null", b"[" * 1_000_000, b'{"a":' * 100_000, b"9" * 1_000_000, b"\xff"])
def test_what_is_no_body_of_any_type_is_refused(value: bytes | None) -> None:
    for sample in SAMPLES.values():
        assert read(value, sample.kafka_headers) is None


def test_an_unknown_type_is_told_apart() -> None:
    sample = next(iter(SAMPLES.values()))
    headers = {**dict(sample.kafka_headers), "ce_type": b"of.the.future.v9"}
    with pytest.raises(UnknownTypeError):
        decode(record(b"{}", headers.items()))
