"""The wiring of meeting-core, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

from chassis.fair_gate import FairGate
from chassis.http.app import service_app
from chassis.http.internal_queries import query_routes
from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import open_publisher
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from chassis.telemetry.health import Health
from contracts.api.queries import (
    CheckAvailability,
    GetInvitation,
    GetMeeting,
    GetMeetingHistory,
    GetMeetingPassword,
    ListCalendar,
    SearchMeetings,
)
from contracts.transport.topics import CALENDAR_EVENTS, INVITATION_EVENTS, MEETING_COMMANDS, MEETING_CORE
from fastapi import FastAPI

from meeting_core.adapters import command_archive, mail_budgets
from meeting_core.adapters.availability import MongoBusyTimes
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.connected_hosts import ConnectedHostsProjection
from meeting_core.adapters.history import MongoHistory
from meeting_core.adapters.mail_budgets import MailBudgetRepository
from meeting_core.adapters.meetings import INDEXES, MongoMeetingReader, MongoMeetingRepository
from meeting_core.adapters.search import MongoMeetingSearchReader
from meeting_core.application.availability import Availability
from meeting_core.application.commands import Rules, execute_command
from meeting_core.application.history import HistoryQueries
from meeting_core.application.message_handler import MeetingMessageHandler
from meeting_core.application.queries import Queries
from meeting_core.application.search import MeetingSearch
from meeting_core.domain.guest_limits import GuestLimits
from meeting_core.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it consumes while its lifespan runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            database = await started.enter_async_context(open_database(settings))
            meetings = database.collection("meetings")
            await meetings.create_indexes(INDEXES)
            budgets = database.collection("mail_budgets")
            await budgets.create_indexes(mail_budgets.INDEXES)

            commands = database.collection("processed_commands")
            await commands.create_indexes(command_archive.INDEXES)
            archive = CommandArchive(commands, retention=timedelta(seconds=settings.idempotency_retention))

            history = MongoHistory(database.collection("meeting_history"), meetings)
            queries = Queries(MongoMeetingReader(meetings))
            hosts = ConnectedHostsProjection(database.collection("hosts"))
            listed = database.with_gate(2 * settings.list_concurrency, time_limit=settings.list_timeout)
            searched = database.with_gate(settings.search_concurrency, time_limit=settings.search_timeout)
            lists = FairGate(
                limit=settings.list_concurrency, per_tenant=settings.list_concurrency_per_tenant, per_user=2, rest=1
            )
            search = MeetingSearch(
                MongoMeetingSearchReader(listed.collection("meetings")),
                MongoMeetingSearchReader(searched.collection("meetings")),
                list_gate=lists,
                search_gate=FairGate(
                    limit=settings.search_concurrency,
                    per_tenant=settings.search_concurrency_per_tenant,
                    per_user=1,
                    rest=1,
                ),
            )
            availability = Availability(MongoBusyTimes(listed.collection("meetings")), hosts, lists)
            app.router.routes.extend(
                query_routes(
                    settings,
                    {
                        GetMeeting: queries.get_meeting,
                        GetMeetingHistory: HistoryQueries(history).get_meeting_history,
                        GetMeetingPassword: queries.get_meeting_password,
                        GetInvitation: queries.get_invitation,
                        ListCalendar: search.list_calendar,
                        SearchMeetings: search.search,
                        CheckAvailability: availability.check,
                    },
                )
            )

            publisher = await started.enter_async_context(open_publisher(settings))
            outbox = Outbox(meetings, publisher, relay_delay=settings.outbox_relay_delay, keep=history.append)
            await started.enter_async_context(outbox.relay())

            message_handler = MeetingMessageHandler(
                MongoMeetingRepository(meetings, outbox, archive),
                hosts,
                MailBudgetRepository(budgets, settings.mail_allowance, settings.mails_by_tenant),
                publisher,
                partial(execute_command, rules=rules(settings)),
            )
            consumer = Consumer(
                settings,
                publisher,
                group=MEETING_CORE,
                topics=[MEETING_COMMANDS, CALENDAR_EVENTS, INVITATION_EVENTS],
                handler=message_handler.handle,
            )
            await started.enter_async_context(consumer.running())
            health.add_liveness_check("consumer", consumer.problem)
            health.add_liveness_check("publisher", publisher.problem)
            health.add_readiness_check("mongodb", database.problem)
            yield

    return service_app(health, lifespan)


def rules(settings: Settings) -> Rules:
    """The rules of these settings."""
    return Rules(
        resend_cooldown=timedelta(seconds=settings.resend_cooldown),
        guests=GuestLimits(
            externals_of_client=settings.externals_of_client, addresses_per_mailbox=settings.addresses_per_mailbox
        ),
    )
