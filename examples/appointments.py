"""Another service of the platform: it keeps in SQLite who has an appointment when. See docs/how-to/subscribe.md."""

import argparse
import asyncio
import contextlib
import sqlite3

from aiokafka.errors import KafkaError
from meetings_client import MeetingMessage, SqliteInbox, Subscriber

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("database", help="a SQLite file; stop this, kill it, start it again: the table ends up the same")
options.add_argument("kafka", nargs="?", default="127.0.0.1:19092", help="unless given, that of `make run`")


async def record(database: sqlite3.Connection, event: MeetingMessage) -> None:
    meeting = event.body.meeting.model_dump(mode="json")
    database.execute("REPLACE INTO meetings VALUES (:meetingUuid, :title, :startsAt, :status)", meeting)
    print(event.envelope.type, f"#{event.envelope.sequence}", meeting["meetingUuid"], flush=True)


given = options.parse_args()
try:
    with contextlib.closing(sqlite3.connect(given.database)) as database, contextlib.suppress(KeyboardInterrupt):
        database.execute("CREATE TABLE IF NOT EXISTS meetings (meeting PRIMARY KEY, title, starts_at, status)")
        asyncio.run(Subscriber(given.kafka, group="appointments", inbox=SqliteInbox(database)).run(record))
except (sqlite3.Error, KafkaError, ValueError) as problem:
    options.exit(1, f"{given.database} or {given.kafka} cannot be used: {problem!r}\n")
