"""meeting-core, killed at every await while it handles commands and a guest's answer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.kafka.records import ReceivedMessage, envelope_for
from chassis.mongo.database import Database, open_database
from chassis.mongo.outbox import Outbox
from contracts.history import HistoryCheck, HistoryEntry
from contracts.messages.command import Command
from contracts.messages.replies import Outcome, Reply
from contracts.model import Contract
from contracts.transport.topics import API_GATEWAY, GATEWAY_REPLIES, MEETING_EVENTS
from contracts.values.enums import RsvpStatus
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.connected_hosts import ConnectedHostsProjection
from meeting_core.adapters.history import MongoHistory
from meeting_core.adapters.mail_budgets import MailBudgetRepository
from meeting_core.adapters.meetings import INDEXES, MongoMeetingRepository
from meeting_core.application.commands import execute_command
from meeting_core.application.message_handler import MeetingMessageHandler
from meeting_core.domain.mail_budget import MailAllowance
from meeting_core.settings import Settings
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from tests.support.commands import CLIENT, HOST, MEETING, TENANT, answer, contact, create, guest, update
from tests.support.crashes import KILLED_WHILE_CONNECTING, Group, Log, Process, double_crashes, single_crashes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), KILLED_WHILE_CONNECTING]

COLLECTIONS = ("meetings", "meeting_history", "commands", "hosts", "budgets")
COMMANDS = [create(contact(), guest()), update(title="Moved"), answer(RsvpStatus.ACCEPTED, by=CLIENT)]
TYPES = ["meetings.meeting.created.v1", "meetings.meeting.updated.v1", "meetings.participant.responded.v1"]


class Core:
    """One meeting, and what has happened to it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.log = Log()
        self._group = Group([[_received(COMMANDS[0]), _received(COMMANDS[1])], [_received(COMMANDS[2])]])

    async def live(self, ends_at: int | None) -> bool:
        """Run a process of meeting-core until it has committed everything and its relay finds nothing."""
        async with open_database(self._settings) as database:
            await database.ping()
            meetings = database.collection("meetings")
            # The relay waits until a writer has had its time: here it has.
            await meetings.update_many({"outboxDueAt": {"$exists": True}}, {"$set": {"outboxDueAt": _LONG_AGO}})
            return await Process(ends_at).run(lambda: self._main(database))

    async def _main(self, database: Database) -> None:
        history = MongoHistory(database.collection("meeting_history"), database.collection("meetings"))
        outbox = Outbox(database.collection("meetings"), self.log, relay_delay=60, keep=history.append)
        archive = CommandArchive(database.collection("commands"), retention=timedelta(days=1))
        handler = MeetingMessageHandler(
            MongoMeetingRepository(database.collection("meetings"), outbox, archive),
            ConnectedHostsProjection(database.collection("hosts")),
            MailBudgetRepository(database.collection("budgets"), MailAllowance()),
            self.log,
            execute_command,
        )
        await outbox.publish_overdue()
        await self._group.consume(handler.handle)

    async def check(self) -> None:
        """Everything was done once, told in order without a gap, recorded, and answered."""
        first = {}
        for event in self.log.received(MEETING_EVENTS.name):
            first.setdefault(event.envelope.sequence, event.envelope.type)
        assert list(first.items()) == [*enumerate(TYPES, 1)]
        assert self.replies == {command.command_id: {Outcome.OK} for command in COMMANDS}
        async with open_database(self._settings) as database:
            meeting = await database.collection("meetings").find_one({"_id": MEETING})
            documents = await database.collection("meeting_history").find({}, sort={"_id": 1})
        assert meeting is not None
        entries, history = [HistoryEntry.model_validate(document) for document in documents], HistoryCheck()
        assert [entry.actor.id for entry in entries] == [HOST.user_id, HOST.user_id, CLIENT.user_id]
        assert [problem for entry in entries for problem in history.problems_of(entry)] == []
        assert [*history.problems_at_end(meeting["version"], meeting["historyHash"])] == []
        assert (meeting["version"], meeting["outbox"]) == (len(TYPES), [])

    @property
    def replies(self) -> dict[str, set[Outcome]]:
        """By command: what its caller may have heard."""
        heard: dict[str, set[Outcome]] = {}
        for record in self.log.records:
            if record.topic == GATEWAY_REPLIES.name:
                heard.setdefault(record.key.decode(), set()).add(Reply.model_validate_json(record.value).outcome)
        return heard


_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_NO_RECORD: Any = None


def _received(command: Command) -> ReceivedMessage[Contract]:
    envelope = envelope_for(command, source=API_GATEWAY, subject=MEETING, tenant=TENANT, reply_to=GATEWAY_REPLIES.name)
    envelope = replace(envelope, id=command.command_id)
    return ReceivedMessage(envelope, command, _NO_RECORD)


@pytest.fixture
async def settings(mongodb_uri: str) -> Settings:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="crashed_core")
    async with open_database(settings) as database:
        await database.collection("meetings").create_indexes(INDEXES)
    return settings


@pytest.fixture
async def begin(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[Core]]]:
    """Gives a meeting-core that has seen nothing yet."""
    async with AsyncMongoClient[dict[str, Any]](settings.mongodb_uri) as client:

        async def begin() -> Core:
            for name in COLLECTIONS:
                await client[settings.mongodb_database][name].delete_many({})
            return Core(settings)

        yield begin


async def test_every_single_crash(begin: Callable[[], Awaitable[Core]]) -> None:
    explored = 0
    async for core in single_crashes(begin):
        await core.check()
        explored += 1
    print(f"meeting-core: {explored} states")
    assert explored > 50


async def test_pairs_of_crashes(begin: Callable[[], Awaitable[Core]]) -> None:
    explored = 0
    async for core in double_crashes(begin, step=11):
        await core.check()
        explored += 1
    print(f"meeting-core: {explored} pairs")
    assert explored > 20
