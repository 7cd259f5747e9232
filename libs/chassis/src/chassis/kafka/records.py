"""Between contracts and Kafka records."""

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from aiokafka import ConsumerRecord
from contracts.model import Contract
from contracts.transport.envelope import Envelope, Headers, Message
from contracts.transport.registry import MESSAGE_TYPES, type_of

from chassis.telemetry.context import current_context
from chassis.telemetry.tracing import traceparent

Body = TypeVar("Body", bound=Contract)
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


class OutgoingRecord(NamedTuple):
    """A record to be published, encoded already, so that it can wait in an outbox."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class ReceivedMessage(Generic[Body]):
    """A decoded message with the record it came in."""

    envelope: Envelope
    body: Body
    record: Record


class UnknownTypeError(ValueError):
    """The envelope is sound but this version does not know the type."""


def encode(message: Message[Any], key: str) -> OutgoingRecord:
    """The record that carries a message on its type's topic."""
    return OutgoingRecord(
        type_of(message.body).topic.name,
        key.encode(),
        message.body.model_dump_json().encode(),
        message.envelope.to_headers(),
    )


def decode(record: Record) -> ReceivedMessage[Contract]:
    """Read a record.

    Raises:
        UnknownTypeError: no such message type is known here.
        ValueError: the envelope or the body is not readable.
    """
    envelope = Envelope.from_headers(record.headers)
    known = MESSAGE_TYPES.get(envelope.type)
    if known is None:
        raise UnknownTypeError(envelope.type)
    return ReceivedMessage(envelope, known.body.model_validate_json(record.value or b""), record)


def event_record(
    event: Contract, *, source: str, subject: str, tenant: str | None = None, sequence: int | None = None
) -> OutgoingRecord:
    """The record of a new event in the envelope of ``envelope_for``; the events of one subject stay in order."""
    envelope = envelope_for(event, source=source, subject=subject, tenant=tenant, sequence=sequence)
    return encode(Message(envelope, event), subject)


def envelope_for(
    body: Contract,
    *,
    source: str,
    subject: str,
    tenant: str | None = None,
    sequence: int | None = None,
    reply_to: str | None = None,
) -> Envelope:
    """An envelope for a new message, caused by and correlated with the current work; its tenant too, unless given."""
    context = current_context()
    return Envelope(
        type=type_of(body).name,
        source=source,
        subject=subject,
        tenant=context.tenant if tenant is None else tenant,
        sequence=sequence,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
        reply_to=reply_to,
        traceparent=traceparent(),
    )
