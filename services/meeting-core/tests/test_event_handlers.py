"""What is told of external calendars, handled in batches on a real MongoDB: stored, told on once, and found again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from chassis.kafka.records import ReceivedMessage, envelope_for
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.command import Command
from contracts.model import Contract
from contracts.transport.envelope import Envelope
from contracts.transport.topics import API_GATEWAY, CALENDAR_SYNC
from contracts.values.enums import MeetingStatus, RsvpStatus
from contracts.values.ids import uuid7_hex
from meeting_core.adapters.availability import MongoBusyTimes
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.connected_hosts import ConnectedHostsProjection
from meeting_core.adapters.mail_budgets import MailBudgetRepository
from meeting_core.adapters.meetings import INDEXES, MongoMeetingReader, MongoMeetingRepository
from meeting_core.adapters.search import MongoMeetingSearchReader
from meeting_core.application.commands import execute_command
from meeting_core.application.message_handler import MeetingMessageHandler
from meeting_core.domain.mail_budget import MailAllowance
from meeting_core.domain.meeting import Meeting
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import COLLEAGUE, HOST, MEETING, TENANT, actor, answer, create, staff
from tests.support.connections import UnreliablePublisher
from tests.support.outside_events import OUTSIDE, copy_changed, copy_removed, gone, organised, seen

pytestmark = pytest.mark.integration

NOON = datetime(2026, 6, 18, 17, 0, tzinfo=UTC)  # when lunch begins in Santiago
HOUR = timedelta(hours=1)
_NONE: Any = None


class Core:
    """The command side of meeting-core, without a bus."""

    def __init__(self, meetings: Collection, hosts: Collection) -> None:
        self.meetings = meetings
        self.publisher = UnreliablePublisher()
        archive = CommandArchive(hosts, retention=timedelta(days=1))
        writer = MongoMeetingRepository(meetings, Outbox(meetings, self.publisher, relay_delay=60), archive)
        budgets = MailBudgetRepository(hosts, MailAllowance())
        self._message_handler = MeetingMessageHandler(
            writer, ConnectedHostsProjection(hosts), budgets, self.publisher, execute_command
        )

    async def hear(self, *told: Contract) -> None:
        """These messages come in one batch."""
        batch = [ReceivedMessage(_envelope(one), one, record=_NONE) for one in told]
        await self._message_handler.handle(batch)

    async def meeting(self, meeting_uuid: str = OUTSIDE) -> Meeting:
        found = await MongoMeetingReader(self.meetings).find(TENANT, meeting_uuid)
        assert found is not None
        return found

    async def busy(self, *people: str, hour: int = 0) -> set[str]:
        opens = NOON + hour * HOUR
        return await MongoBusyTimes(self.meetings).busy(TENANT, people, opens, opens + HOUR)

    async def listed(self, user_id: str) -> list[str | None]:
        page = await MongoMeetingSearchReader(self.meetings).page(actor(user_id), [], [], skip=0, limit=20)
        return [one.meeting.content.title for one in page]

    @property
    def said(self) -> list[tuple[str, int | None]]:
        """Type and sequence of each event, as published."""
        envelopes = [Envelope.from_headers(record.headers) for record in self.publisher.records]
        return [(one.type.removeprefix("meetings.").removesuffix(".v1"), one.sequence) for one in envelopes]


def _envelope(body: Any) -> Envelope:
    source = API_GATEWAY if isinstance(body, Command) else CALENDAR_SYNC
    return envelope_for(body, source=source, subject=body.meeting_uuid, tenant=TENANT)


@pytest.fixture(autouse=True)
def _before_lunch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of these tests are to come, whenever the tests run."""
    monkeypatch.setattr("meeting_core.application.message_handler.utc_now", lambda: NOON - timedelta(days=30))


@pytest.fixture
async def core(mongodb_uri: str) -> AsyncIterator[Core]:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="core_inward")
    async with open_database(settings) as database:
        meetings = database.collection(f"meetings_{uuid7_hex()}")
        await meetings.create_indexes(INDEXES)
        yield Core(meetings, database.collection(f"hosts_{uuid7_hex()}"))


