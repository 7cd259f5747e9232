"""The edge of compose and of the local run: Caddy with the deployment's Caddyfile, in front of two stand-ins."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from contracts.api.errors import ErrorCode
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from localrun.edge import edge
from localrun.ports import free_port
from localrun.processes import Process

Key = ec.EllipticCurvePrivateKey
PATHS: list[str] = []
"""What reached a service."""


class Echo(BaseHTTPRequestHandler):
    """A service that answers with its own name and what reached it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        PATHS.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {"service": self.server.server_port, "path": self.path, "headers": dict(self.headers.items())}
        content = json.dumps(seen | {"body": len(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 a name of http.server

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Edge:
    url: str
    gateway: int
    webhooks: int

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@contextmanager
def serving() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def running(process: Process) -> Iterator[None]:
    process.start()
    try:
        process.wait_ready()
        yield
    finally:
        process.stop()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    port = free_port()
    with serving() as gateway, serving() as webhooks:
        process = edge(port, api_gateway=gateway, webhook_ingest=webhooks, state_dir=folder, log=folder / "edge.log")
        with running(process):
            yield Edge(f"http://127.0.0.1:{port}", gateway, webhooks)


@pytest.fixture(scope="module")
def client(front: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, trust_env=False, timeout=20) as client:
        yield client


def check_problem(answer: httpx.Response, code: ErrorCode) -> None:
    assert answer.status_code == code.status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlation-id"]
    error = answer.json()
    assert list(error) == ["errorCode", "message", "status", "path", "timestamp", "details"]
    assert (error["errorCode"], error["message"], error["status"]) == (code.code, code.message, code.status)
    assert error["path"] == answer.request.url.path
    assert error["details"] is None


def test_webhooks_and_api_are_under_one_base_url(client: httpx.Client, front: Edge) -> None:
    for path in ("/api/v1/webhooks/google", "/api/v1/webhooks/outlook?validationToken=x", "/api/v1/webhooks/"):
        answer = client.post(path).json()
        assert (answer["service"], answer["path"]) == (front.webhooks, path)
    for path in ("/api/v1/meetings?page=1", "/docs", "/", "/api/v1/webhooks", "/api/v1/webhooksx", "/a%2Fb//c"):
        answer = client.get(path).json()
        assert (answer["service"], answer["path"]) == (front.gateway, path)


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/internal/queries/get-meeting"])
def test_what_is_internal_is_not_found(client: httpx.Client, path: str) -> None:
    check_problem(client.post(path), ErrorCode.NOT_FOUND)


def test_only_the_edge_says_where_a_caller_is(client: httpx.Client) -> None:
    headers = client.get("/", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}).json()[
        "headers"
    ]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"


def test_answers_name_no_server(client: httpx.Client) -> None:
    assert {"server", "via"}.isdisjoint(client.get("/metrics").headers)
    assert "via" not in client.get("/").headers


def test_a_large_body_is_refused_and_one_that_services_refuse_reaches_them(client: httpx.Client) -> None:
    assert client.post("/", content=b"x" * 300_000).json()["body"] == 300_000
    refused = client.post("/", content=b"x" * 1_500_000)
    check_problem(refused, ErrorCode.BODY_TOO_LARGE)
    assert refused.headers["connection"] == "close"


def test_the_rest_of_a_refused_body_is_not_read_as_a_request(client: httpx.Client) -> None:
    for _ in range(50):  # before the edge closed such connections, one in eight met it
        client.post("/", content=b"x" * 1_500_000)
        assert client.get("/").status_code == 200


def test_headers_without_end_are_refused(client: httpx.Client) -> None:
    assert client.get("/", headers={"x-tenant-code": "x" * 30_000}).status_code == 200
    with suppress(httpx.TransportError):  # it may hang up on what is still being sent
        assert client.get("/endless", headers={"x-tenant-code": "x" * 60_000}).status_code == 431
    assert "/endless" not in PATHS


def test_a_client_that_hangs_up_in_the_middle_of_a_body_reaches_no_service(client: httpx.Client, front: Edge) -> None:
    with socket.create_connection(front.address, timeout=10) as half:
        half.sendall(b"POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
        client.get("/before")
    client.get("/after")
    assert "/before" in PATHS
    assert "/after" in PATHS
    assert "/half" not in PATHS


@pytest.mark.timeout(30)
def test_a_client_that_never_ends_its_headers_is_cut_off(front: Edge) -> None:
    with socket.create_connection(front.address, timeout=20) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert slow.recv(1000) == b""


def test_a_service_that_cannot_be_reached_has_accepted_nothing(tmp_path: Path) -> None:
    port = free_port()
    alone = edge(
        port, api_gateway=free_port(), webhook_ingest=free_port(), state_dir=tmp_path, log=tmp_path / "edge.log"
    )
    with running(alone), httpx.Client(trust_env=False, timeout=20) as client:
        for path in ("/api/v1/meetings", "/api/v1/webhooks/google"):
            answer = client.post(f"http://127.0.0.1:{port}{path}", json={})
            check_problem(answer, ErrorCode.SERVICE_UNAVAILABLE)
            assert int(answer.headers["retry-after"]) > 0


def test_a_restart_of_a_service_is_waited_for(tmp_path: Path) -> None:
    port, late = free_port(), free_port()
    process = edge(port, api_gateway=late, webhook_ingest=late, state_dir=tmp_path, log=tmp_path / "edge.log")
    with running(process), httpx.Client(trust_env=False, timeout=20) as client:
        answers: list[int] = []
        asking = threading.Thread(
            target=lambda: answers.append(client.post(f"http://127.0.0.1:{port}/", json={}).status_code)
        )
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        with ThreadingHTTPServer(("127.0.0.1", late), Echo) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            asking.join(10)
            server.shutdown()
        assert answers == [200]


def test_tls_is_turned_on_by_a_name_and_a_certificate(tmp_path: Path) -> None:
    name, port = "meetings.example.com", free_port()
    authority, certificate, key = self_made(name, tmp_path)
    with serving() as gateway:
        process = edge(port, api_gateway=gateway, webhook_ingest=gateway, state_dir=tmp_path, log=tmp_path / "edge.log")
        assert process.env is not None
        process.env |= {"EDGE_ADDRESS": f"https://{name}:{port}", "EDGE_TLS": f"tls {certificate} {key}"}
        with running(process):
            trusting = ssl.create_default_context(cafile=authority)
            with httpx.Client(verify=trusting, trust_env=False, timeout=20) as client:
                answer = client.get(
                    f"https://127.0.0.1:{port}/docs", headers={"Host": name}, extensions={"sni_hostname": name}
                )
    assert answer.status_code == 200
    assert answer.json()["headers"]["X-Forwarded-Proto"] == "https"


def self_made(name: str, folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate of it for this name with its key, as PEM files."""
    now, day = datetime.now(UTC), timedelta(days=1)

    def issued(subject: str, key: Key, issuer: str, by: Key, extension: x509.ExtensionType) -> bytes:
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer)]
        draft = x509.CertificateBuilder(
            names[1], names[0], key.public_key(), x509.random_serial_number(), now - day, now + day
        )
        return draft.add_extension(extension, critical=True).sign(by, hashes.SHA256()).public_bytes(Encoding.PEM)

    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    files = folder / "authority.pem", folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(issued("Self-made", root, "Self-made", root, x509.BasicConstraints(ca=True, path_length=0)))
    files[1].write_bytes(issued(name, own, "Self-made", root, x509.SubjectAlternativeName([x509.DNSName(name)])))
    files[2].write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
