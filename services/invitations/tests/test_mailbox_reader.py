"""A mailbox that is read over IMAP, on a real server: what becomes of each mail, and what happens when things fail."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
import structlog
from chassis.http.rate_limit import RateLimiter
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.invitation_events import GuestReplied, MailFailed
from contracts.values.enums import RsvpStatus
from contracts.values.ids import uuid7_hex
from invitations.adapters.inbound.authentication import AuthenticationResults
from invitations.adapters.inbound.imap import MailboxRefusedError, MailboxUnavailableError
from invitations.adapters.inbound.intake import Intake
from invitations.adapters.inbound.mailbox_reader import (
    INDEXES,
    MAILBOX_ID,
    MAILBOX_WORK,
    MailboxReader,
    mailbox_workers,
)
from invitations.adapters.inbound.recipients import recipient_of
from invitations.adapters.replies import ReplyRepository
from invitations.application.inbound_mail import InboundMail
from invitations.settings import MailboxSettings, MailTls
from prometheus_client import REGISTRY
from pydantic import SecretStr
from simulators.mail.programs import Answer, Outgoing, Program, bounce, reply

from tests.support.commands import create
from tests.support.dovecot import DOVECOT, PASSWORD, USER, Dovecot, running_dovecot
from tests.support.guests import JANE, jane
from tests.support.inbound_office import ADDRESSES, BASE, BELIEVED, DOMAIN, Office, intake_of, with_headers
from tests.support.waiting import until

pytestmark = pytest.mark.integration

needs_dovecot = pytest.mark.skipif(DOVECOT is None, reason="no dovecot: apt-get install dovecot-imapd")
DONE, ASIDE = "Meetings done", "Meetings set aside"
TOKEN = "token-of-the-application"
_WITHIN = 60.0


class TokenServer:
    """A token endpoint, and what says to the mail server whether a token is good."""

    def __init__(self) -> None:
        self.requests: list[dict[str, list[str]]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if self.path.startswith("/introspect"):
                    self._answer(200, {"active": form["token"] == [TOKEN], "username": USER})
                    return
                outer.requests.append(form)
                self._answer(outer.status, {"access_token": TOKEN, "expires_in": 3600})

            def _answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenServer]:
    server = TokenServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running(tokens: TokenServer) -> Iterator[Dovecot]:
    with running_dovecot(introspection_url=f"{tokens.url}/introspect") as server:
        yield server


@pytest.fixture
def mailbox(running: Dovecot) -> Dovecot:
    """The server, with an empty mailbox."""
    running.clear()
    return running


def settings(office: Office, mailbox: Dovecot, **more: Any) -> MailboxSettings:
    return MailboxSettings.model_validate(
        office.settings.model_dump()
        | {
            "imap_host": "127.0.0.1",
            "imap_port": mailbox.port,
            "imap_tls": MailTls.NONE,
            "imap_username": USER,
            "imap_password": SecretStr(PASSWORD),
            "imap_interval": 0.2,
            "imap_timeout": 30,
        }
        | more
    )


async def read(office: Office, mailbox: Dovecot, **more: Any) -> None:
    await MailboxReader(settings(office, mailbox, **more), office.intake).read()


def as_stored(mail: Outgoing) -> bytes:
    """As a server stores it: the envelope's recipient is in a field of its own."""
    return with_headers(mail, Delivered_To=mail.recipient).content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def folders(mailbox: Dovecot) -> tuple[int, int, int]:
    """How many mails are left, done, and set aside."""
    return mailbox.count("INBOX"), mailbox.count(DONE), mailbox.count(ASIDE)


# --- what becomes of mails --------------------------------------------------------------------------------------------


@needs_dovecot
@pytest.mark.parametrize("program", list(Program))
async def test_a_reply_in_the_mailbox_is_an_answer(office: Office, mailbox: Dovecot, program: Program) -> None:
    mail = await office.invite(create(jane()))
    results = {"Authentication_Results": f"{BELIEVED}; dmarc=pass header.from=example.com"}
    sent = with_headers(reply(mail.message, program, Answer.YES, user=JANE), **results)
    mailbox.append(as_stored(sent))
    await read(office, mailbox)
    [event] = office.events
    assert isinstance(event, GuestReplied)
    assert event.rsvp_status is RsvpStatus.ACCEPTED
    assert folders(mailbox) == (0, 1, 0)


