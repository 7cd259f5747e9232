"""The listener to which the firm's mail server hands mails for our addresses, by SMTP or LMTP (RFC 5321, RFC 2033).

It trusts the server that connects: it must be reachable by that server alone. Nothing is acknowledged before it is
recorded by a majority of the database; when that cannot be, the server is asked to keep the mail and try again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from invitations.adapters.inbound.intake import Intake, Verdict
from invitations.settings import InboundProtocol, InboundSettings

_REPLIES = {
    Verdict.TAKEN: "250 2.0.0 OK",
    Verdict.NOT_A_REPLY: "550 5.7.1 This address takes calendar replies only; please write to the host",
    Verdict.UNREADABLE: "550 5.6.0 This mail cannot be read",
    Verdict.TOO_MANY: "451 4.7.1 Too many replies; try again later",
    Verdict.FAILED: "451 4.3.0 Try again later",
    Verdict.UNAVAILABLE: "451 4.3.0 Try again later",
}
_NO_SUCH_ADDRESS = "550 5.1.1 No such address"
_ONE_RECIPIENT = "452 4.5.3 One recipient at a time"
_CLOSED = b"421 4.3.2 Too many connections\r\n"


class _Handler:
    """aiosmtpd's hooks; the strings they return are SMTP replies."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

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
        if not self._intake.addresses.is_deliverable(address):
            return _NO_SUCH_ADDRESS
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        return _REPLIES[await self._intake.take(str(envelope.rcpt_tos[0]), envelope.original_content or b"")]


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
async def inbound_server(settings: InboundSettings, intake: Intake) -> AsyncIterator[int]:
    """Listen while entered; yields the port, a free one for port 0.

    Connections that are open at the end are closed; what they have not been acknowledged comes again.
    """
    handler = _Handler(intake)
    kind = _LmtpSession if settings.inbound_protocol is InboundProtocol.LMTP else _Session
    loop = asyncio.get_running_loop()
    open_sessions: set[_Session] = set()

    def session() -> _Session:
        return kind(
            handler,
            hostname=intake.addresses.base.rpartition("@")[2],
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
