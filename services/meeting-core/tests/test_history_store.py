"""The history on a real MongoDB: nothing is lost between the meeting's write and its own, and it is read at once."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from chassis.mongo.database import Collection, Document, open_database
from chassis.mongo.outbox import Outbox
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.history import HistoryEntryView, MeetingHistoryPage
from contracts.api.queries import GetMeetingHistory
from contracts.history import HistoryEntry
from contracts.messages.calendar_events import EventAttendee
from contracts.messages.command import Actor, Command
from contracts.messages.invitation_events import MailFailed
from contracts.values.enums import DeliveryFailureCode, MailKind
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.history import MongoHistory
from meeting_core.adapters.meetings import INDEXES, MongoMeetingRepository
from meeting_core.application.commands import execute_command
from meeting_core.application.event_handlers import apply_delivery, import_external_event
from meeting_core.application.history import HistoryQueries
from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    MEETING,
    OUTSIDER,
    STRANGER,
    actor,
    contact,
    create,
    guest,
    staff,
    update,
)
from tests.support.connections import UnreliablePublisher
from tests.support.outside_events import OUTSIDE, seen

pytestmark = pytest.mark.integration

MAX = EventAttendee(email="max@example.org", name="Max")


class _KilledError(Exception):
    """The process dies here."""


class Core:
    """Commands are executed, saved and published, one after the other."""

    def __init__(self, meetings: Collection, history: Collection) -> None:
        self.meetings, self.history = meetings, history
        self.store = MongoHistory(history, meetings)
        self.publisher = UnreliablePublisher()
        self.outbox = Outbox(meetings, self.publisher, relay_delay=0, keep=self.store.append)
        self._repository = MongoMeetingRepository(
            meetings, self.outbox, CommandArchive(history, retention=timedelta(days=1))
        )

    async def execute(self, *commands: Command, dies_before_publishing: bool = False) -> None:
        for command in commands:
            units = await self._repository.load([command])
            execute_command(units[MEETING], command, utc_now())
            await self._repository.save(list(units.values()))
            if not dies_before_publishing:
                await self._repository.publish(list(units.values()))

    async def apply(self, event: Any, change: Callable[[UnitOfWork], None]) -> None:
        """An event of another service changes a meeting."""
        units = await self._repository.load([event])
        change(units[event.meeting_uuid])
        await self._repository.save(list(units.values()))
        await self._repository.publish(list(units.values()))

    async def shown(
        self, by: Actor = HOST, meeting_uuid: str = MEETING, *, page: int = 0, size: int = 20
    ) -> MeetingHistoryPage:
        query = GetMeetingHistory(actor=by, meeting_uuid=meeting_uuid, page=page, size=size)
        reply = await HistoryQueries(self.store).get_meeting_history(query)
        return MeetingHistoryPage.model_validate(reply.data)

    async def stored(self) -> list[HistoryEntry]:
        found = await self.history.find({}, sort={"_id": 1})
        return [HistoryEntry.model_validate(document) for document in found]


@pytest.fixture
async def core(mongodb_uri: str) -> AsyncIterator[Core]:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="core_history")
    async with open_database(settings) as database:
        meetings = database.collection(f"meetings_{uuid7_hex()}")
        await meetings.create_indexes(INDEXES)
        yield Core(meetings, database.collection(f"history_{uuid7_hex()}"))


def versions(entries: Sequence[HistoryEntryView | HistoryEntry]) -> list[int]:
    return [entry.version for entry in entries]


async def test_what_was_saved_is_in_the_history_whoever_dies_before_it_is_there(core: Core) -> None:
    await core.execute(create(contact()))
    await core.execute(update(title="A"), update(title="B"), dies_before_publishing=True)
    assert versions(await core.stored()) == [1]
    assert versions((await core.shown()).content) == [1, 2, 3]
    assert await core.outbox.publish_overdue() == 1
    assert versions(await core.stored()) == [1, 2, 3]
    assert versions((await core.shown()).content) == [1, 2, 3]
    assert [entry.hash for entry in await core.stored()] == [entry.hash for entry in (await core.shown()).content]


async def test_a_later_writer_takes_along_what_another_left(core: Core) -> None:
    await core.execute(create(contact()), dies_before_publishing=True)
    await core.execute(update(title="A"))
    assert versions(await core.stored()) == [1, 2]


async def test_the_same_entries_again_change_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay dies after the entries are there and before the outbox is cleared."""
    await core.execute(create(contact()), dies_before_publishing=True)

    async def killed(_documents: Sequence[Document]) -> None:
        await core.store.append(_documents)
        raise _KilledError

    monkeypatch.setattr(core.outbox, "_keep", killed)
    with pytest.raises(_KilledError):
        await core.outbox.publish_overdue()
    before = await core.stored()
    assert versions(before) == [1]
    monkeypatch.setattr(core.outbox, "_keep", core.store.append)
    await core.execute(update(title="A"))
    assert (await core.stored())[0] == before[0]
    assert versions(await core.stored()) == [1, 2]


