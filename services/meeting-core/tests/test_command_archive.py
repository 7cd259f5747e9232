"""Thousands of commands with keys in one day: the document stays small, and every key is remembered."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import bson
import pytest
from chassis.kafka.publisher import Publisher
from chassis.mongo.database import Collection, ConflictError, open_database
from chassis.mongo.outbox import Outbox
from contracts.api.errors import ErrorCode
from contracts.messages.meeting_commands import UpdateMeeting
from contracts.messages.replies import Outcome, Reply
from contracts.transport.idempotency import MAX_WITH_KEY
from contracts.values.ids import uuid7_hex, uuid8_hex
from contracts.values.times import utc_now
from meeting_core.adapters import command_archive
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.meetings import MongoMeetingRepository
from meeting_core.application.commands import execute_command
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import MEETING, create, update

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)


class Core:
    """Commands are carried out in batches, as the service does, and nothing is published."""

    def __init__(self, meetings: Collection, archive: Collection) -> None:
        self.meetings, self.archive = meetings, archive
        outbox = Outbox(meetings, cast("Publisher", None), relay_delay=60)
        self.writer = MongoMeetingRepository(meetings, outbox, CommandArchive(archive, retention=DAY))

    async def carry_out(self, *commands: UpdateMeeting) -> list[Reply]:
        works = await self.writer.load(commands)
        replies = [execute_command(works[MEETING], command, utc_now()) for command in commands]
        for work in works.values():
            work.new_records.clear()
            work.new_entries.clear()
        await self.writer.save(list(works.values()))
        return replies


@pytest.fixture
async def core(mongodb_uri: str) -> AsyncIterator[Core]:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="core_commands")
    async with open_database(settings) as database:
        archive = database.collection(f"commands_{uuid7_hex()}")
        await archive.create_indexes(command_archive.INDEXES)
        core = Core(database.collection(f"meetings_{uuid7_hex()}"), archive)
        works = await core.writer.load([create()])
        execute_command(works[MEETING], create(), utc_now())
        works[MEETING].new_records.clear()
        works[MEETING].new_entries.clear()
        await core.writer.save(list(works.values()))
        yield core


def keyed(number: int) -> UpdateMeeting:
    return update(title=f"Title {number}", command_id=uuid8_hex("key", str(number)), fingerprint=str(number))


async def test_every_key_of_a_day_is_remembered_and_the_document_stays_small(core: Core) -> None:
    count = 10 * MAX_WITH_KEY
    for first in range(0, count, 100):
        await core.carry_out(*(keyed(number) for number in range(first, first + 100)))
    document = await core.meetings.find_one({"_id": MEETING}) or {}
    assert document["version"] == 1 + count
    assert len(document["processedCommands"]["withKey"]) <= MAX_WITH_KEY
    assert len(bson.encode(document)) < 64 * 1024

    repeats = [keyed(number) for number in (0, 1, MAX_WITH_KEY, count // 2, count - 1)]
    replies = await core.carry_out(*repeats)
    assert [(reply.outcome, reply.version) for reply in replies] == [(Outcome.OK, 1 + count)] * len(repeats)
    other = keyed(0).model_copy(update={"fingerprint": "another body"})
    [conflict] = await core.carry_out(other)
    assert conflict.error is not None
    assert conflict.error.code == ErrorCode.IDEMPOTENCY_KEY_REUSED.code
    [fresh] = await core.carry_out(keyed(count))
    assert fresh.version == 2 + count


async def test_records_are_archived_before_the_document_drops_them(core: Core) -> None:
    await core.carry_out(*(keyed(number) for number in range(MAX_WITH_KEY)))
    works = await core.writer.load([keyed(-1)])
    execute_command(works[MEETING], keyed(-1), utc_now())
    await core.carry_out(update(title="By another writer"))
    with pytest.raises(ConflictError):
        await core.writer.save(list(works.values()))
    assert await core.archive.count({}, hint="_id_") > 0
    [reply] = await core.carry_out(keyed(0))
    assert reply.version == MAX_WITH_KEY + 2, "the document still has it"
    archived = await core.archive.find_one({"_id": keyed(0).command_id}) or {}
    assert archived["expiresAt"] - archived["at"] == DAY
