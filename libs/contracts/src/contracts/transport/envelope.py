"""The envelope: CloudEvents 1.0 in Kafka binary mode. Facts about a message are headers, its body is JSON alone.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from contracts.model import Contract
from contracts.values.ids import uuid7_hex
from contracts.values.times import format_instant, parse_instant, utc_now

Headers = list[tuple[str, bytes]]
Body = TypeVar("Body", bound=Contract)
_SPEC_VERSION = "1.0"


class EnvelopeError(ValueError):
    """The headers are no CloudEvents envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The attributes of a message: source, type, aggregate, time and cause.

    ``sequence`` is the aggregate's version after an event; ``correlation_id`` is the same from the first request to the
    last effect; ``causation_id`` is the id of the message that led to this one; ``reply_to`` names the topic that
    wants the answer to a command; ``traceparent`` is W3C Trace Context.
    """

    type: str
    source: str
    subject: str
    tenant: str
    id: str = field(default_factory=uuid7_hex)
    time: datetime = field(default_factory=utc_now)
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None

    def to_headers(self) -> Headers:
        optional = (
            ("ce_sequence", None if self.sequence is None else str(self.sequence)),
            ("ce_correlationid", self.correlation_id),
            ("ce_causationid", self.causation_id),
            ("ce_replyto", self.reply_to),
            ("traceparent", self.traceparent),
        )
        return [
            ("ce_specversion", _SPEC_VERSION.encode()),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_time", format_instant(self.time).encode()),
            ("ce_tenant", self.tenant.encode()),
            ("content-type", b"application/json"),
            *((name, value.encode()) for name, value in optional if value is not None),
        ]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> "Envelope":
        """Read an envelope; headers that are not ours are ignored.

        Raises:
            EnvelopeError: a required attribute is missing or unreadable.
        """
        try:
            found = {name: value.decode() for name, value in headers if name.startswith("ce_") or name == "traceparent"}
            _check_version(found["ce_specversion"])
            sequence = found.get("ce_sequence")
            return cls(
                id=_filled(found, "ce_id"),
                type=_filled(found, "ce_type"),
                source=_filled(found, "ce_source"),
                subject=_filled(found, "ce_subject"),
                time=parse_instant(found["ce_time"]),
                tenant=found["ce_tenant"],
                sequence=None if sequence is None else int(sequence),
                correlation_id=found.get("ce_correlationid"),
                causation_id=found.get("ce_causationid"),
                reply_to=found.get("ce_replyto"),
                traceparent=found.get("traceparent"),
            )
        except KeyError as missing:
            raise EnvelopeError(f"no header {missing}") from missing
        except (ValueError, AttributeError) as unreadable:
            raise EnvelopeError(str(unreadable)) from unreadable


def _check_version(version: str) -> None:
    if version != _SPEC_VERSION:
        raise ValueError(f"not CloudEvents {_SPEC_VERSION}")


def _filled(found: dict[str, str], name: str) -> str:
    """An attribute that CloudEvents wants to be a non-empty string."""
    if not found[name]:
        raise ValueError(f"empty header {name}")
    return found[name]


@dataclass(frozen=True, slots=True)
class Message(Generic[Body]):
    """An envelope with its body."""

    envelope: Envelope
    body: Body
