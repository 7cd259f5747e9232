"""The collection of connections: one document per user holds the connection, the grants to revoke and an outbox.

Most writers replace what they have read, guarded by the version. A refresh of tokens is guarded by the token version
alone, so that no other write can lose refreshed tokens. The job queue alone writes the fields of jobs.
"""

import asyncio
import itertools
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from chassis.backoff import backoff
from chassis.jobs.indexes import job_indexes
from chassis.jobs.queue import schedule
from chassis.kafka.records import OutgoingRecord, event_record
from chassis.mongo.database import Collection, ConflictError, Document
from chassis.mongo.outbox import OUTBOX_INDEX, Outbox
from chassis.mongo.updates import Update, merge_updates
from chassis.outages import is_outage
from contracts.messages.calendar_events import ConnectionChanged
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider, ConnectionStatus
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from calendar_sync.connections.model import Connection, PendingRevocation, connection_id
from calendar_sync.connections.ports import Change, ConnectionEvent, ConnectionUpdate
from calendar_sync.providers.external_event import Window

log = structlog.get_logger()


REVOCATION = "revocation"
"""The field of the job that revokes the grants of disconnected accounts."""


INDEXES = [
    OUTBOX_INDEX,
    *job_indexes(REVOCATION),
    IndexModel(
        [("pendingAuthorizations.stateHash", ASCENDING)],
        name="pending authorizations",
        partialFilterExpression={"pendingAuthorizations.stateHash": {"$exists": True}},
    ),
    IndexModel([("subject", ASCENDING), ("provider", ASCENDING)], name="account"),
]
"""The shard key of a sharded cluster is {_id: 1}: every write names it."""


_MAX_CONFLICTS = 20


_STORE_TIMEOUT = 30.0
"""Seconds for which storing refreshed tokens is tried again."""


