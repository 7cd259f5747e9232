"""Handles batches of messages: loads meetings once, applies each message in order, saves once, then publishes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from chassis.kafka.consumer import Batch, handling
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from chassis.tasks import gather_all
from contracts.messages.calendar_events import (
    CalendarCoverageChanged,
    ConnectionChanged,
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
    MirroredEventChanged,
    MirroredEventDeleted,
    MirrorStatusChanged,
)
from contracts.messages.command import Actor
from contracts.messages.invitation_events import DeliveryEvent, GuestProposedNewTime, GuestReplied
from contracts.messages.meeting_commands import CancelMeeting, CreateMeeting, RequestInvitationResend, UpdateMeeting
from contracts.messages.replies import Reply
from contracts.transport.envelope import Envelope, Message
from contracts.transport.topics import MEETING_CORE
from contracts.values.times import utc_now

from meeting_core.application.event_handlers import (
    apply_calendar_answer,
    apply_delivery,
    apply_mail_reply,
    apply_mirror_status,
    apply_mirrored_event_change,
    import_external_event,
    remove_external_event,
)
from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.domain.mail_budget import MailBudgets

ConnectionEvent = ConnectionChanged | CalendarCoverageChanged
ExecuteCommand = Callable[[UnitOfWork, Any, datetime, MailBudgets], Reply]
Host = tuple[str, str]
"""Tenant and user."""


class MeetingMessage(Protocol):
    """A message about one meeting."""

    @property
    def meeting_uuid(self) -> str: ...


class MeetingRepository(Protocol):
    """Loads and saves meetings."""

    async def load(self, messages: Sequence[MeetingMessage]) -> dict[str, UnitOfWork]:
        """A unit of work for each meeting that these messages are about, also for those that do not exist."""

    async def save(self, units: list[UnitOfWork]) -> None:
        """Save the meetings that changed, all in one bulk write.

        Raises:
            ConflictError: another writer was faster with some; all others are saved.
        """

    async def publish(self, units: list[UnitOfWork]) -> None:
        """Publish the events in these meetings' outboxes, those of each meeting in order."""


class ConnectedHosts(Protocol):
    """The hosts with a connected external calendar, from the events of calendar-sync."""

    async def record(self, changes: Sequence[tuple[int, ConnectionEvent]]) -> None:
        """Apply connection events, each with its sequence; out-of-date ones change nothing."""

    async def find_connected(self, hosts: set[Host]) -> set[Host]:
        """Those of them who have a connected calendar."""


class MailBudgetStore(Protocol):
    """Loads and saves mail budgets."""

    async def load(self, actors: Iterable[Actor]) -> MailBudgets:
        """The budgets that commands of these actors draw on."""

    async def save(self, budgets: MailBudgets) -> None:
        """Add what was spent."""


class MeetingMessageHandler:
    """Handles messages about meetings, and events of their hosts' connections."""

    def __init__(
        self,
        meetings: MeetingRepository,
        hosts: ConnectedHosts,
        budgets: MailBudgetStore,
        publisher: Publisher,
        execute: ExecuteCommand,
    ) -> None:
        self._meetings = meetings
        self._hosts = hosts
        self._budgets = budgets
        self._publisher = publisher
        self._execute = execute

    async def handle(self, batch: Batch) -> None:
        """Idempotent: a command that was executed before is only answered again."""
        connections = [
            (received.envelope.sequence or 0, received.body)
            for received in batch
            if isinstance(received.body, ConnectionEvent)
        ]
        if connections:
            await self._hosts.record(connections)
        about_meetings = [received for received in batch if not isinstance(received.body, ConnectionEvent)]
        if about_meetings:
            await self._handle(about_meetings)

    async def _handle(self, batch: Batch) -> None:
        units, budgets = await asyncio.gather(
            self._meetings.load([received.body for received in batch]),
            self._budgets.load(_inviting_actors(batch)),
        )
        await self._load_connected_hosts(batch, units)
        now = utc_now()
        replies: list[OutgoingRecord] = []
        for received in batch:
            with handling(received):
                uow = units[received.body.meeting_uuid]
                match received.body:
                    case DeliveryEvent() as mail:
                        apply_delivery(uow, mail)
                    case MirrorStatusChanged() as news:
                        apply_mirror_status(uow, news)
                    case ExternalEventUpserted() as seen:
                        import_external_event(uow, seen, now)
                    case ExternalEventDeleted() as gone:
                        remove_external_event(uow, gone, now)
                    case InvitationAnswered() as answered:
                        apply_calendar_answer(uow, answered, now)
                    case GuestReplied() | GuestProposedNewTime() as guest_reply:
                        apply_mail_reply(uow, guest_reply, now)
                    case MirroredEventChanged() | MirroredEventDeleted() as change:
                        apply_mirrored_event_change(uow, change, now)
                    case command:
                        reply = self._execute(uow, command, now, budgets)
                        if received.envelope.reply_to is not None:
                            replies.append(_record(received.envelope, reply))
        await gather_all(self._meetings.save(list(units.values())), self._budgets.save(budgets))
        await gather_all(self._publisher.publish_together(replies), self._meetings.publish(list(units.values())))

    async def _load_connected_hosts(self, batch: Batch, units: dict[str, UnitOfWork]) -> None:
        """Commands set the sync status to pending when the host has a connected calendar."""
        hosts: dict[str, Host] = {}
        for received in batch:
            match received.body:
                case CreateMeeting(meeting_uuid=meeting_uuid, actor=actor):
                    hosts[meeting_uuid] = (actor.tenant_uuid, actor.user_id)
                case UpdateMeeting(meeting_uuid=meeting_uuid) | CancelMeeting(meeting_uuid=meeting_uuid):
                    if (meeting := units[meeting_uuid].meeting) is not None:
                        hosts[meeting_uuid] = (meeting.tenant_uuid, meeting.hosted.host_uuid)
        if not hosts:
            return
        connected = await self._hosts.find_connected(set(hosts.values()))
        for meeting_uuid, host in hosts.items():
            units[meeting_uuid].host_connected = host in connected


def _inviting_actors(batch: Batch) -> Iterable[Actor]:
    """Whose commands may cause mails."""
    for received in batch:
        match received.body:
            case CreateMeeting(actor=actor) | UpdateMeeting(actor=actor) | RequestInvitationResend(actor=actor):
                yield actor


def _record(command: Envelope, reply: Reply) -> OutgoingRecord:
    return encode(Message(envelope_for(reply, source=MEETING_CORE, subject=command.subject), reply), key=command.id)
