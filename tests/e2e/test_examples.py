"""The examples do what they say."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform
from localrun.ports import free_port
from localrun.processes import Process

from tests.support.callers import Caller
from tests.support.waiting import until

pytestmark = pytest.mark.e2e
EXAMPLE = Path(__file__).parents[2] / "examples" / "appointments.py"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "appointments.db"


@pytest.fixture
def subscriber(platform: Platform, database: Path, tmp_path: Path) -> Iterator[Process]:
    command = [sys.executable, str(EXAMPLE), str(database), platform.addresses.kafka]
    process = Process("subscriber", command, log=tmp_path / "subscriber.log")
    process.start()
    yield process
    process.kill()


def ran(*arguments: object) -> tuple[int, str]:
    """How the example ends when it cannot start, and what it says."""
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    return ended.returncode, ended.stderr


def test_a_subscriber_that_cannot_start_says_why_in_a_sentence(database: Path, tmp_path: Path) -> None:
    kafka = f"127.0.0.1:{free_port()}"
    code, said = ran()
    assert code == 2
    assert "the following arguments are required: database" in said
    for arguments in ((database, kafka), (tmp_path / "no" / "folder", kafka), (database, "localhost:kafka")):
        code, said = ran(*arguments)
        assert code == 1
        assert "cannot be used" in said
        assert "Traceback" not in said


def test_the_example_is_twenty_lines() -> None:
    _, _, code = EXAMPLE.read_text().split('"""')
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


async def test_a_subscriber_knows_what_the_platform_knows_also_after_being_killed(
    subscriber: Process, database: Path, valentina: Caller
) -> None:
    title = uuid7_hex()
    meeting = await valentina.creates(title=title, externalAttendees=[{"email": "jane.roe@example.com"}])

    async def knows(expected: tuple[str, str]) -> bool:
        connection = sqlite3.connect(database)
        try:
            query = "SELECT title, status FROM meetings WHERE meeting = ?"
            found: tuple[str, str] | None = connection.execute(query, (meeting["meetingUuid"],)).fetchone()
        except sqlite3.OperationalError:  # the table is being made
            return False
        finally:
            connection.close()
        return found == expected

    await until(lambda: knows((title, "ACTIVE")), what="the new meeting is known", within=45)
    subscriber.kill()
    renamed = uuid7_hex()
    await valentina.changes(meeting, title=renamed)
    await valentina.cancels(meeting)
    subscriber.restart()
    await until(lambda: knows((renamed, "CANCELED")), what="what happened meanwhile is known", within=45)