class MongoConnectionRepository:
    """Reads and writes connections."""

    def __init__(self, collection: Collection, outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def find(self, tenant_uuid: str, user_id: str) -> Connection | None:
        document = await self._collection.find_one({"_id": connection_id(tenant_uuid, user_id)})
        return None if document is None else to_connection(document)

    async def find_by_state(self, state_hash: str) -> Connection | None:
        document = await self._collection.find_one({"pendingAuthorizations.stateHash": state_hash})
        return None if document is None else to_connection(document)

    async def page(self, after: str, limit: int) -> list[Connection]:
        found = await self._collection.find({"_id": {"$gt": after}}, sort={"_id": ASCENDING}, limit=limit)
        return [to_connection(document) for document in found]

    async def count(self) -> int:
        return await self._collection.count({}, hint="_id_")

    async def providers_of(self, hosts: set[tuple[str, str]]) -> dict[tuple[str, str], CalendarProvider]:
        keys = {connection_id(*host): host for host in hosts}
        found = await self._collection.find(
            {"_id": {"$in": list(keys)}, "status": ConnectionStatus.CONNECTED}, projection=["provider"]
        )
        return {keys[document["_id"]]: CalendarProvider(document["provider"]) for document in found}

    async def change(self, tenant_uuid: str, user_id: str, change: Change) -> Connection:
        for attempt in range(1, _MAX_CONFLICTS + 1):
            found = await self.find(tenant_uuid, user_id)
            connection = found or Connection(tenant_uuid=tenant_uuid, user_id=user_id)
            made = change(connection)
            if made is None:
                return connection
            written = await self._write(connection, made)
            if written is not None:
                await self._outbox.flush_or_defer([written])
                return to_connection(written)
            await asyncio.sleep(backoff(attempt, initial=0.005, maximum=0.1))
        raise ConflictError([connection_id(tenant_uuid, user_id)])

    async def _write(self, connection: Connection, made: ConnectionUpdate) -> Document | None:
        """The document after that; None when another writer was faster."""
        version = connection.version
        records = [] if made.event is None else [_record(connection, made.event, version + 1)]
        updates: list[Update] = [
            {"$set": connection.model_dump(by_alias=True, exclude={"version"})},
            self._outbox.append(*records),
        ]
        if isinstance(made.event, ConnectionChanged):
            updates.append({"$unset": {"refreshClaimedUntil": ""}})
        if made.revoke:
            updates.append(schedule(REVOCATION, connection.revocable_at(utc_now())))
        try:
            return await self._collection.find_one_and_update(
                {"_id": connection.connection_id, "version": version},
                merge_updates(*updates),
                upsert=version == 0,
                return_document=ReturnDocument.AFTER,
            )
        except ConflictError:
            return None

    async def defer_revocation(self, connection_id: str, until: datetime) -> bool:
        held = await self._collection.update_one(
            {"_id": connection_id, f"{REVOCATION}.lease": {"$exists": False}}, {"$max": {f"{REVOCATION}.dueAt": until}}
        )
        return held.matched_count == 1

    async def is_used_by_others(self, connection: Connection, revocation: PendingRevocation) -> bool:
        found = await self._collection.find_one(
            {
                "subject": revocation.subject,
                "provider": revocation.provider,
                "status": ConnectionStatus.CONNECTED,
                "_id": {"$ne": connection.connection_id},
            },
            projection=["_id"],
        )
        return found is not None

    # --- refreshing tokens ---------------------------------------------------------------------------------------

    async def claim_refresh(self, connection: Connection, until: datetime) -> bool:
        claimed = await self._collection.update_one(
            _holding_tokens(connection) | {"refreshClaimedUntil": {"$not": {"$gt": utc_now()}}},
            {"$set": {"refreshClaimedUntil": until}},
        )
        return claimed.matched_count == 1

    async def release_refresh(self, connection: Connection) -> None:
        await self._collection.update_one(_holding_tokens(connection), {"$unset": {"refreshClaimedUntil": ""}})

    async def store_refreshed(self, connection: Connection, encrypted_tokens: str) -> bool:
        deadline = time.monotonic() + _STORE_TIMEOUT
        for attempt in itertools.count(1):
            try:
                updated = await self._collection.update_one(
                    _holding_tokens(connection),
                    {
                        "$set": {"encryptedTokens": encrypted_tokens},
                        "$inc": {"version": 1, "tokenVersion": 1},
                        "$unset": {"refreshClaimedUntil": ""},
                    },
                )
            except PyMongoError as error:
                if not is_outage(error) or time.monotonic() > deadline:
                    raise
                log.warning("refreshed tokens not stored yet: database unavailable", error=type(error).__name__)
                await asyncio.sleep(backoff(attempt, initial=0.1, maximum=2))
            else:
                return updated.matched_count == 1
        return False

    async def record_synced_at(self, connection_id: str, generation: int, at: datetime, window: Window) -> bool:
        known = {"knownFrom": window.begins, "knownUntil": window.ends}
        noted = await self._collection.update_one(
            {"_id": connection_id, "generation": generation, "status": ConnectionStatus.CONNECTED, **known},
            {
                "$max": {"lastSyncedAt": at.astimezone(UTC)},
                "$set": {"lastErrorCode": None, "lastErrorReason": None},
                "$inc": {"version": 1},
            },
        )
        return noted.matched_count == 1


def _record(connection: Connection, event: ConnectionEvent, version: int) -> OutgoingRecord:
    return event_record(
        event, source=CALENDAR_SYNC, subject=connection.user_id, tenant=connection.tenant_uuid, sequence=version
    )


def to_connection(document: Document) -> Connection:
    """The connection that a document holds."""
    return Connection.model_validate(document)


def _holding_tokens(connection: Connection) -> dict[str, Any]:
    """The query for the connection while it has the tokens that were read."""
    return {"_id": connection.connection_id, "tokenVersion": connection.token_version, "status": "CONNECTED"}
