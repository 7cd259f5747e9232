"""Takes mails in, whichever way they come: read within bounds, handled, counted."""

import asyncio
from enum import StrEnum

import structlog
from chassis.outages import is_outage
from contracts.values.times import utc_now
from prometheus_client import Counter

from invitations.adapters.inbound.message import UnreadableMessageError, read_message
from invitations.application.inbound_mail import Disposition, InboundMail, TooManyRepliesError
from invitations.domain.guest_addresses import GuestAddresses
from invitations.domain.inbound import InboundMessage

log = structlog.get_logger()

INBOUND = Counter("inbound_mails", "Mails that came in by what became of them", ["outcome"])

_MAX_BYTES_READ_AT_ONCE = 32 * 1024
"""Larger mails are read in a thread, so that none of them holds up the event loop."""


class Verdict(StrEnum):
    """What is to be done with a mail that came in."""

    TAKEN = "taken"  # recorded by a majority of the database, or nothing to record
    NOT_A_REPLY = "not-a-reply"  # a person wrote it
    UNREADABLE = "unreadable"
    TOO_MANY = "too-many"  # of this guest; it may come again later
    FAILED = "failed"  # a defect of ours, which the log describes
    UNAVAILABLE = "unavailable"  # nothing can be recorded now; it must come again


class Intake:
    """Takes one mail at a time from each caller, and a bounded number of all."""

    def __init__(self, addresses: GuestAddresses, mail: InboundMail, *, concurrency: int) -> None:
        """``concurrency``: how many mails are handled at once."""
        self.addresses = addresses
        self._mail = mail
        self._turns = asyncio.Semaphore(concurrency)

    async def take(self, recipient: str, content: bytes) -> Verdict:
        """Handle a mail to one of our addresses; idempotent. Raises nothing but cancellation."""
        try:
            async with self._turns:
                disposition = await self._mail.handle(recipient, await _read(content), utc_now())
        except Exception as error:
            verdict = _verdict(error)
            INBOUND.labels(verdict).inc()
            return verdict
        INBOUND.labels(disposition).inc()
        log.info("a mail came in", outcome=disposition)
        return Verdict.NOT_A_REPLY if disposition is Disposition.NOT_A_REPLY else Verdict.TAKEN


def _verdict(error: Exception) -> Verdict:
    match error:
        case UnreadableMessageError():
            return Verdict.UNREADABLE
        case TooManyRepliesError():
            return Verdict.TOO_MANY
        case _ if is_outage(error):
            return Verdict.UNAVAILABLE
    log.error("a mail that came in cannot be handled", exc_info=error)
    return Verdict.FAILED


async def _read(content: bytes) -> InboundMessage:
    if len(content) <= _MAX_BYTES_READ_AT_ONCE:
        return read_message(content)
    return await asyncio.to_thread(read_message, content)
