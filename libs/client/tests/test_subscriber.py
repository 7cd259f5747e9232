"""What a subscriber can read, and which effects happen once."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts.messages.meeting_events import MeetingCreated, MeetingEvent
from meetings_client import SqliteInbox
from meetings_client.subscriber import read_message

SAMPLES = Path(__file__).parents[2] / "contracts" / "samples" / "meetings.meeting.created.v1"
SAMPLE = json.loads(next(SAMPLES.glob("*.json")).read_text())


@pytest.fixture
def body() -> dict[str, Any]:
    return dict(SAMPLE["body"])


def headers(**changes: str | None) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in (SAMPLE["headers"] | changes).items() if value is not None]


def test_a_known_event_is_read_as_what_it_is(body: dict[str, Any]) -> None:
    message = read_message(headers(), json.dumps(body | {"newer": 1}).encode())
    assert isinstance(message.body, MeetingCreated)
    assert message.envelope.sequence == 1
    assert message.body.meeting.title == body["meeting"]["title"]


def test_an_event_of_a_newer_type_is_read_for_its_meeting(body: dict[str, Any]) -> None:
    message = read_message(headers(ce_type="meetings.meeting.praised.v9"), json.dumps(body).encode())
    assert type(message.body) is MeetingEvent


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"ce_sequence": None}, None),
        ({"ce_type": None}, None),
        ({"ce_sequence": "x"}, None),
        ({}, b"{"),
        ({}, b"[" * 100_000),
        ({}, b"{}"),
        ({}, b""),
    ],
)
def test_what_is_no_event_is_a_value_error(
    body: dict[str, Any], changes: dict[str, str | None], value: bytes | None
) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_message(headers(**changes), json.dumps(body).encode() if value is None else value)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "inbox.db")
    connection.execute("CREATE TABLE effects (name)")
    yield connection
    connection.close()


async def effect(inbox: SqliteInbox, version: int, name: str, *, fails: bool = False) -> None:
    async with inbox.open("M1", version) as transaction:
        if transaction is not None:
            transaction.execute("INSERT INTO effects VALUES (?)", (name,))
        if fails:
            raise RuntimeError(name)


async def test_effects_happen_once_and_in_order_of_versions(database: sqlite3.Connection) -> None:
    inbox = SqliteInbox(database)
    with pytest.raises(RuntimeError):
        await effect(inbox, 1, "rolled back", fails=True)
    await effect(inbox, 1, "first")
    await effect(inbox, 1, "repeated")
    await effect(inbox, 3, "third")
    await effect(inbox, 2, "late")
    assert [name for (name,) in database.execute("SELECT name FROM effects")] == ["first", "third"]