async def test_the_history_does_not_wait_for_the_broker(core: Core) -> None:
    core.publisher.is_away = True
    with pytest.raises(KafkaConnectionError):
        await core.execute(create(contact()))
    assert versions(await core.stored()) == versions((await core.shown()).content) == [1]
    assert core.publisher.records == []


async def test_without_its_history_nothing_is_taken_out_of_the_outbox(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_documents: Sequence[Document]) -> None:
        raise ConnectionError

    monkeypatch.setattr(core.outbox, "_keep", away)
    with pytest.raises(ConnectionError):
        await core.execute(create(contact()))
    document = await core.meetings.find_one({"_id": MEETING})
    assert document is not None
    assert len(document["outbox"]) == 1


async def test_pages_neither_repeat_nor_skip(core: Core) -> None:
    await core.execute(create(contact()), *(update(title=str(number)) for number in range(4)))
    pages = [await core.shown(page=number, size=2) for number in range(4)]
    assert [versions(page.content) for page in pages] == [[1, 2], [3, 4], [5], []]
    assert {(page.total_elements, page.total_pages, page.size) for page in pages} == {(5, 3, 2)}


async def test_staff_who_may_read_the_meeting_see_its_notes_in_the_history(core: Core) -> None:
    await core.execute(create(contact(), staff()), update(internal_notes="Ask about the will."))
    for reader in (HOST, COLLEAGUE):
        (change,) = (await core.shown(reader)).content[1].changes
        assert (change.field, change.old, change.new) == (
            "internalNotes",
            "Bring the updated IPS draft.",
            "Ask about the will.",
        )


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (CLIENT, ErrorCode.FORBIDDEN),
        (OUTSIDER, ErrorCode.FORBIDDEN),
        (STRANGER, ErrorCode.MEETING_NOT_FOUND),
    ],
)
async def test_others_see_nothing_of_it(core: Core, by: Actor, code: ErrorCode) -> None:
    await core.execute(create(contact()))
    with pytest.raises(ApiError) as refusal:
        await core.shown(by)
    assert refusal.value.code is code


async def test_why_a_mail_failed_is_shown_to_host_and_creator_alone(core: Core) -> None:
    await core.execute(create(guest(), staff()))
    changes = (await core.shown()).content[0].changes
    jane = next(change.participant_uuid for change in changes if change.new == "jane.roe@example.com")
    failed = MailFailed(
        meeting_uuid=MEETING,
        participant_uuid=jane or "",
        kind=MailKind.INVITATION,
        sequence=1,
        at=utc_now(),
        failure_code=DeliveryFailureCode.ADDRESS_REJECTED,
        failure_reason="no such mailbox",
    )
    await core.apply(failed, lambda uow: apply_delivery(uow, failed))
    fields: dict[str, set[str]] = {}
    for reader in (HOST, COLLEAGUE):
        fields[reader.user_id] = {change.field for change in (await core.shown(reader)).content[1].changes}
    assert fields[HOST.user_id] - fields[COLLEAGUE.user_id] == {"deliveryFailureCode", "deliveryFailureReason"}
    assert fields[COLLEAGUE.user_id] == {"lastMailAt"}


async def test_guests_of_a_hidden_list_stay_hidden(core: Core) -> None:
    """The organiser of an imported meeting hides its guests from each other."""
    for event in (seen("TS-A", 1, guests=[MAX], guests_hidden=True), seen("TS-B", 1, guests=[MAX], guests_hidden=True)):
        await core.apply(event, lambda uow, event=event: import_external_event(uow, event, utc_now()))  # type: ignore[misc]
    history = await core.shown(actor("TS-B"), OUTSIDE)
    people = {change.participant_uuid for entry in history.content for change in entry.changes} - {None}
    assert (history.total_elements, len(people)) == (2, 1)
    assert MAX.email not in history.model_dump_json()
    assert "TS-A" not in history.model_dump_json().upper()
    assert [entry.actor.id for entry in history.content] == [None, "TS-B"]
    organizer = await core.shown(actor("TS-A"), OUTSIDE)
    assert MAX.email not in organizer.model_dump_json()  # they are a guest too: the organiser is elsewhere
