"""The trace of a request travels with what it leads to, whether or not anything records it."""

from collections.abc import Iterator

import pytest
from chassis.kafka.records import envelope_for
from chassis.telemetry.context import Context, use_context
from chassis.telemetry.tracing import SpanKind, batch_span, span, traceparent, use_traceparent
from contracts.messages.calendar_commands import SetModalPreference
from contracts.messages.command import Actor
from contracts.values.enums import FirstTimeModalPreference, UserType
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN, ANOTHER = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{OTHER}-00f067aa0ba902b7-01"
COMMAND = SetModalPreference(
    command_id="1",
    fingerprint="",
    actor=Actor(tenant_uuid="T1", user_id="U1", user_type=UserType.TENANT_STAFF, email="a@example.com"),
    action=FirstTimeModalPreference.DONT_SHOW,
)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is recorded while a test runs."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("chassis.telemetry.tracing._tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def one(recorded: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [each for each in recorded.get_finished_spans() if each.name == name]
    return found


def test_without_a_trace_nothing_travels() -> None:
    assert traceparent() is None
    assert envelope_for(COMMAND, source="tests", subject="U1").traceparent is None


@pytest.mark.parametrize("given", [GIVEN, ANOTHER])
def test_a_trace_that_nobody_records_here_travels_on_unchanged(given: str) -> None:
    with use_context(Context("c1", traceparent=given)), span("work", SpanKind.SERVER):
        assert envelope_for(COMMAND, source="tests", subject="U1").traceparent == given


@pytest.mark.parametrize("given", ["", "garbage", f"00-{'0' * 32}-{'0' * 16}-01", "00-" + "x" * 5000, "\r\nevil: 1"])
def test_an_unreadable_trace_does_not_travel(given: str) -> None:
    with use_context(Context("c1", traceparent=given)):
        assert traceparent() is None


def test_another_context_without_a_trace_of_its_own_stays_in_the_trace() -> None:
    with use_context(Context("c1", traceparent=GIVEN)), use_context(Context("c1", tenant="T1")):
        assert traceparent() == GIVEN


def test_what_is_recorded_hangs_together(recorded: InMemorySpanExporter) -> None:
    with use_traceparent(GIVEN), span("first"):
        sent = envelope_for(COMMAND, source="tests", subject="U1")
    with use_context(Context.of(sent)), span("second", SpanKind.CONSUMER, number=2):
        pass
    first, second = one(recorded, "first"), one(recorded, "second")
    assert {format(each.context.trace_id, "032x") for each in (first, second) if each.context} == {TRACE}
    assert second.parent is not None
    assert first.context is not None
    assert second.parent.span_id == first.context.span_id
    assert dict(second.attributes or {}) == {"number": 2}


def test_a_message_that_is_alone_is_handled_in_its_trace(recorded: InMemorySpanExporter) -> None:
    with batch_span("process", [GIVEN]):
        pass
    context = one(recorded, "process").context
    assert context is not None
    assert format(context.trace_id, "032x") == TRACE


def test_a_batch_links_to_the_trace_of_each_of_its_messages(recorded: InMemorySpanExporter) -> None:
    with batch_span("process", [GIVEN, None, "garbage", ANOTHER]):
        pass
    found = one(recorded, "process")
    assert found.parent is None
    assert [format(link.context.trace_id, "032x") for link in found.links] == [TRACE, OTHER]


def test_nothing_is_recorded_unless_somebody_wants_it() -> None:
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