@needs_dovecot
async def test_a_returned_mail_is_a_failure(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    mailbox.append(as_stored(bounce(mail.message, mail.return_address)))
    await read(office, mailbox)
    assert [type(event) for event in office.events] == [MailFailed]
    assert folders(mailbox) == (0, 1, 0)


@needs_dovecot
async def test_what_a_person_should_see_is_set_aside_and_stops_nothing(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    good = reply(mail.message, Program.GMAIL, Answer.NO, user=JANE)
    large = b"Subject: large\r\n\r\n" + b"x" * 70 * 10_000
    nested = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(1000)).encode()
    person = f"From: {JANE}\r\nTo: {BASE}\r\nSubject: Hello\r\n\r\nSee you!\r\n".encode()
    mailbox.append(large, nested, person, b"\r\n", as_stored(good))
    before = _set_aside("too-large"), _set_aside("unreadable"), _set_aside("not-a-reply")
    await read(office, mailbox)
    assert len(office.events) == 1
    assert folders(mailbox) == (0, 1, 4)
    after = _set_aside("too-large"), _set_aside("unreadable"), _set_aside("not-a-reply")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 2]


def _set_aside(reason: str) -> float:
    return REGISTRY.get_sample_value("mailbox_mails_set_aside_total", {"reason": reason}) or 0


@needs_dovecot
async def test_many_mails_are_read_in_one_go_in_their_order(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    answers = [Answer.YES, Answer.NO] * 25
    mailbox.append(*(as_stored(reply(mail.message, Program.GMAIL, answer, user=JANE)) for answer in answers))
    without_limit = intake_of(_inbound_mail(office, RateLimiter(0)))
    await MailboxReader(settings(office, mailbox), without_limit).read()
    expected = [RsvpStatus.ACCEPTED, RsvpStatus.DECLINED] * 25
    assert [event.rsvp_status for event in office.events] == expected
    assert folders(mailbox) == (0, 50, 0)


def _inbound_mail(office: Office, limiter: RateLimiter) -> InboundMail:
    repository = ReplyRepository(office.guests, Outbox(office.guests, office.publisher, relay_delay=60))  # type: ignore[arg-type]
    return InboundMail(repository, ADDRESSES, AuthenticationResults(None), uid_domain=DOMAIN, replies=limiter)


@needs_dovecot
async def test_a_flood_of_one_guest_waits_in_the_folder_and_others_are_read(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    flood = as_stored(reply(mail.message, Program.GMAIL, Answer.YES, user=JANE))
    mailbox.append(*[flood] * 45, b"Auto-Submitted: auto-replied\r\nSubject: I am away\r\n\r\n")
    reader = MailboxReader(settings(office, mailbox), office.intake)
    await reader.read()
    assert folders(mailbox) == (25, 21, 0)
    await reader.read()
    assert folders(mailbox) == (25, 21, 0)


# --- when things fail -------------------------------------------------------------------------------------------------


@needs_dovecot
async def test_a_mail_is_moved_only_after_it_is_recorded(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    mailbox.append(as_stored(reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)))
    with pytest.raises(MailboxUnavailableError):
        await MailboxReader(settings(office, mailbox), _broken_intake(ConnectionError())).read()
    assert folders(mailbox) == (1, 0, 0)
    await read(office, mailbox)
    assert folders(mailbox) == (0, 1, 0)
    assert len(office.events) == 1


@needs_dovecot
async def test_a_mail_that_we_cannot_handle_is_set_aside(office: Office, mailbox: Dovecot) -> None:
    mailbox.append(b"Subject: x\r\n\r\n")
    await MailboxReader(settings(office, mailbox), _broken_intake(RuntimeError("a defect"))).read()
    assert folders(mailbox) == (0, 0, 1)


def _broken_intake(error: Exception) -> Intake:
    class Broken:
        async def handle(self, *_args: Any) -> None:
            raise error

    broken: Any = Broken()
    return intake_of(broken)


@needs_dovecot
async def test_a_mail_that_was_recorded_and_not_moved_is_read_again_and_counts_once(
    office: Office, mailbox: Dovecot
) -> None:
    mail = await office.invite(create(jane()))
    stored = as_stored(reply(mail.message, Program.GMAIL, Answer.YES, user=JANE))
    for _ in range(2):
        mailbox.append(stored)
        await read(office, mailbox)
    assert len(office.events) == 1
    assert folders(mailbox) == (0, 2, 0)


@needs_dovecot
@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"imap_password": SecretStr("wrong")}, MailboxRefusedError),
        ({"imap_port": 9}, MailboxUnavailableError),
        ({"imap_folder": "Nothing"}, MailboxUnavailableError),
        ({"imap_tls": MailTls.STARTTLS}, MailboxUnavailableError),  # its certificate is not trusted
        ({"imap_password_file": "/nowhere"}, MailboxRefusedError),
    ],
    ids=["password", "port", "folder", "certificate", "file"],
)
async def test_what_is_wrong_is_said_without_secrets(
    office: Office, mailbox: Dovecot, more: dict[str, Any], error: type[Exception]
) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(error) as raised:
        await read(office, mailbox, **more)
    assert PASSWORD not in f"{raised.value} {logs}"
    assert "wrong" not in f"{raised.value} {logs}"


