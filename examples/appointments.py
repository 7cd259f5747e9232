"""Another service of the platform that follows meetings: it keeps, in SQLite, who has an appointment when.

    python examples/appointments.py appointments.db [localhost:9092]

Stop it, kill it, start it again: the table ends up the same. docs/how-to/subscribe.md explains what the kit does.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from pathlib import Path

from aiokafka.errors import KafkaError
from meetings_client import MeetingMessage, SqliteInbox, Subscriber

STATE = Path(os.environ.get("STATE_DIR") or Path(__file__).parents[1] / ".local")  # of the local run
SCHEMA = "CREATE TABLE IF NOT EXISTS meetings (meeting TEXT PRIMARY KEY, tenant, title, starts_at, ends_at, active)"


async def record(database: sqlite3.Connection, event: MeetingMessage) -> None:
    meeting = event.body.meeting
    row = (meeting.meeting_uuid, event.envelope.tenant, meeting.title, str(meeting.starts_at), str(meeting.ends_at))
    database.execute("REPLACE INTO meetings VALUES (?, ?, ?, ?, ?, ?)", (*row, meeting.status == "ACTIVE"))
    print(event.envelope.type, f"#{event.envelope.sequence}", meeting.meeting_uuid, flush=True)


def broker_of_the_local_run() -> str:
    try:
        return json.loads((STATE / "run.json").read_text())["kafka"]
    except FileNotFoundError:
        sys.exit(f"There is no local run in {STATE}. Start one with `make run`, or name a broker.")


def main(database_file: str, kafka: str | None = None) -> None:
    bootstrap = kafka or broker_of_the_local_run()
    try:
        with contextlib.closing(sqlite3.connect(database_file)) as database, contextlib.suppress(KeyboardInterrupt):
            database.execute(SCHEMA)
            asyncio.run(Subscriber(bootstrap, group="appointments", inbox=SqliteInbox(database)).run(record))
    except sqlite3.Error as problem:
        sys.exit(f"{database_file} cannot be used: {problem}")
    except KafkaError as problem:
        sys.exit(f"The broker at {bootstrap} does not answer: {problem!r}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
