"""Reads a mailbox from time to time. One replica at once does it, by a leased job.

A mail stays in the folder until the database has by a majority what came of it, and is then moved. When the replica
dies in between, the next one reads the mail again, which changes nothing.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from email.errors import MessageError

import structlog
from cachetools import TTLCache
from chassis.backoff import backoff
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import JobQueue, JobResult, LeasedJob, schedule
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import Collection, ConflictError
from contracts.values.times import utc_now
from prometheus_client import Counter

from invitations.adapters.inbound.imap import (
    ImapConnection,
    MailboxRefusedError,
    MailboxUnavailableError,
    StoredMail,
)
from invitations.adapters.inbound.imap_credentials import ImapCredentials
from invitations.adapters.inbound.intake import Intake, Verdict
from invitations.adapters.inbound.recipients import recipient_of
from invitations.settings import MailboxSettings

log = structlog.get_logger()

MAILBOX_READS = Counter("mailbox_reads", "Reads of the mailbox by how they ended", ["outcome"])
SET_ASIDE = Counter("mailbox_mails_set_aside", "Mails of the mailbox that somebody should look at", ["reason"])

MAILBOX_WORK = "mailboxRead"
MAILBOX_ID = "mailbox"
INDEXES = job_indexes(MAILBOX_WORK)
_MAILS_AT_ONCE = 20
_DEFERRED_FOR = 300
"""Seconds for which a mail is left alone whose guest sends too many."""
_MAX_DEFERRED = 100_000
_NEVER = 2**31
"""Attempts: a mailbox is never given up."""


class MailboxReader:
    """Reads all mails in the folder, and moves each one according to what became of it."""

    def __init__(self, settings: MailboxSettings, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._credentials = ImapCredentials(settings)
        self._deferred: TTLCache[int, bool] = TTLCache(_MAX_DEFERRED, ttl=_DEFERRED_FOR)

    async def run(self, lease: LeasedJob) -> JobResult:
        """One read; the next one is due after the interval, and later after each failure in a row."""
        try:
            await self.read()
        except MailboxRefusedError as error:
            self._credentials.forget()
            return self._failed(lease, "refused", error)
        except MailboxUnavailableError as error:
            return self._failed(lease, "unavailable", error)
        MAILBOX_READS.labels("read").inc()
        return JobResult(schedule(MAILBOX_WORK, utc_now() + timedelta(seconds=self._settings.imap_interval)))

    async def read(self) -> None:
        """Raises MailboxUnavailableError, MailboxRefusedError."""
        secret, is_token = await self._credentials.secret(), self._credentials.is_token
        connection = await asyncio.to_thread(ImapConnection.open, self._settings, secret, is_token=is_token)
        try:
            position = 1
            while uids := await asyncio.to_thread(connection.list_uids, position, _MAILS_AT_ONCE):
                position += len(uids) - await self._handle(connection, uids)
        finally:
            connection.close()

    async def _handle(self, connection: ImapConnection, uids: list[int]) -> int:
        """Take these mails in and move them; returns how many were moved."""
        moves: dict[str, list[int]] = defaultdict(list)
        try:
            for mail in await asyncio.to_thread(connection.fetch, [uid for uid in uids if uid not in self._deferred]):
                if folder := await self._folder_for(mail):
                    moves[folder].append(mail.uid)
        finally:  # those before a failure need not come again
            for folder, moved in moves.items():
                await asyncio.to_thread(connection.move, moved, folder)
        return sum(map(len, moves.values()))

    async def _folder_for(self, mail: StoredMail) -> str | None:
        """Where the mail goes now; None: it stays."""
        if mail.content is None:
            return self._set_aside("too-large")
        verdict = await self._take(mail.content)
        match verdict:
            case Verdict.TAKEN:
                return self._settings.imap_done_folder
            case Verdict.TOO_MANY:
                self._deferred[mail.uid] = True
                return None
            case Verdict.UNAVAILABLE:
                raise MailboxUnavailableError("nothing can be recorded now")
        return self._set_aside(verdict)

    async def _take(self, content: bytes) -> Verdict:
        recipient = self._intake.addresses.base
        with suppress(MessageError, ValueError, LookupError, TypeError, AttributeError):  # then the intake says so
            recipient = recipient_of(content, self._intake.addresses)
        return await self._intake.take(recipient, content)

    def _set_aside(self, reason: str) -> str:
        SET_ASIDE.labels(reason).inc()
        log.warning("a mail is set aside", reason=reason)
        return self._settings.imap_set_aside_folder

    def _failed(self, lease: LeasedJob, outcome: str, error: Exception) -> JobResult:
        MAILBOX_READS.labels(outcome).inc()
        interval, longest = self._settings.imap_interval, self._settings.imap_retry_max
        pause = backoff(lease.attempt, initial=interval, maximum=max(interval, longest))
        log.warning("the mailbox cannot be read", outcome=outcome, reason=str(error), retry_in=round(pause))
        return JobResult(retry_in=pause)


async def mailbox_workers(settings: MailboxSettings, mailboxes: Collection, intake: Intake) -> WorkerPool:
    """The worker that reads the mailbox of these settings; of all replicas, one at once."""
    with suppress(ConflictError):  # another replica starts
        await mailboxes.update_one(
            {"_id": MAILBOX_ID}, {"$setOnInsert": {f"{MAILBOX_WORK}.dueAt": utc_now()}}, upsert=True
        )
    return WorkerPool(
        JobQueue(mailboxes, MAILBOX_WORK, seconds=settings.imap_lease),
        MailboxReader(settings, intake).run,
        concurrency=1,
        max_attempts=_NEVER,
        drain=settings.drain_timeout / 2,
    )
