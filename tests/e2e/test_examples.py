"""The examples do what they say."""

import json
import os
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


def ran(*arguments: object, **environment: str) -> str:
    """What the example says when it cannot start."""
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE), *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_subscriber_that_cannot_start_says_why_in_a_sentence(database: Path, tmp_path: Path) -> None:
    errors = [ran(), ran(database, STATE_DIR=str(tmp_path))]
    (tmp_path / "run.json").write_text(json.dumps({"kafka": f"127.0.0.1:{free_port()}"}))
    errors += [ran(database, STATE_DIR=str(tmp_path)), ran(tmp_path / "no" / "folder", STATE_DIR=str(tmp_path))]
    expected = ["appointments.py appointments.db", "no local run", "does not answer", "cannot be used"]
    for error, words in zip(errors, expected, strict=True):
        assert words in error
        assert "Traceback" not in error


async def test_a_subscriber_knows_what_the_platform_knows_also_after_being_killed(
    subscriber: Process, database: Path, valentina: Caller
) -> None:
    title = uuid7_hex()
    meeting = await valentina.creates(title=title, externalAttendees=[{"email": "jane.roe@example.com"}])

    async def knows(expected: tuple[str, int]) -> bool:
        connection = sqlite3.connect(database)
        try:
            query = "SELECT title, active FROM meetings WHERE meeting = ?"
            found: tuple[str, int] | None = connection.execute(query, (meeting["meetingUuid"],)).fetchone()
        except sqlite3.OperationalError:  # the table is being made
            return False
        finally:
            connection.close()
        return found == expected

    await until(lambda: knows((title, 1)), what="the new meeting is known", within=45)
    subscriber.kill()
    renamed = uuid7_hex()
    await valentina.changes(meeting, title=renamed)
    await valentina.cancels(meeting)
    subscriber.restart()
    await until(lambda: knows((renamed, 0)), what="what happened meanwhile is known", within=45)
