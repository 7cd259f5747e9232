"""Apache Kafka as firms run it: TLS of an authority of their own, a login for each service, and an authorizer.

Its listeners: SASL over TLS with every mechanism, TLS with client certificates, and SASL without TLS. Whoever has no
ACL may do nothing; ``admin`` may do everything.
"""

import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web
from chassis.kafka.acls import PROVISIONING
from contracts.transport.topics import (
    API_GATEWAY,
    CALENDAR_SYNC,
    INVITATIONS,
    MEETING_CORE,
    OPERATORS,
    WEBHOOK_INGEST,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from localrun.kafka import kafka_node
from localrun.ports import free_port
from localrun.processes import Process

SERVICES = (API_GATEWAY, MEETING_CORE, INVITATIONS, CALENDAR_SYNC, WEBHOOK_INGEST)
ADMIN = "admin"
USERS = (*SERVICES, OPERATORS, PROVISIONING, ADMIN)
Environment = dict[str, str]
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_OAUTH = "org.apache.kafka.common.security.oauthbearer"


@dataclass(frozen=True)
class SecuredKafka:
    """A broker that is running, and how each user reaches it."""

    process: Process
    folder: Path
    authority: trustme.CA
    ports: dict[str, int]

    def as_user(self, user: str, mechanism: str = "SCRAM-SHA-512", protocol: str = "SASL_SSL") -> Environment:
        """The settings of a client with a password."""
        encrypted = {"KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem")} if protocol == "SASL_SSL" else {}
        return encrypted | {
            "KAFKA_BOOTSTRAP_SERVERS": self._at(protocol),
            "KAFKA_SECURITY_PROTOCOL": protocol,
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": password(user),
        }

    def with_token(self, client_id: str, token_url: str) -> Environment:
        """The settings of a client that gets tokens."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._at("SASL_SSL"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_OAUTH_TOKEN_URL": token_url,
            "KAFKA_OAUTH_CLIENT_ID": client_id,
            "KAFKA_OAUTH_CLIENT_SECRET": password(client_id),
        }

    def with_certificate(self, user: str) -> Environment:
        """The settings of a client with a certificate of its own."""
        cert, key = self.folder / f"{user}.pem", self.folder / f"{user}.key"
        issued = self.authority.issue_cert(f"{user}.example.com", common_name=user)
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._at("SSL"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
            "KAFKA_SSL_CERT_FILE": str(cert),
            "KAFKA_SSL_KEY_FILE": str(key),
        }

    def _at(self, protocol: str) -> str:
        return f"localhost:{self.ports[protocol]}"


def password(user: str) -> str:
    return f"password-of-{user}"


@asynccontextmanager
async def token_endpoint() -> AsyncIterator[str]:
    """The URL of one that gives each client a token of its own name."""

    async def answer(request: web.Request) -> web.Response:
        login = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        client, _, secret = login.partition(":")
        assert secret == password(client)
        return web.json_response({"access_token": _unsigned_token(client), "expires_in": 3600})

    app = web.Application()
    app.router.add_post("/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


def _unsigned_token(user: str) -> str:
    """As Kafka's unsecured OAUTHBEARER of development takes it (RFC 7515 section 6)."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + 3600})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@contextmanager
def running_secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Started, and stopped at the end. Raises ``LocalRunError`` without Java 17, Maven or the jars."""
    ports = {name: free_port() for name in ("SASL_SSL", "SSL", "SASL_PLAINTEXT")}
    controller, authority = free_port(), trustme.CA()
    _write_certificates(folder, authority)
    users = [f"--add-scram={kind}=[name={user},password={password(user)}]" for user in USERS for kind in _KINDS]
    process = kafka_node(
        folder,
        _properties(folder, ports, controller),
        port=ports["SASL_SSL"],
        controller=controller,
        log=folder / "kafka.log",
        format_options=users,
    )
    process.start()
    try:
        process.wait_ready()
        yield SecuredKafka(process, folder, authority, ports)
    finally:
        process.stop()


_KINDS = ("SCRAM-SHA-256", "SCRAM-SHA-512")


def _write_certificates(folder: Path, authority: trustme.CA) -> None:
    """PEM files as Kafka reads them: its keys must be PKCS #8."""
    server = authority.issue_cert("localhost", "127.0.0.1")
    key = load_pem_private_key(server.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(pkcs8 + server.cert_chain_pems[0].bytes())
    authority.cert_pem.write_to_path(folder / "ca.pem")


def _properties(folder: Path, ports: dict[str, int], controller: int) -> str:
    listeners = ",".join(f"{name}://localhost:{port}" for name, port in ports.items())
    logins = "".join(_logins(f"listener.name.{name}") for name in ("sasl_ssl", "sasl_plaintext"))
    return f"""
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map={",".join(f"{name}:{name}" for name in ports)},CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={folder / "server.pem"}
ssl.truststore.type=PEM
ssl.truststore.location={folder / "ca.pem"}
listener.name.ssl.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# The node is anonymous to its own controller, which nobody else can reach.
super.users=User:{ADMIN};User:ANONYMOUS
{logins}"""


def _logins(listener: str) -> str:
    plain = " ".join(f'user_{user}="{password(user)}"' for user in USERS)
    broker = f'username="{ADMIN}" password="{password(ADMIN)}"'
    return f"""
{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
{listener}.scram-sha-256.sasl.jaas.config={_SCRAM} required {broker};
{listener}.scram-sha-512.sasl.jaas.config={_SCRAM} required {broker};
{listener}.plain.sasl.jaas.config={_PLAIN} required {plain};
{listener}.oauthbearer.sasl.jaas.config={_OAUTH}.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";
{listener}.oauthbearer.sasl.server.callback.handler.class={_OAUTH}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler
"""