async def test_a_batch_with_the_same_event_in_two_calendars_is_one_meeting_on_both(core: Core) -> None:
    await core.hear(seen("TS-B", 1, answer=RsvpStatus.ACCEPTED), organised("TS-A", 1), seen("TS-C", 1, busy=False))
    meeting = await core.meeting()
    assert meeting.hosted.host_uuid == "TS-A"
    assert core.said == [("meeting.created", 1), ("meeting.updated", 2), ("meeting.updated", 3)]
    assert [await core.listed(one) for one in ("TS-A", "TS-B", "TS-C", "TS-D")] == [["Lunch"]] * 3 + [[]]


async def test_availability_sees_whose_time_it_takes(core: Core) -> None:
    people = ("TS-A", "TS-B", "TS-C", "TS-D")
    await core.hear(organised("TS-A", 1), seen("TS-B", 1), seen("TS-C", 1, busy=False))
    assert await core.busy(*people) == {"TS-A", "TS-B"}
    assert await core.busy(*people, hour=1) == set()
    await core.hear(answer(RsvpStatus.DECLINED, by=actor("TS-B")).model_copy(update={"meeting_uuid": OUTSIDE}))
    assert await core.busy(*people) == {"TS-A"}
    await core.hear(seen("TS-C", 2, private=True))  # nobody learns why
    assert await core.busy(*people) == {"TS-A", "TS-C"}
    await core.hear(gone("TS-A"), gone("TS-B"), gone("TS-C", 3))
    assert await core.busy(*people) == set()


async def test_what_comes_again_is_neither_stored_nor_told_again(core: Core) -> None:
    told = [seen("TS-A", 1), seen("TS-A", 2, title="Dinner"), gone("TS-A", 3)]
    await core.hear(*told)
    said, stored = list(core.said), await core.meetings.find_one({"_id": OUTSIDE})
    await core.hear(*told)
    assert (core.said, await core.meetings.find_one({"_id": OUTSIDE})) == (said, stored)
    meeting = await core.meeting()
    assert (meeting.status, meeting.visible_to_user_ids) == (MeetingStatus.CANCELED, [])
    await core.hear(seen("TS-A", 4))
    assert (await core.meeting()).status is MeetingStatus.ACTIVE


async def test_a_change_that_nobody_sees_is_remembered_without_a_version(core: Core) -> None:
    await core.hear(seen("TS-A", 1))
    await core.hear(seen("TS-A", 5, busy=False))
    assert await core.busy("TS-A") == set()
    await core.hear(seen("TS-A", 4, title="Late"))
    assert ((await core.meeting()).version, core.said) == (1, [("meeting.created", 1)])


async def test_what_could_not_be_told_is_told_when_the_message_comes_again(core: Core) -> None:
    core.publisher.is_away = True
    with pytest.raises(KafkaConnectionError):
        await core.hear(seen("TS-A", 1))
    core.publisher.is_away = False
    await core.hear(seen("TS-A", 1))
    assert core.said == [("meeting.created", 1)]


async def test_what_a_host_does_to_their_copy_is_done_once(core: Core) -> None:
    await core.hear(create(staff(), by=HOST))
    moved = copy_changed(HOST.user_id, start_date_time="2026-06-15T16:00:00", end_date_time="2026-06-15T17:00:00")
    removed = copy_removed(HOST.user_id, change_id="2")
    await core.hear(moved, moved)
    await core.hear(moved, removed)
    await core.hear(moved, removed)
    meeting = await core.meeting(MEETING)
    assert (meeting.status, meeting.version) == (MeetingStatus.CANCELED, 3)
    assert meeting.content.schedule.starts_at == datetime(2026, 6, 15, 20, tzinfo=UTC)
    assert core.said == [("meeting.created", 1), ("meeting.updated", 2), ("meeting.canceled", 3)]
    assert await core.listed(COLLEAGUE.user_id) == [meeting.content.title]


async def test_what_is_over_leaves_all_calendars_and_takes_no_time(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    await core.hear(seen("TS-A", 1))
    monkeypatch.setattr("meeting_core.application.message_handler.utc_now", lambda: NOON + timedelta(days=1))
    await core.hear(gone("TS-A"))
    meeting = await core.meeting()
    assert (meeting.status, meeting.visible_to_user_ids) == (MeetingStatus.ACTIVE, [])
    assert await core.busy("TS-A") == set()
    assert core.said == [("meeting.created", 1)]