@needs_dovecot
@pytest.mark.parametrize("tls", [MailTls.IMPLICIT, MailTls.STARTTLS])
async def test_encrypted(office: Office, mailbox: Dovecot, tls: MailTls) -> None:
    mailbox.append(b"Auto-Submitted: auto-replied\r\n\r\n")
    port = mailbox.tls_port if tls is MailTls.IMPLICIT else mailbox.port
    await read(office, mailbox, imap_tls=tls, imap_port=port, imap_ca_file=mailbox.ca_file)
    assert folders(mailbox) == (0, 1, 0)


@needs_dovecot
async def test_a_password_from_a_file(office: Office, mailbox: Dovecot, tmp_path: Any) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    mailbox.append(b"Auto-Submitted: auto-replied\r\n\r\n")
    await read(office, mailbox, imap_password=None, imap_password_file=tmp_path / "password")
    assert folders(mailbox) == (0, 1, 0)


@needs_dovecot
async def test_an_access_token_is_asked_for_once_and_used(
    office: Office, mailbox: Dovecot, tokens: TokenServer
) -> None:
    tokens.requests.clear()
    given = settings(office, mailbox, **_token_settings(tokens))
    reader = MailboxReader(given, office.intake)
    for _ in range(2):
        mailbox.append(b"Auto-Submitted: auto-replied\r\n\r\n")
        await reader.read()
    assert folders(mailbox) == (0, 2, 0)
    assert tokens.requests == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["meetings"],
            "client_secret": ["client secret"],
            "scope": ["https://outlook.office365.com/.default"],
        }
    ]


@pytest.mark.parametrize(
    ("status", "error"), [(401, MailboxRefusedError), (503, MailboxUnavailableError), (429, MailboxUnavailableError)]
)
async def test_a_token_endpoint_that_refuses_or_is_away(
    office: Office, tokens: TokenServer, status: int, error: type[Exception]
) -> None:
    nowhere: Any = Dovecot(9, 9, None, None)  # type: ignore[arg-type]
    tokens.status = status
    try:
        with pytest.raises(error) as raised:
            await read(office, nowhere, **_token_settings(tokens))
    finally:
        tokens.status = 200
    assert "client secret" not in str(raised.value)


def _token_settings(tokens: TokenServer) -> dict[str, Any]:
    return {
        "imap_password": None,
        "imap_token_url": f"{tokens.url}/token",
        "imap_client_id": "meetings",
        "imap_client_secret": SecretStr("client secret"),
    }


