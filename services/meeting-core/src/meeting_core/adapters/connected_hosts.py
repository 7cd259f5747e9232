"""The collection of hosts: one small document per user who ever connected an external calendar.

Every read and write is by ``_id``, which is also the shard key.
"""

from collections.abc import Collection as People
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from chassis.mongo.database import Collection, ConflictError
from contracts.messages.calendar_events import CalendarCoverageChanged
from contracts.values.enums import ConnectionStatus
from pymongo import UpdateOne

from meeting_core.application.message_handler import ConnectionEvent, Host


class ConnectedHostsProjection:
    """Who has an external calendar connected, and how much of it is known.

    Connections and their coverage are numbered alike, and each kind is guarded by its own newest number.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def record(self, changes: Sequence[tuple[int, ConnectionEvent]]) -> None:
        newest: dict[tuple[str, str], UpdateOne] = {}
        for sequence, change in sorted(changes, key=lambda numbered: numbered[0]):
            newest[type(change).__name__, _key((change.tenant_uuid, change.user_id))] = _write(change, sequence)
        with suppress(ConflictError):  # newer is known: its document does not match, and the upsert meets it
            await self._collection.bulk_write(list(newest.values()))

    async def find_connected(self, hosts: set[Host]) -> set[Host]:
        found = await self._collection.find(
            {"_id": {"$in": [_key(host) for host in hosts]}, "connection.connected": True}, projection=["_id"]
        )
        keys = {document["_id"] for document in found}
        return {host for host in hosts if _key(host) in keys}

    async def unknown(self, tenant: str, people: People[str], starts_at: datetime, ends_at: datetime) -> set[str]:
        keys = {_key((tenant, user_id)): user_id for user_id in people}
        found = await self._collection.find({"_id": {"$in": list(keys)}})
        return {keys[host["_id"]] for host in found if not _is_known(host, starts_at, ends_at)}


def _write(change: ConnectionEvent, sequence: int) -> UpdateOne:
    value: dict[str, Any]
    if isinstance(change, CalendarCoverageChanged):
        field, value = "coverage", {"from": change.known_from, "until": change.known_until}
    else:
        connected = change.status is ConnectionStatus.CONNECTED
        field, value = "connection", {"connected": connected, "lost": not connected and change.error_code is not None}
    return UpdateOne(
        {"_id": _key((change.tenant_uuid, change.user_id)), f"{field}.sequence": {"$not": {"$gte": sequence}}},
        {"$set": {field: {**value, "generation": change.generation, "sequence": sequence}}},
        upsert=True,
    )


def _is_known(host: dict[str, Any], starts_at: datetime, ends_at: datetime) -> bool:
    """Whether all that takes this person's time in the window is known.

    Who ended the connection has no other calendar any more; who lost it still has.
    """
    connection, coverage = host.get("connection", {}), host.get("coverage", {})
    if not connection.get("connected"):
        return not connection.get("lost")
    if coverage.get("generation") != connection["generation"] or coverage.get("from") is None:
        return False
    return bool(coverage["from"] <= starts_at and ends_at <= coverage["until"])


def _key(host: Host) -> str:
    """Ids of the platform have no colon."""
    return ":".join(host)
