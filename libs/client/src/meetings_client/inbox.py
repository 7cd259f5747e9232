"""Which version of each meeting a subscriber has handled, recorded in the transaction of the effect itself."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

Transaction_co = TypeVar("Transaction_co", covariant=True)


class Inbox(Protocol[Transaction_co]):
    """What makes effects happen once, though events are delivered at least once (the idempotent-consumer pattern)."""

    def open(self, meeting_uuid: str, version: int) -> AbstractAsyncContextManager[Transaction_co | None]:
        """A transaction in which ``version`` is recorded as handled, committed when left and rolled back on errors.

        It is None when that version, or a higher one, was handled before: there is nothing to do.
        """
        ...


class SqliteInbox:
    """Versions beside the effects in a SQLite database, in the table ``handled_meetings``."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """The table is made when it does not exist."""
        self._database = database
        database.execute("CREATE TABLE IF NOT EXISTS handled_meetings (meeting TEXT PRIMARY KEY, version INTEGER)")

    @asynccontextmanager
    async def open(self, meeting_uuid: str, version: int) -> AsyncIterator[sqlite3.Connection | None]:
        """See ``Inbox.open``."""
        with self._database as transaction:
            changed = transaction.execute(
                "INSERT INTO handled_meetings VALUES (?1, ?2) ON CONFLICT (meeting) "
                "DO UPDATE SET version = excluded.version WHERE excluded.version > version",
                (meeting_uuid, version),
            )
            yield transaction if changed.rowcount == 1 else None
