"""invitations, killed at every await between an event and the mails that it causes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.http.rate_limit import RateLimiter
from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import Collection, Database, open_database
from chassis.mongo.outbox import Outbox
from chassis.settings import DatabaseSettings
from chassis.tasks import cancel_and_wait
from contracts.messages.invitation_events import MailDelivered
from contracts.transport.topics import INVITATION_EVENTS
from contracts.values.enums import MailKind
from invitations.adapters.guests import (
    CONCURRENCY_KEY,
    INDEXES,
    ORDER,
    WORK,
    DeliveryWorker,
    GuestRepository,
)
from invitations.adapters.mail.composing import MailComposer
from invitations.application.delivery import MailDelivery
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector
from invitations.application.mail_sender import Mail, MailSender, RetryPolicy
from invitations.domain.guest import Guest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from tests.support.commands import CommandHarness, contact, create
from tests.support.crashes import KILLED_WHILE_CONNECTING, Group, Log, Process, double_crashes, single_crashes
from tests.support.guests import jane
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), KILLED_WHILE_CONNECTING]

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
GUESTS = ["ana@example.net", "jane.roe@example.com"]
NO_RECORD: Any = None


class Mailbox:
    """A mail server; a sender may be killed before or after the server has taken a mail."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        await asyncio.sleep(0)
        self.mails.append(mail)
        await asyncio.sleep(0)


class NoPasswords:
    async def password_of(self, _guest: Guest) -> str | None:
        return None


class Invitations:
    """The guests of one meeting, and the mails that they got."""

    def __init__(self, settings: DatabaseSettings, composer: MailComposer) -> None:
        self._settings = settings
        self._composer = composer
        self.log, self.mailbox = Log(), Mailbox()
        self.killed = 0
        core = CommandHarness(create(contact(email=GUESTS[0]), jane(email=GUESTS[1])))
        event = ReceivedMessage(core.envelopes[0], core.events[0], NO_RECORD)
        self._group = Group([[event]])

    async def live(self, ends_at: int | None) -> bool:
        """Run a process until every mail is sent and its outcome is published, or it is killed."""
        async with open_database(self._settings) as database:
            await database.ping()
            guests = database.collection("guests")
            # Time passes: leases of a killed process expire, and its events are overdue.
            await guests.update_many({f"{WORK}.lease": {"$exists": True}}, {"$set": {f"{WORK}.lease.until": LONG_AGO}})
            await guests.update_many({"outboxDueAt": {"$exists": True}}, {"$set": {"outboxDueAt": LONG_AGO}})
            finished = asyncio.Event()
            watching = asyncio.create_task(self._watch(guests, finished))
            try:
                killed = await Process(ends_at).run(lambda: self._main(database, finished))
            finally:
                await cancel_and_wait(watching)
        self.killed += killed
        return killed

    async def _main(self, database: Database, finished: asyncio.Event) -> None:
        guests = database.collection("guests")
        outbox = Outbox(guests, self.log, relay_delay=60)
        policy = RetryPolicy(initial_delay=1, max_delay=1, give_up_after=timedelta(hours=1))
        sender = MailSender(self.mailbox, policy, RateLimiter(0))
        worker = DeliveryWorker(MailDelivery(self._composer, sender, NoPasswords()).deliver, outbox)
        pool = WorkerPool(
            JobQueue(guests, WORK, seconds=60, concurrency_key=CONCURRENCY_KEY, order=ORDER),
            worker.deliver,
            after_commit=worker.publish,
            concurrency=2,
            poll=0.05,
        )
        projector = GuestProjector(GuestRepository(guests), FairOrder(), wake=pool.wake, update_window=timedelta(0))
        await outbox.publish_overdue()
        async with pool.running():
            await self._group.consume(projector.handle)
            await finished.wait()

    async def _watch(self, guests: Collection, finished: asyncio.Event) -> None:
        """From outside of the process: when it has nothing left to do."""

        async def is_done() -> bool:
            stored = await guests.find({})
            return len(stored) == len(GUESTS) and all(
                guest["lastMail"] and not guest["outbox"] and not guest[WORK].get("lease") for guest in stored
            )

        await until(is_done, what="the mails of two guests", within=60)
        finished.set()

    def check(self) -> None:
        """Each guest is mailed, and told of once; only a kill in the middle of a mail repeats it, as the same mail."""
        sent = Counter(mail.recipient for mail in self.mailbox.mails)
        assert sorted(sent) == GUESTS
        assert max(sent.values()) <= 1 + self.killed
        assert len({(mail.recipient, mail.message_id) for mail in self.mailbox.mails}) == len(GUESTS)
        delivered = [event.body for event in self.log.received(INVITATION_EVENTS.name)]
        assert all(isinstance(event, MailDelivered) and event.kind is MailKind.INVITATION for event in delivered)
        assert len({event.participant_uuid for event in delivered if isinstance(event, MailDelivered)}) == len(GUESTS)


@pytest.fixture
async def begin(mongodb_uri: str, composer: MailComposer) -> AsyncIterator[Callable[[], Awaitable[Invitations]]]:
    """Gives an invitations that has seen nothing yet."""
    settings = DatabaseSettings(
        service_name="invitations",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="crashed_invitations",
    )
    async with open_database(settings) as database:
        await database.collection("guests").create_indexes(INDEXES)
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:

        async def begin() -> Invitations:
            await client[settings.mongodb_database]["guests"].delete_many({})
            return Invitations(settings, composer)

        yield begin


async def test_every_single_crash(begin: Callable[[], Awaitable[Invitations]]) -> None:
    explored = 0
    async for invitations in single_crashes(begin):
        invitations.check()
        explored += 1
    print(f"invitations: {explored} states")
    assert explored > 50


async def test_pairs_of_crashes(begin: Callable[[], Awaitable[Invitations]]) -> None:
    explored = 0
    async for invitations in double_crashes(begin, step=29):
        invitations.check()
        explored += 1
    print(f"invitations: {explored} pairs")
    assert explored > 10
