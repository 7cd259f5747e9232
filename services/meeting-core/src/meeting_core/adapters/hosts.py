"""The collection of hosts: one small document per user who ever connected an external calendar, told by calendar-sync.

Every read and write is by ``_id``, which is also the shard key.
"""

from collections.abc import Sequence
from contextlib import suppress

from chassis.mongo import Collection, ConflictError
from contracts.messages.calendar_events import ConnectionChanged
from contracts.values.enums import ConnectionStatus
from pymongo import UpdateOne

from meeting_core.application.handling import Host


class StoredHosts:
    """Who has an external calendar connected."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def note(self, changes: Sequence[tuple[int, ConnectionChanged]]) -> None:
        newest = {
            (change.tenant_uuid, change.user_id): (sequence, change)
            for sequence, change in sorted(changes, key=lambda one: one[0])
        }
        writes = [
            UpdateOne(
                {"_id": _key(host), "sequence": {"$lt": sequence}},
                {
                    "$set": {
                        "sequence": sequence,
                        "connected": change.status is ConnectionStatus.CONNECTED,
                        "provider": change.provider,
                        "generation": change.generation,
                    }
                },
                upsert=True,
            )
            for host, (sequence, change) in newest.items()
        ]
        with suppress(ConflictError):  # a newer change is known: its document does not match, and the upsert meets it
            await self._collection.bulk_write(writes)

    async def connected(self, hosts: set[Host]) -> set[Host]:
        found = await self._collection.find(
            {"_id": {"$in": [_key(host) for host in hosts]}, "connected": True}, projection=["_id"]
        )
        keys = {document["_id"] for document in found}
        return {host for host in hosts if _key(host) in keys}


def _key(host: Host) -> str:
    """Ids of the platform have no colon."""
    return ":".join(host)
