"""The envelope survives Kafka headers, and hostile headers are never anything but an ``EnvelopeError``."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from contracts.transport.envelope import Envelope, EnvelopeError, Headers
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(min_size=1, max_size=30)
MAYBE = st.none() | st.text(max_size=30)
INSTANTS = st.integers(-(2**40), 2**40).map(lambda ms: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
ENVELOPES = st.builds(
    Envelope,
    type=TEXT,
    source=TEXT,
    subject=TEXT,
    tenant=st.text(max_size=30),
    id=TEXT,
    time=INSTANTS,
    sequence=st.none() | st.integers(0, 2**63 - 1),
    correlation_id=MAYBE,
    causation_id=MAYBE,
    reply_to=MAYBE,
    traceparent=MAYBE,
)
NAMES = st.sampled_from(
    [
        *("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_tenant", "ce_sequence"),
        *("ce_replyto", "traceparent", "ce_", "content-type", "unrelated"),
    ]
)
VALUES = st.none() | st.binary(max_size=40) | st.sampled_from([b"", b"1.0", b"2026-01-01", b"9" * 5000, b"\xff"])
HEADERS = st.lists(st.tuples(NAMES | st.text(max_size=5), VALUES), max_size=15)
SOUND = Envelope(type="a.b.v1", source="meeting-core", subject="M1", tenant="T1").to_headers()


@given(ENVELOPES)
def test_an_envelope_comes_back_from_headers_as_it_was(envelope: Envelope) -> None:
    assert Envelope.from_headers(envelope.to_headers()) == envelope


@given(ENVELOPES)
def test_headers_are_cloudevents_in_binary_mode(envelope: Envelope) -> None:
    headers = dict(envelope.to_headers())
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert {name for name in headers if not name.startswith("ce_")} <= {"content-type", "traceparent"}
    attributes = [name.removeprefix("ce_") for name in headers if name.startswith("ce_")]
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in attributes)


@given(HEADERS)
def test_hostile_headers_are_refused_as_no_envelope(headers: Headers) -> None:
    with suppress(EnvelopeError):
        Envelope.from_headers(headers)


@given(envelope=ENVELOPES, more=HEADERS)
def test_one_hostile_header_among_sound_ones_is_no_more_than_refused(envelope: Envelope, more: Headers) -> None:
    with suppress(EnvelopeError):
        Envelope.from_headers([*envelope.to_headers(), *more])


@given(st.lists(st.tuples(st.sampled_from(["unrelated", "dlt-topic", "CE_ID"]), st.none() | st.binary()), max_size=5))
def test_headers_that_are_not_ours_are_ignored(others: Headers) -> None:
    assert Envelope.from_headers([*others, *SOUND, *others]) == Envelope.from_headers(SOUND)


@pytest.mark.parametrize(
    "name", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_tenant"]
)
def test_a_required_attribute_may_not_be_missing(name: str) -> None:
    with pytest.raises(EnvelopeError, match=name):
        Envelope.from_headers([header for header in SOUND if header[0] != name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b""),
        ("ce_type", b""),
        ("ce_source", b""),
        ("ce_subject", b""),
        ("ce_time", b"2026-06-15T10:30:00"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_time", b"yesterday"),
        ("ce_sequence", b"two"),
        ("ce_sequence", b"9" * 5000),
        ("ce_tenant", b"\xff"),
    ],
)
def test_an_attribute_must_be_readable(name: str, value: bytes) -> None:
    with pytest.raises(EnvelopeError):
        Envelope.from_headers([*(header for header in SOUND if header[0] != name), (name, value)])


def test_a_header_without_a_value_is_refused() -> None:
    with pytest.raises(EnvelopeError):
        Envelope.from_headers([*SOUND, ("ce_replyto", None)])  # type: ignore[list-item]  # Kafka allows it
