"""A collector of traces, as far as tests need one: it takes OTLP over HTTP and keeps the spans in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Recorded:
    """A span that a service sent; ``parent`` is empty for the first of a trace."""

    trace: str
    span: str
    parent: str
    service: str
    name: str


@dataclass
class Collector:
    """The spans that came so far; ``url`` is what a service is told."""

    url: str
    spans: list[Recorded] = field(default_factory=list)

    def of_trace(self, trace: str) -> list[Recorded]:
        return [one for one in self.spans if one.trace == trace]

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
            self.spans += [
                Recorded(one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), service, one.name)
                for scope in resource.scope_spans
                for one in scope.spans
            ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens until left."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
