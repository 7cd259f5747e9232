"""The SMTP side: takes every mail, unless a scripted fault says otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.common.faults import Fault, FaultPlan
from simulators.mail.mailbox import Mailbox

log = logging.getLogger(__name__)

FAULTS = {
    "latency": "The answer to a mail comes `seconds` later; the mail is kept after that.",
    "recipient_refused": "RCPT TO is answered with `status` (451: later, 550: never) and `reason`.",
    "mail_refused": "The end of DATA is answered with `status` and `reason`; the mail is not kept.",
    "drop_before_commit": "The connection breaks at the end of DATA; the mail is not kept.",
    "drop_after_commit": "The mail is kept, then the connection breaks before the answer.",
}
_MAX_BYTES = 10 * 1024 * 1024


class _Handler:
    """aiosmtpd's hooks; the strings they return are SMTP replies (RFC 5321, section 4.2)."""

    def __init__(self, mailbox: Mailbox, faults: FaultPlan) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_RCPT(  # noqa: N802 (aiosmtpd finds the hook by this name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._draw("recipient_refused", [address]):
            return _refusal(refusal, "Recipient refused")
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipients = [str(address) for address in envelope.rcpt_tos]
        if delay := self._draw("latency", recipients):
            await asyncio.sleep(delay.seconds)
        if refusal := self._draw("mail_refused", recipients):
            return _refusal(refusal, "Mail refused")
        if self._draw("drop_before_commit", recipients):
            return _hang_up(server)
        content = envelope.original_content or b""
        kept = self._mailbox.keep(content, mail_from=envelope.mail_from or "", recipients=recipients)
        log.info("kept mail %d", kept.id)
        if self._draw("drop_after_commit", recipients):
            return _hang_up(server)
        return f"250 2.0.0 OK: kept as {kept.id}"

    def _draw(self, kind: str, recipients: list[str]) -> Fault | None:
        """The fault that strikes; its `account` is a recipient's address in lower case."""
        struck = (self._faults.draw(kind, account=address.lower(), operation="mail") for address in recipients)
        return next((fault for fault in struck if fault), None)


@asynccontextmanager
async def smtp_server(host: str, port: int, mailbox: Mailbox, faults: FaultPlan) -> AsyncIterator[int]:
    """Listen for mail on the running event loop; yields the port, a free one when `port` is 0."""
    loop = asyncio.get_running_loop()
    handler = _Handler(mailbox, faults)

    def session() -> SMTP:
        return SMTP(handler, hostname="mail.example.com", data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, loop=loop)

    server = await loop.create_server(session, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def _refusal(fault: Fault, default: str) -> str:
    return f"{fault.status} {fault.reason or default}"


def _hang_up(server: SMTP) -> str:
    """Break the connection without a word; the reply that aiosmtpd wants goes nowhere."""
    if server.transport is not None:
        server.transport.close()
    return "421 gone"