# --- replicas ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def replicas(given: MailboxSettings, *intakes: Intake) -> AsyncIterator[Callable[[], Any]]:
    """Replicas of the service that read one mailbox; gives what the job's document is."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(given))
        collection = database.collection(uuid7_hex())
        await collection.create_indexes(INDEXES)
        for intake in intakes:
            pool: WorkerPool = await mailbox_workers(given, collection, intake)
            await stack.enter_async_context(pool.running())
        yield lambda: collection.find_one({"_id": MAILBOX_ID})


class CountingIntake(Intake):
    """Counts the mails that are handled at the same time."""

    def __init__(self, intake: Intake, busy: list[int]) -> None:
        self.addresses = intake.addresses
        self._inner = intake
        self._busy = busy

    async def take(self, recipient: str, content: bytes) -> Any:
        self._busy[0] += 1
        self._busy[1] = max(self._busy[0], self._busy[1])
        try:
            await asyncio.sleep(0.01)
            return await self._inner.take(recipient, content)
        finally:
            self._busy[0] -= 1
            self._busy[2] += 1


@needs_dovecot
async def test_two_replicas_do_not_read_twice(office: Office, mailbox: Dovecot) -> None:
    mail = await office.invite(create(jane()))
    mailbox.append(*[as_stored(reply(mail.message, Program.GMAIL, Answer.YES, user=JANE))] * 10)
    busy = [0, 0, 0]
    intakes = [CountingIntake(office.intake, busy) for _ in range(2)]
    async with replicas(settings(office, mailbox), *intakes):
        await until(_async(lambda: folders(mailbox) == (0, 10, 0)), what="all mails are done", within=_WITHIN)
    assert busy == [0, 1, 10]
    assert len(office.events) == 1


@needs_dovecot
async def test_a_mailbox_is_read_again_and_again_and_after_an_outage(office: Office, mailbox: Dovecot) -> None:
    given = settings(office, mailbox, imap_retry_max=0.2)
    (mailbox.folder / "users").rename(mailbox.folder / "users.away")  # every login fails now
    mailbox_is_back = mailbox.folder / "users"
    try:
        async with replicas(given, office.intake) as job:

            async def has_failed_twice() -> bool:
                document = await job()
                return bool(document[MAILBOX_WORK].get("attempts", 0) > 2)

            await until(has_failed_twice, what="the mailbox could not be read", within=_WITHIN)
            (mailbox.folder / "users.away").rename(mailbox_is_back)
            for number in (1, 2):
                mailbox.append(b"Auto-Submitted: auto-replied\r\n\r\n")
                done = (0, number, 0)
                await until(_async(lambda done=done: folders(mailbox) == done), what="it is read", within=_WITHIN)
    finally:
        if not mailbox_is_back.exists():
            (mailbox.folder / "users.away").rename(mailbox_is_back)


def _async(check: Callable[[], bool]) -> Any:
    async def run() -> bool:
        return await asyncio.to_thread(check)

    return run


# --- whom a stored mail is for ----------------------------------------------------------------------------------------

GUEST = ADDRESSES.reply_address("MP" + "A" * 32)
RETURN = ADDRESSES.bounce_address("MP" + "A" * 32, 3)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"To: {GUEST}", GUEST),
        (f"To: Meetings <{GUEST.upper()}>", GUEST.upper()),
        (f"To: {BASE}\r\nDelivered-To: {RETURN}", RETURN),
        (f"To: {GUEST}\r\nX-Original-To: {RETURN}", RETURN),
        (f"To: other@example.com,\r\n {GUEST}", GUEST),
        (f"Cc: {GUEST}", GUEST),
        (f"To: meetings+r{'a' * 44}@example.com", BASE),
        (f"Subject: {GUEST}", BASE),
        (f"\r\nTo: {GUEST}", BASE),
        ("", BASE),
    ],
)
def test_for_whom_a_mail_is(header: str, expected: str) -> None:
    assert recipient_of(f"{header}\r\n\r\nTo: nobody\r\n".encode(), ADDRESSES) == expected


def test_a_header_without_end_is_read_within_bounds() -> None:
    assert recipient_of(b"To: " + b"a@b.co, " * 1_000_000, ADDRESSES) == BASE
