"""Histories are read and checked as meeting-core writes them to a real MongoDB."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pymongo
import pytest
from chassis.kafka.publisher import Publisher
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.command import Command
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from meeting_core.adapters.command_archive import CommandArchive
from meeting_core.adapters.history import MongoHistory
from meeting_core.adapters.meetings import MongoMeetingRepository
from meeting_core.application.commands import execute_command
from meetings_cli.settings import Settings
from pymongo.database import Database

from tests.support.commands import MEETING, TENANT, cancel, contact, create, guest, update
from tests.support.connections import StandInPublisher

from .conftest import Meetings

pytestmark = pytest.mark.integration

Stored = Database[dict[str, Any]]


@pytest.fixture
def stored(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """One meeting with three versions; the last is not yet in the history's collection."""
    name = f"meeting_core_{uuid7_hex()}"
    monkeypatch.setenv("MONGODB_URI", settings.mongodb_uri)
    monkeypatch.setenv("MEETING_CORE_DATABASE", name)
    asyncio.run(_write(settings.of(name)))
    with pymongo.MongoClient[dict[str, Any]](settings.mongodb_uri) as client:
        yield client[name]


async def _write(settings: Settings) -> None:
    async with open_database(settings) as database:
        meetings = database.collection("meetings")
        history = MongoHistory(database.collection("meeting_history"), meetings)
        outbox = Outbox(meetings, cast("Publisher", StandInPublisher()), relay_delay=60, keep=history.append)
        archive = CommandArchive(database.collection("processed_commands"), retention=timedelta(days=1))
        repository = MongoMeetingRepository(meetings, outbox, archive)
        steps: list[Command] = [create(contact(), guest()), update(internal_notes="Ask about the will."), cancel()]
        for step in steps:
            units = await repository.load([step])
            execute_command(units[MEETING], step, utc_now())
            await repository.save(list(units.values()))
            if step is not steps[-1]:
                await repository.publish(list(units.values()))


def test_a_whole_history_is_as_it_was_written(stored: Stored, meetings: Meetings) -> None:
    assert stored["meeting_history"].count_documents({}) == 2
    ran = meetings("history", "verify", "--tenant", TENANT)
    assert (ran.out, ran.status) == ("1 histories with 3 versions are as they were written\n", 0)
    one = meetings("history", "verify", "--meeting", MEETING)
    last_hash = stored["meetings"].find_one({})["historyHash"]  # type: ignore[index]
    assert one.out.splitlines()[-1] == f"last hash: {last_hash}"
    assert meetings("history", "verify", "--tenant", "T-OTHER").out.startswith("0 histories")


def _set(version: int, field: str, value: object) -> Callable[[Stored], object]:
    return lambda stored: stored["meeting_history"].update_one({"version": version}, {"$set": {field: value}})


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_set(2, "actor.id", "TS-OTHER"), ["version 2 was changed"]),
        (_set(2, "changes.0.fields.0.new", "Nothing."), ["version 2 what it says of the meeting was changed"]),
        (_set(1, "hash", "0" * 64), ["version 1 was changed", "version 2 does not follow the entry before it"]),
        (_set(2, "version", "two"), [f"{MEETING}/0000000002 cannot be read", "version 2 is missing"]),
        (lambda stored: stored["meeting_history"].delete_one({"version": 2}), ["version 2 is missing"]),
        (lambda stored: stored["meetings"].update_one({}, {"$set": {"outbox": []}}), ["version 3 is missing"]),
        (
            lambda stored: stored["meetings"].update_one({}, {"$set": {"historyHash": "0" * 64}}),
            ["version 3 is not the entry that the meeting names as its last"],
        ),
    ],
)
def test_what_was_changed_or_is_missing_is_named(
    stored: Stored, meetings: Meetings, tamper: Callable[[Stored], object], said: list[str]
) -> None:
    tamper(stored)
    ran = meetings("history", "verify")
    assert ran.out.splitlines() == [*(f"{MEETING}: {problem}" for problem in said), "BROKEN: 1 of 1 histories"]
    assert ran.status == 1


def test_who_changed_a_meeting_is_shown_and_values_only_when_asked(stored: Stored, meetings: Meetings) -> None:
    ran = meetings("history", "show", MEETING)
    assert ran.status == 0
    assert "meeting.created  by TENANT_STAFF TS-HOST by way of GATEWAY" in ran.out
    assert "meeting.canceled" in ran.out
    assert "the will" not in ran.out
    shown = meetings("history", "show", MEETING, "--values").out
    assert "internalNotes: 'Bring the updated IPS draft.' → 'Ask about the will.'" in shown
    assert "meetingPassword: withheld" in shown
    assert "open sesame" not in shown


@pytest.mark.parametrize("words", [("show", "M-NONE"), ("verify", "--meeting", "M-NONE")])
def test_a_meeting_that_is_not_there_is_said(stored: Stored, meetings: Meetings, words: tuple[str, ...]) -> None:
    ran = meetings("history", *words)
    assert (ran.status, "there is no meeting M-NONE" in ran.err) == (2, True)
