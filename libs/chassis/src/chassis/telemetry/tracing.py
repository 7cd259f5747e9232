"""Traces: one request followed through HTTP, Kafka, MongoDB, mail and calendar calls, by OpenTelemetry.

Without an endpoint to send them to no spans are made, and what remains is that the trace a caller began travels on (W3C
Trace Context, https://www.w3.org/TR/trace-context/). Attributes are ids and counts, never
names, addresses or contents. How much is sampled is said by the standard ``OTEL_TRACES_SAMPLER``.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer: Tracer | None = None
_w3c = TraceContextTextMapPropagator()
_NONE = nullcontext(INVALID_SPAN)

__all__ = ["SpanKind", "batch_span", "configure_tracing", "span", "traceparent", "use_traceparent"]


@contextmanager
def configure_tracing(service: str, endpoint: str | None) -> Iterator[None]:
    """Send the spans made inside to the OTLP/HTTP ``endpoint``, a collector's base URL; without one record nothing."""
    global _tracer  # noqa: PLW0603 a process has one
    if endpoint is None:
        yield
        return
    # Imported only here: recording and sending take memory that is not needed while tracing is off.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    _tracer = provider.get_tracer("meetings")
    PymongoInstrumentor().instrument(tracer_provider=provider, capture_statement=False)
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def traceparent() -> str | None:
    """What of the running work's trace travels with messages and requests; None outside of any trace."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def use_traceparent(traceparent: str | None) -> Iterator[None]:
    """Do what follows in the trace that was begun elsewhere; an unreadable ``traceparent`` changes nothing."""
    if traceparent is None:
        yield
        return
    token = current.attach(_w3c.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        current.detach(token)


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> AbstractContextManager[Span]:
    """What is done inside is a part of the trace of its own; a name is one of few, what varies is an attribute."""
    if _tracer is None:
        return _NONE
    return _tracer.start_as_current_span(name, kind=kind, attributes=attributes)


@contextmanager
def batch_span(name: str, traceparents: Sequence[str | None]) -> Iterator[Span]:
    """The handling of several messages at once: it belongs to the trace of one that is alone, and links to several."""
    if len(traceparents) == 1:
        with use_traceparent(traceparents[0]), span(name, SpanKind.CONSUMER) as started:
            yield started
        return
    if _tracer is None:
        yield INVALID_SPAN
        return
    spans = (trace.get_current_span(_w3c.extract({"traceparent": parent})) for parent in traceparents if parent)
    links = [Link(linked.get_span_context()) for linked in spans if linked.get_span_context().is_valid]
    with _tracer.start_as_current_span(name, kind=SpanKind.CONSUMER, links=links) as started:
        yield started
