"""The collection of processed commands: idempotency records for which a meeting's document has no room.

Records never change, so they are written before the document that drops them: whatever dies in between, they are in one
of the two. Every read and write is by ``_id``, the command's id, which is also the shard key.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from chassis.mongo.database import Collection
from contracts.transport.idempotency import CommandRecord, ProcessedCommands
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, ReplaceOne

INDEXES = [IndexModel([("expiresAt", ASCENDING)], name="expired", expireAfterSeconds=0)]


class CommandArchive:
    """Keeps records until they expire."""

    def __init__(self, collection: Collection, *, retention: timedelta) -> None:
        """``retention``: how long a command with an ``Idempotency-Key`` is remembered."""
        self._collection = collection
        self._retention = retention

    async def save(self, commands: Iterable[ProcessedCommands]) -> None:
        """Archive what is too much for documents, before these are written."""
        now = utc_now()
        overflow = [
            record for processed in commands for record in processed.take_overflow(now, retention=self._retention)
        ]
        if overflow:
            await self._collection.bulk_write(
                [
                    ReplaceOne(
                        {"_id": record.command_id},
                        record.model_dump() | {"expiresAt": record.at + self._retention},
                        upsert=True,
                    )
                    for record in overflow
                ]
            )

    async def recall(self, asked: Iterable[tuple[ProcessedCommands, Sequence[str]]]) -> None:
        """Let these know the commands with these ids, where only the archive does."""
        now = utc_now()
        missing = [(commands, ids) for commands, of in asked if (ids := commands.to_recall(of, now))]
        if not missing:
            return
        ids = [command_id for _, some in missing for command_id in some]
        found = await self._collection.find({"_id": {"$in": ids}})
        records = {document["_id"]: CommandRecord.model_validate(document) for document in found}
        for commands, some in missing:
            commands.recall([records[command_id] for command_id in some if command_id in records])
