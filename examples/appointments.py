"""Another service of the platform that follows meetings: it keeps, in SQLite, who has an appointment when.

    python examples/appointments.py appointments.db [--kafka localhost:9092]

It shows the four things that every subscriber needs; docs/how-to/subscribe.md explains them. Stop it, kill it, start it
again: the table ends up the same.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import sqlite3
from pathlib import Path

from aiokafka import AIOKafkaConsumer

RUN = Path(__file__).parents[1] / ".local" / "run.json"
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
SCHEMA = """
CREATE TABLE IF NOT EXISTS meetings (meeting TEXT PRIMARY KEY, tenant TEXT, version INTEGER, title TEXT,
                                     starts_at TEXT, ends_at TEXT, active INTEGER);
CREATE TABLE IF NOT EXISTS people (meeting TEXT, person TEXT, answer TEXT);
"""


def take_note(database: sqlite3.Connection, headers: dict[str, str], meeting: dict) -> bool:
    """Write the meeting down as the event tells it, unless something newer is known; whether it was news."""
    uuid, version = meeting["meetingUuid"], int(headers["ce_sequence"])
    with database:  # one transaction: the effect and the mark of how far we are belong together
        known = database.execute("SELECT version FROM meetings WHERE meeting = ?", (uuid,)).fetchone()
        if known and known[0] >= version:  # events are delivered at least once, so they may repeat
            return False
        active = meeting["status"] == "ACTIVE"
        row = (uuid, headers["ce_tenant"], version, meeting["title"], meeting["startsAt"], meeting["endsAt"], active)
        database.execute("INSERT OR REPLACE INTO meetings VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("DELETE FROM people WHERE meeting = ?", (uuid,))
        people = [(uuid, one["name"] or one["email"], one["rsvpStatus"]) for one in meeting["participants"]]
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", people)
    return True


async def follow(bootstrap: str, database: sqlite3.Connection) -> None:
    """Read every event, from the first that the topic still has, and go on where an earlier run ended."""
    consumer = AIOKafkaConsumer(
        "meetings.events",
        bootstrap_servers=bootstrap,
        group_id="appointments",
        group_instance_id="appointments-1",  # of this replica: it may be restarted without a rebalance
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            batch = await consumer.getmany(timeout_ms=1_000)
            for record in itertools.chain(*batch.values()):
                try:
                    headers = {name: value.decode() for name, value in record.headers}
                    news = take_note(database, headers, json.loads(record.value)["meeting"])
                except UNREADABLE as problem:  # one bad record, or a newer producer's, must not stop us
                    print("passed over", record.partition, record.offset, repr(problem), flush=True)
                else:
                    print(headers["ce_type"], f"#{headers['ce_sequence']}", headers["ce_subject"], news, flush=True)
            if batch:
                await consumer.commit()  # only after the effects


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("database", type=Path)
    arguments.add_argument("--kafka", help="host:port, comma-separated; without it the broker of the local run")
    given = arguments.parse_args()
    bootstrap = given.kafka or json.loads(RUN.read_text())["kafka"]
    with contextlib.closing(sqlite3.connect(given.database)) as database, contextlib.suppress(KeyboardInterrupt):
        database.executescript(SCHEMA)
        asyncio.run(follow(bootstrap, database))


if __name__ == "__main__":
    main()
