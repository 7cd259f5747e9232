"""The mailer against a real mail server that refuses, breaks and comes back as it is told."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from contracts.values.enums import DeliveryFailureCode
from invitations.adapters.smtp import SmtpMailer, SmtpUnavailableError
from invitations.application.mail_sender import DeferredError, Mail, UndeliverableError
from invitations.settings import MailTls, SmtpSettings
from localrun.ports import free_port
from pydantic import SecretStr

from tests.support.waiting import until

SENDER = "meetings@example.com"


@dataclass
class Server:
    """A mail server whose replies the test decides."""

    port: int = 0
    sessions: int = 0
    at_once: int = 0
    most_at_once: int = 0
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)
    on_mail: list[str] = field(default_factory=list)
    on_rcpt: list[str] = field(default_factory=list)
    on_data: list[str] = field(default_factory=list)
    """Replies, used up in turn; ``hang up`` breaks the connection; then all is well."""
    logged_in: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := _next(self.on_mail):
            return _hang_up(server) if refusal == "hang up" else refusal
        self.peers.add(session.peer)
        self.senders.append(address)
        self.encrypted.append(session.ssl is not None)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := _next(self.on_rcpt):
            return _hang_up(server) if refusal == "hang up" else refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)  # others may come in
        self.at_once -= 1
        if refusal := _next(self.on_data):
            return _hang_up(server) if refusal == "hang up" else refusal
        self.kept.append((envelope.rcpt_tos[0], envelope.original_content or b""))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logged_in.append(data.login.decode())
        return AuthResult(success=data.password == b"right")


def _next(replies: list[str]) -> str | None:
    return replies.pop(0) if replies else None


def _hang_up(server: SMTP) -> str:
    assert server.transport is not None
    server.transport.close()
    return "421 gone"


@asynccontextmanager
async def serving(
    server: Server, *, port: int = 0, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(server, hostname="mx.example.com", loop=loop, **options), "127.0.0.1", port, ssl=tls
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


def settings(server: Server, **changes: Any) -> SmtpSettings:
    given: dict[str, Any] = {
        "service_name": "invitations",
        "http_port": 0,
        "internal_token": SecretStr("internal"),
        "mongodb_database": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_tls": MailTls.NONE,
        "smtp_timeout": 5,
        "smtp_connections": 3,
    }
    return SmtpSettings(**(given | changes))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Server()) as running:
        yield running


@pytest.fixture
async def mailer(server: Server) -> AsyncIterator[SmtpMailer]:
    async with SmtpMailer(settings(server), sender=SENDER).opened() as opened:
        yield opened


def mail(to: str = "jane@example.com", content: bytes = b"Subject: x\r\n\r\n.dot\r\nend\r\n") -> Mail:
    return Mail(to, "<1@example.com>", content, organizer=SENDER, return_address=SENDER)


async def test_a_mail_arrives_as_it_is(server: Server, mailer: SmtpMailer) -> None:
    await mailer.send(mail())
    assert server.kept == [("jane@example.com", mail().content)]
    assert server.senders == [SENDER]


async def test_connections_are_few_and_used_again(server: Server, mailer: SmtpMailer) -> None:
    await asyncio.gather(*(mailer.send(mail(f"{n}@example.com")) for n in range(30)))
    assert len(server.kept) == 30
    assert len(server.peers) <= 3
    assert server.most_at_once <= 3


async def test_a_connection_is_given_up_after_so_many_mails(server: Server) -> None:
    async with SmtpMailer(settings(server, smtp_mails_per_connection=2), sender=SENDER).opened() as mailer:
        for _ in range(6):
            await mailer.send(mail())
    assert len(server.peers) == 3


@pytest.mark.parametrize(
    ("where", "reply", "code"),
    [
        ("on_rcpt", "550 5.1.1 No such user", DeliveryFailureCode.ADDRESS_REJECTED),
        ("on_rcpt", "553 Mailbox name not allowed", DeliveryFailureCode.ADDRESS_REJECTED),
        ("on_data", "554 5.7.1 Policy", DeliveryFailureCode.MAIL_REJECTED),
        ("on_mail", "552 Too big", DeliveryFailureCode.MAIL_REJECTED),
    ],
)
async def test_a_final_refusal_is_told_in_the_servers_words_and_hurts_no_other_mail(
    server: Server, mailer: SmtpMailer, where: str, reply: str, code: DeliveryFailureCode
) -> None:
    getattr(server, where).append(reply)
    with pytest.raises(UndeliverableError) as refusal:
        await mailer.send(mail("gone@example.com"))
    assert (refusal.value.code, refusal.value.reason) == (code, reply)
    await mailer.send(mail("here@example.com"))
    assert [to for to, _ in server.kept] == ["here@example.com"]


@pytest.mark.parametrize("where", ["on_mail", "on_rcpt", "on_data"])
async def test_a_passing_refusal_defers_the_mail_for_certain(server: Server, mailer: SmtpMailer, where: str) -> None:
    getattr(server, where).append("451 4.3.0 Try later")
    with pytest.raises(DeferredError) as deferral:
        await mailer.send(mail())
    assert not deferral.value.may_have_been_sent
    assert deferral.value.reason == "451 4.3.0 Try later"
    await mailer.send(mail())
    assert len(server.kept) == 1


async def test_only_a_break_after_the_mail_leaves_a_doubt(server: Server, mailer: SmtpMailer) -> None:
    server.on_rcpt.append("hang up")
    with pytest.raises(DeferredError) as before:
        await mailer.send(mail())
    assert not before.value.may_have_been_sent
    server.on_data.append("hang up")
    with pytest.raises(DeferredError) as after:
        await mailer.send(mail())
    assert after.value.may_have_been_sent
    await mailer.send(mail())


async def test_a_connection_that_the_server_closed_meanwhile_costs_nothing(server: Server, mailer: SmtpMailer) -> None:
    await mailer.send(mail())
    server.on_mail.append("hang up")
    await mailer.send(mail())
    assert len(server.kept) == 2


async def test_a_server_that_is_away_is_no_mails_fault() -> None:
    nobody = Server(port=free_port())
    async with SmtpMailer(settings(nobody), sender=SENDER).opened() as mailer:
        with pytest.raises(SmtpUnavailableError):
            await mailer.send(mail())
        async with serving(nobody, port=nobody.port):
            await mailer.send(mail())
    assert len(nobody.kept) == 1


async def test_a_server_that_closes_is_away(server: Server, mailer: SmtpMailer) -> None:
    server.on_mail += ["421 4.3.2 Closing"]
    with pytest.raises(SmtpUnavailableError):
        await mailer.send(mail())
    await mailer.send(mail())


async def test_idle_connections_are_closed(server: Server) -> None:
    async with SmtpMailer(settings(server, smtp_idle=0.02), sender=SENDER).opened() as mailer:
        await mailer.send(mail())
        await until(lambda: _is_empty(mailer._idle), what="the idle connection is closed")
        await mailer.send(mail())
    assert len(server.peers) == 2


# --- TLS and login ----------------------------------------------------------------------------------------------------


async def _is_empty(connections: list[Any]) -> bool:
    return not connections


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


async def test_starttls_with_login(certificate: Path) -> None:
    server = Server()
    tls = {"tls_context": server_context(certificate), "require_starttls": True}
    login = {"authenticator": server.authenticate, "auth_required": True}
    async with serving(server, **tls, **login):
        given = {"smtp_tls": MailTls.STARTTLS, "smtp_ca_file": certificate / "cert.pem", "smtp_username": "us"}
        good = settings(server, smtp_password=SecretStr("right"), **given)
        async with SmtpMailer(good, sender=SENDER).opened() as mailer:
            await mailer.send(mail())
        wrong = settings(server, smtp_password=SecretStr("wrong-secret"), **given)
        async with SmtpMailer(wrong, sender=SENDER).opened() as mailer:
            with pytest.raises(SmtpUnavailableError) as refusal:
                await mailer.send(mail())
    assert "wrong-secret" not in str(refusal.value)
    assert server.encrypted == [True]
    assert server.logged_in == ["us", "us"]
    assert len(server.kept) == 1


async def test_implicit_tls(certificate: Path) -> None:
    server = Server()
    async with serving(server, tls=server_context(certificate)):
        given = settings(server, smtp_tls=MailTls.IMPLICIT, smtp_ca_file=certificate / "cert.pem")
        async with SmtpMailer(given, sender=SENDER).opened() as mailer:
            await mailer.send(mail())
    assert len(server.kept) == 1


async def test_without_the_encryption_that_is_asked_for_nothing_is_sent(server: Server) -> None:
    async with SmtpMailer(settings(server, smtp_tls=MailTls.STARTTLS), sender=SENDER).opened() as mailer:
        with pytest.raises(SmtpUnavailableError):
            await mailer.send(mail())
    assert server.kept == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    server = Server()
    async with (
        serving(server, tls=server_context(certificate)),
        SmtpMailer(settings(server, smtp_tls=MailTls.IMPLICIT), sender=SENDER).opened() as mailer,
    ):
        with pytest.raises(SmtpUnavailableError):
            await mailer.send(mail())
    assert server.kept == []
