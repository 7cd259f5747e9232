"""Correlation, causation and tenant ids, passed from the HTTP request through every message."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from contracts.transport.envelope import Envelope
from contracts.values.ids import uuid7_hex

from chassis.telemetry.tracing import use_traceparent


@dataclass(frozen=True, slots=True)
class Context:
    """The correlation of one piece of work. ``cause`` is the id of the message being handled.

    ``traceparent`` is the trace that the work goes on with, when it comes from elsewhere.
    """

    correlation_id: str
    tenant: str = ""
    causation_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> "Context":
        return cls(envelope.correlation_id or envelope.id, envelope.tenant, envelope.id, envelope.traceparent)


_current: ContextVar[Context | None] = ContextVar("context", default=None)


def context_or_none() -> Context | None:
    """The context of the running work, if there is one."""
    return _current.get()


def current_context() -> Context:
    """The context of the running work; outside of any, a new one."""
    return _current.get() or Context(correlation_id=uuid7_hex())


@contextmanager
def use_context(context: Context) -> Iterator[None]:
    """Do what follows in this context; its ids are on every log line."""
    token = _current.set(context)
    try:
        with use_traceparent(context.traceparent):
            yield
    finally:
        _current.reset(token)
