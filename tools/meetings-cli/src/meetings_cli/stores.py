"""The services' databases as operators see them: unpublished events, jobs, and the state of calendars.

Names of collections and fields belong to the services; that they are still these, the tests of this package check.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.jobs.admin import JobAdmin, QueueStats
from chassis.mongo.database import Collection, Database, Document, open_database
from chassis.mongo.outbox import oldest_pending_age, pending_count
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS, MEETING_CORE
from contracts.values.enums import ConnectionStatus
from contracts.values.times import utc_now
from pydantic import BaseModel

from meetings_cli.history import Histories
from meetings_cli.settings import Settings

Place = tuple[str, str]
"""A service and a collection of its database."""

_GUESTS: Place = (INVITATIONS, "guests")
_NOTICES: Place = (INVITATIONS, "host_notices")
_MAILBOXES: Place = (INVITATIONS, "mailboxes")
_MEETINGS: Place = (MEETING_CORE, "meetings")
_HISTORY: Place = (MEETING_CORE, "meeting_history")
_MAIL_BUDGETS: Place = (MEETING_CORE, "mail_budgets")
_CONNECTIONS: Place = (CALENDAR_SYNC, "connections")
_LINKS: Place = (CALENDAR_SYNC, "mirrored_meetings")
_FEEDS: Place = (CALENDAR_SYNC, "inbound_sync_states")
OUTBOXES: tuple[Place, ...] = (
    _MEETINGS,
    _GUESTS,
    _CONNECTIONS,
    _LINKS,
    (CALENDAR_SYNC, "imported_events"),
)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of jobs, by the field that holds them, which is also its name in metrics and logs."""

    name: str
    description: str
    place: Place
    context_fields: tuple[str, ...]
    """Fields of the document that help to understand a failure."""


JOB_KINDS: dict[str, JobKind] = {
    kind.name: kind
    for kind in (
        JobKind("delivery", "mails to guests", _GUESTS, ("tenantUuid", "meetingUuid", "domain", "failure")),
        JobKind("hostMail", "mails to hosts", _NOTICES, ("tenantUuid", "meetingUuid", "topic", "domain")),
        JobKind("mailboxRead", "reading the mailbox of replies", _MAILBOXES, ()),
        JobKind("google", "writes to Google calendars", _LINKS, ("tenantUuid", "host", "reportedStatus")),
        JobKind("outlook", "writes to Outlook calendars", _LINKS, ("tenantUuid", "host", "reportedStatus")),
        JobKind("inboundSync", "reading calendars", _FEEDS, ("provider", "phase", "syncedAsOf", "notBefore")),
        JobKind(
            "channelMaintenance",
            "notification channels",
            _FEEDS,
            ("provider", "phase", "channels.state", "channels.expiresAt"),
        ),
        JobKind("revocation", "giving grants back", _CONNECTIONS, ("status", "lastErrorCode", "lastErrorReason")),
    )
}


class OutboxStats(BaseModel):
    """Documents with unpublished events, and for how many seconds the relay has owed the oldest of them."""

    service: str
    collection: str
    pending: int
    overdue: float


class JobStats(BaseModel):
    """The jobs of one kind."""

    kind: str
    stats: QueueStats


class CalendarStats(BaseModel):
    """Connections by status; open feeds, those of them that a push channel watches, and the one read longest ago."""

    connections: dict[str, int]
    feeds: int
    watched: int
    oldest_pull: datetime | None


class MailBudgetStatus(BaseModel):
    """How far a user, or a whole tenant (without a user), has used up the mails they may cause in an hour."""

    tenant_uuid: str
    user_id: str | None
    limit: int
    used: float
    """Share of the limit, 0 to 1."""
    refused: int
    """Commands refused lately."""
    refused_at: datetime | None


class MailLimitsStatus(BaseModel):
    """The budgets used most, and how many mails wait because their mailbox has had too many."""

    budgets: list[MailBudgetStatus]
    held_back: int


class Stores:
    """The databases of all services."""

    def __init__(self, databases: dict[str, Database]) -> None:
        self._databases = databases

    def job_admin(self, kind: JobKind) -> JobAdmin:
        return JobAdmin(self._collection(kind.place), kind.name)

    def histories(self) -> Histories:
        return Histories(self._collection(_MEETINGS), self._collection(_HISTORY))

    async def outboxes(self) -> list[OutboxStats]:
        return [
            OutboxStats(
                service=place[0],
                collection=place[1],
                pending=await pending_count(self._collection(place)),
                overdue=await oldest_pending_age(self._collection(place)),
            )
            for place in OUTBOXES
        ]

    async def jobs(self) -> list[JobStats]:
        return [JobStats(kind=kind.name, stats=await self.job_admin(kind).stats()) for kind in JOB_KINDS.values()]

    async def calendars(self) -> CalendarStats:
        connections, feeds = self._collection(_CONNECTIONS), self._collection(_FEEDS)
        is_open = {"phase": "OPEN"}
        watched = {"channels": {"$elemMatch": {"state": "OPEN", "expiresAt": {"$gt": utc_now()}}}}
        oldest = await feeds.find_one(is_open, projection=["syncedAsOf"], sort={"syncedAsOf": 1})
        return CalendarStats(
            connections={
                status.value: await connections.count({"status": status.value}, hint="_id_")
                for status in ConnectionStatus
            },
            feeds=await feeds.count(is_open, hint="oldest"),
            watched=await feeds.count(is_open | watched, hint="oldest"),
            oldest_pull=oldest["syncedAsOf"] if oldest else None,
        )

    async def mail_limits(self) -> MailLimitsStatus:
        """The ten budgets that are whole again last."""
        found = await self._collection(_MAIL_BUDGETS).find({}, sort={"usedUpTo": -1}, limit=10)
        held_back = await self._collection(_GUESTS).count({"heldBack": True}, hint="held back")
        return MailLimitsStatus(budgets=list(map(_mail_budget, found)), held_back=held_back)

    def _collection(self, place: Place) -> Collection:
        service, name = place
        return self._databases[service].collection(name)


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """The databases, which are at one address. Raises a PyMongoError when that cannot be reached."""
    async with AsyncExitStack() as opened:
        databases = {
            service: await opened.enter_async_context(open_database(settings.of(name)))
            for service, name in _databases(settings)
        }
        await databases[CALENDAR_SYNC].ping()
        yield Stores(databases)


def _databases(settings: Settings) -> Iterator[tuple[str, str]]:
    yield MEETING_CORE, settings.meeting_core_database
    yield INVITATIONS, settings.invitations_database
    yield CALENDAR_SYNC, settings.calendar_sync_database


def _mail_budget(document: Document) -> MailBudgetStatus:
    unearned = (document["usedUpTo"] - utc_now()) / timedelta(hours=1)
    return MailBudgetStatus(
        tenant_uuid=document["tenantUuid"],
        user_id=document["userId"],
        limit=document["limit"],
        used=min(1, max(0, unearned)),
        refused=document["refused"],
        refused_at=document.get("refusedAt"),
    )
