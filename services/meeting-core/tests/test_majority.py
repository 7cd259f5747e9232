"""Nothing is answered, published or committed on state that no majority of the database's members has.

The real service on the real broker and three real members, of which two stop replicating and one dies.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from chassis.http.app import INTERNAL_TOKEN_HEADER
from chassis.http.internal_queries import PREFIX
from chassis.kafka.command_client import CommandClient
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.kafka.records import Record
from chassis.provision import ProvisioningSettings, provision
from chassis.telemetry.health import Health
from contracts.api.errors import ErrorCode
from contracts.api.queries import GetMeeting, InternalQuery, SearchMeetings
from contracts.messages.meeting_commands import CreateMeeting
from contracts.messages.replies import Outcome, Reply
from contracts.transport.topics import MEETING_EVENTS
from contracts.values.ids import new_meeting_uuid, uuid7_hex
from fastapi import FastAPI
from meeting_core.bootstrap import create_app
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import HOST, create
from tests.support.replica_set import ReplicaSet
from tests.support.topics import TopicLog, recording

pytestmark = pytest.mark.integration

_LONGER_THAN_AN_OPERATION = 13
"""Seconds in which a write that waits for a majority is given up, and its batch tried again."""


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet.running(tmp_path_factory.mktemp("members")) as running:
        yield running


@pytest.fixture
async def settings(members: ReplicaSet, kafka_bootstrap: str) -> Settings:
    await provision(ProvisioningSettings(kafka_bootstrap_servers=kafka_bootstrap))
    return Settings(
        internal_token=SecretStr("internal"),
        mongodb_uri=members.uri,
        mongodb_database=f"core_{uuid7_hex().lower()}",
        kafka_bootstrap_servers=kafka_bootstrap,
        kafka_session_timeout_ms=1_000,
        outbox_relay_delay=1,
    )


class Service:
    """meeting-core while it runs, and its callers."""

    def __init__(self, app: FastAPI, publisher: Publisher, settings: Settings, events: TopicLog) -> None:
        self._publisher = publisher
        self._settings = settings
        self._events = events
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://core")

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings) -> AsyncIterator["Service"]:
        app = create_app(settings, Health())
        async with (
            recording(settings.kafka_bootstrap_servers, MEETING_EVENTS.name) as events,
            open_publisher(settings) as publisher,
            app.router.lifespan_context(app),
        ):
            yield cls(app, publisher, settings, events)

    async def request(self, command: CreateMeeting, *, deadline: float) -> Reply | None:
        """What the command is answered; None when it is not, in this many seconds."""
        requests = CommandClient(self._settings, self._publisher, deadline=deadline, max_in_flight=10)
        async with requests.running():
            return await requests.request(command, key=command.meeting_uuid)

    async def ask(self, query: InternalQuery) -> Reply:
        answer = await self._http.post(
            f"{PREFIX}/{query.name}", content=query.model_dump_json(), headers={INTERNAL_TOKEN_HEADER: "internal"}
        )
        answer.raise_for_status()
        return Reply.model_validate_json(answer.content)

    def events_of(self, meeting_uuid: str) -> list[Record]:
        return [record for record in self._events.records if record.key == meeting_uuid.encode()]

    async def first_event_of(self, meeting_uuid: str) -> Record:
        return await self._events.first(
            lambda record: record.key == meeting_uuid.encode(), what=f"an event of {meeting_uuid}"
        )


def new_meeting() -> CreateMeeting:
    return create().model_copy(update={"meeting_uuid": new_meeting_uuid()})


async def test_what_only_the_primary_has_is_neither_answered_nor_shown_nor_published_and_is_not_lost_with_it(
    members: ReplicaSet, settings: Settings
) -> None:
    async with Service.running(settings) as service:
        before = new_meeting()
        replied = await service.request(before, deadline=20)
        assert replied is not None
        assert replied.outcome is Outcome.OK
        await service.first_event_of(before.meeting_uuid)

        await asyncio.to_thread(members.stop_replication)
        command = new_meeting()
        first, repeated = await asyncio.gather(
            service.request(command, deadline=_LONGER_THAN_AN_OPERATION),
            service.request(command, deadline=_LONGER_THAN_AN_OPERATION),
        )
        assert (first, repeated) == (None, None)
        seen = await service.ask(GetMeeting(actor=HOST, meeting_uuid=command.meeting_uuid))
        assert seen.error is not None
        assert seen.error.code == ErrorCode.MEETING_NOT_FOUND.code
        listed = await service.ask(SearchMeetings(actor=HOST))
        assert (listed.data["totalElements"], len(listed.data["content"])) == (1, 1)
        assert service.events_of(command.meeting_uuid) == []

        await asyncio.to_thread(members.kill_primary)
        await asyncio.to_thread(members.resume_replication)
        answered = await service.request(command, deadline=40)
        assert answered is not None
        assert (answered.outcome, answered.version) == (Outcome.OK, 1)
        event = await service.first_event_of(command.meeting_uuid)
        assert dict(event.headers)["ce_type"] == b"meetings.meeting.created.v1"
        seen = await service.ask(GetMeeting(actor=HOST, meeting_uuid=command.meeting_uuid))
        assert seen.outcome is Outcome.OK
