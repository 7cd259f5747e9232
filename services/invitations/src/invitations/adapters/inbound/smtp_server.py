"""The listener to which the firm's mail server hands mails for our addresses, by SMTP or LMTP (RFC 5321, RFC 2033).

It trusts the server that connects: it must be reachable by that server alone. Nothing is acknowledged before it is
recorded by a majority of the database; when that cannot be, the server is asked to keep the mail and try again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from chassis.outages import is_outage
from contracts.values.times import utc_now
from prometheus_client import Counter

from invitations.adapters.inbound.message import UnreadableMessageError, read_message
from invitations.application.inbound_mail import Disposition, InboundMail, TooManyRepliesError
from invitations.domain.guest_addresses import GuestAddresses
from invitations.domain.inbound import InboundMessage
from invitations.settings import InboundProtocol, InboundSettings

log = structlog.get_logger()

INBOUND = Counter("inbound_mails", "Mails that came in by what became of them", ["outcome"])

_MAX_BYTES_READ_AT_ONCE = 32 * 1024
"""Larger mails are read in a thread, so that none of them holds up the event loop."""
_TAKEN = "250 2.0.0 OK"
_REPLIES = {Disposition.NOT_A_REPLY: "550 5.7.1 This address takes calendar replies only; please write to the host"}
_UNREADABLE = "550 5.6.0 This mail cannot be read"
_NO_SUCH_ADDRESS = "550 5.1.1 No such address"
_ONE_RECIPIENT = "452 4.5.3 One recipient at a time"
_LATER = "451 4.3.0 Try again later"
_TOO_MANY = "451 4.7.1 Too many replies; try again later"
_CLOSED = b"421 4.3.2 Too many connections\r\n"


class _Handler:
    """aiosmtpd's hooks; the strings they return are SMTP replies."""

    def __init__(self, addresses: GuestAddresses, mail: InboundMail, at_once: int) -> None:
        self._addresses = addresses
        self._mail = mail
        self._turns = asyncio.Semaphore(at_once)

    async def handle_RCPT(  # noqa: N802 aiosmtpd finds the hook by this name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if envelope.rcpt_tos:  # each mail has one outcome
            return _ONE_RECIPIENT
        if not self._addresses.is_ours(address) or (
            address.lower() != self._addresses.base.lower() and self._addresses.read(address) is None
        ):
            return _NO_SUCH_ADDRESS
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            async with self._turns:
                outcome = await self._mail.handle(str(envelope.rcpt_tos[0]), await _read(content), utc_now())
        except UnreadableMessageError:
            INBOUND.labels("unreadable").inc()
            return _UNREADABLE
        except TooManyRepliesError:
            INBOUND.labels("too-many").inc()
            return _TOO_MANY
        except Exception as error:
            INBOUND.labels("failed").inc()
            if not is_outage(error):
                log.exception("a mail that came in cannot be handled")
            return _LATER
        INBOUND.labels(outcome).inc()
        log.info("a mail came in", outcome=outcome)
        return _REPLIES.get(outcome, _TAKEN)


async def _read(content: bytes) -> InboundMessage:
    if len(content) <= _MAX_BYTES_READ_AT_ONCE:
        return read_message(content)
    return await asyncio.to_thread(read_message, content)


class _Session(SMTP):
    """One connection; only so many are open at once."""

    def __init__(self, *args: Any, open_sessions: set["_Session"], limit: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open_sessions = open_sessions
        self._limit = limit

    def connection_made(self, transport: Any) -> None:
        if len(self._open_sessions) >= self._limit:
            transport.write(_CLOSED)
            transport.close()
            return
        self._open_sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._open_sessions:
            self._open_sessions.discard(self)
            super().connection_lost(error)


class _LmtpSession(_Session, LMTP):
    """The same for LMTP."""


@asynccontextmanager
async def inbound_server(settings: InboundSettings, addresses: GuestAddresses, mail: InboundMail) -> AsyncIterator[int]:
    """Listen while entered; yields the port, a free one for port 0.

    Connections that are open at the end are closed; what they have not been acknowledged comes again.
    """
    handler = _Handler(addresses, mail, at_once=settings.mongodb_concurrency)
    kind = _LmtpSession if settings.inbound_protocol is InboundProtocol.LMTP else _Session
    loop = asyncio.get_running_loop()
    open_sessions: set[_Session] = set()

    def session() -> _Session:
        return kind(
            handler,
            hostname=addresses.base.rpartition("@")[2],
            ident="Meetings",
            data_size_limit=settings.inbound_max_bytes,
            enable_SMTPUTF8=True,
            timeout=settings.inbound_timeout,
            loop=loop,
            open_sessions=open_sessions,
            limit=settings.inbound_connections,
        )

    server = await loop.create_server(session, settings.inbound_host, settings.inbound_port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in list(open_sessions):
            if one.transport is not None:
                one.transport.close()
