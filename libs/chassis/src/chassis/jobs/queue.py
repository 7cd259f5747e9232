"""Work that leaves the house: mail and provider calls, which are slow, fail and repeat.

Whoever learns that something is wanted writes it down in the document it is about, with ``due`` in the same write.
Workers lease what is due, do it, and record how it went; the record counts only while the lease holds. Kill any worker
anywhere: its lease runs out and another goes on.

One piece of work is one sub-document, the ``field``, of a document:

- ``dueAt``: wanted, from this instant on. Taking the work removes it, so that finding it afterwards means that more
  was wanted meanwhile.
- ``lease``: ``{owner, token, until}`` while somebody is at it. The token is the fence: every lease has a new one.
- ``attempts``: begun since the last success, the running one included.
- ``ended``: the token of the last lease whose result was recorded.
- ``abandoned``: the last lease ran out, so what its holder did is not known.
- ``waits``: ``{since, error}`` while every attempt finds a dependency away; such attempts do not count.
- ``gaveUp``: ``{at, error}`` when it failed for reasons of our own so often that only a person can help.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from pymongo import ASCENDING, IndexModel, UpdateOne

from chassis.mongo.database import Collection, Document
from chassis.redaction import describe_error

log = structlog.get_logger()

Update = Mapping[str, Mapping[str, Any]]
"""A MongoDB update by its operators, such as ``{"$set": {…}}``."""

_LOOK_PAST_LANES = 4
"""How many candidates are looked at for each that is wanted, since many may be of one lane."""


def due(name: str, at: datetime) -> Update:
    """The part of a write that makes the work in field ``name`` wanted from ``at`` on; what is due earlier stays so."""
    return {"$min": {f"{name}.dueAt": at}}


def job_indexes(name: str, *, lane: str | None = None, order: str | None = None) -> list[IndexModel]:
    """What finding work in field ``name`` needs; ``lane`` and ``order`` as for ``JobQueue``."""
    keys = [f"{name}.dueAt", "_id", *([lane] if lane else [])]
    return [
        *([_order_index(name, order, lane)] if order else []),
        IndexModel(
            [(key, ASCENDING) for key in keys],
            name=f"{name} due in order",
            partialFilterExpression={f"{name}.dueAt": {"$exists": True}},
        ),
        IndexModel(
            [(f"{name}.lease.until", ASCENDING)],
            name=f"{name} leased",
            partialFilterExpression={f"{name}.lease.until": {"$exists": True}},
        ),
        IndexModel(
            [(f"{name}.gaveUp.at", ASCENDING)],
            name=f"{name} given up",
            partialFilterExpression={f"{name}.gaveUp.at": {"$exists": True}},
        ),
        IndexModel(
            [(f"{name}.waits.since", ASCENDING)],
            name=f"{name} waiting",
            partialFilterExpression={f"{name}.waits.since": {"$exists": True}},
        ),
    ]


def _order_index(name: str, order: str, lane: str | None) -> IndexModel:
    keys = [order, "_id", f"{name}.dueAt", *([lane] if lane else [])]
    return IndexModel(
        [(key, ASCENDING) for key in keys],
        name=f"{name} in fair order",
        partialFilterExpression={f"{name}.dueAt": {"$exists": True}},
    )


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """Work that is ours for a while. ``document`` is as it was when the work was taken."""

    document: Document
    token: str
    attempt: int
    """1 for the first since the last success."""
    abandoned: bool
    """A worker before us vanished: it may have done the work without saying so."""

    @property
    def key(self) -> Any:
        return self.document["_id"]


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended: over, or to be tried again ``again_in`` seconds from now.

    ``update`` is written to the document together with the end of the lease. ``pause_lane``: nothing else in the same
    lane is begun until then either (a provider's Retry-After, a mail domain that defers).
    """

    update: Update = field(default_factory=dict)
    again_in: float | None = None
    pause_lane: bool = False


class JobQueue:
    """Takes and ends work in one field of one collection's documents, on behalf of one process."""

    def __init__(
        self, collection: Collection, name: str, *, seconds: float, lane: str | None = None, order: str | None = None
    ) -> None:
        """``name``: the field. ``seconds``: how long a lease lasts unless renewed.

        ``lane``: a field whose value says what work competes for, such as a mail domain or a provider account.
        ``order``: a field with an instant; of the work that is due, the one with the earliest is taken first. Default:
        the longest due first. Work that is tried again is moved behind what is due by then.
        """
        self.name = name
        self.seconds = seconds
        self._collection = collection
        self._lane = lane
        self._order = order
        self._owner = uuid7_hex()

    def lane_of(self, document: Document) -> str:
        """What this document's work competes for; empty when there are no lanes."""
        return str(document.get(self._lane, "")) if self._lane else ""

    async def take(self, limit: int, *, full: Sequence[str], per_lane: Callable[[str], int]) -> list[LeasedJob]:
        """Lease up to ``limit`` pieces of due work, in order; of those equal in that, in the order of their ids.

        ``full`` lanes are passed over; in another lane at most ``per_lane(lane)`` are taken.
        """
        takeable = {f"{self.name}.dueAt": {"$lte": utc_now()}, f"{self.name}.lease": {"$exists": False}}
        elsewhere = {self._lane: {"$nin": list(full)}} if self._lane and full else {}
        candidates = await self._collection.find(
            takeable | elsewhere,
            projection=[self._lane] if self._lane else ["_id"],
            sort={self._order or f"{self.name}.dueAt": ASCENDING, "_id": ASCENDING},
            limit=limit if self._lane is None else _LOOK_PAST_LANES * limit,
        )
        chosen = self._within(candidates, per_lane)[:limit]
        if not chosen:
            return []
        token = uuid7_hex()
        await self._collection.update_many(
            {"_id": {"$in": chosen}} | takeable,
            {
                "$set": {f"{self.name}.lease": {"owner": self._owner, "token": token, "until": self._until()}},
                "$unset": {f"{self.name}.dueAt": "", f"{self.name}.gaveUp": ""},
                "$inc": {f"{self.name}.attempts": 1},
            },
        )
        taken = await self._collection.find({"_id": {"$in": chosen}, f"{self.name}.lease.token": token})
        leased = {document["_id"]: self._lease(document, token) for document in taken}
        return [leased[key] for key in chosen if key in leased]

    async def renew(self, leases: Sequence[LeasedJob]) -> None:
        """Hold them for another full time. Those that ran out already stay lost."""
        tokens = list({lease.token for lease in leases})
        await self._collection.update_many(
            {"_id": {"$in": [lease.key for lease in leases]}, f"{self.name}.lease.token": {"$in": tokens}},
            {"$set": {f"{self.name}.lease.until": self._until()}},
        )

    async def record(self, ended: Sequence[tuple[LeasedJob, Result]]) -> list[Document | None]:
        """Write these results and end their leases, all in one go.

        For each the document after that, or None when its lease had run out, so that its result does not count.
        """
        await self._collection.bulk_write(
            [self._ending(lease, self._recorded(lease, result)) for lease, result in ended]
        )
        found = await self._collection.find({"_id": {"$in": [lease.key for lease, _ in ended]}})
        documents = {document["_id"]: document for document in found}
        return [
            document
            if (document := documents.get(lease.key)) and document[self.name].get("ended") == lease.token
            else None
            for lease, _ in ended
        ]

    async def give_back(
        self,
        lease: LeasedJob,
        *,
        again_in: float,
        attempts: int,
        abandoned: bool = False,
        outage: BaseException | None = None,
    ) -> None:
        """End the lease without a result; ``attempts`` have been made that count. ``outage``: why it was not one."""
        marked = {"$set": {f"{self.name}.attempts": attempts} | ({f"{self.name}.abandoned": True} if abandoned else {})}
        waits: Update = {}
        if outage is not None:
            since, error = f"{self.name}.waits.since", f"{self.name}.waits.error"
            waits = {"$min": {since: utc_now()}, "$set": {error: describe_error(outage)}}
        ending = _merged(self._due(_in(again_in)), marked, waits)
        await self._collection.bulk_write([self._ending(lease, ending)])

    async def give_up(self, lease: LeasedJob, error: Exception) -> None:
        """End the lease and leave the work, visibly, until it is wanted again."""
        gave_up = {"at": utc_now(), "error": describe_error(error)}
        ended: Update = {
            "$set": {f"{self.name}.gaveUp": gave_up, f"{self.name}.attempts": 0},
            "$unset": {f"{self.name}.waits": ""},
        }
        await self._collection.bulk_write([self._ending(lease, ended)])

    def _recorded(self, lease: LeasedJob, result: Result) -> Update:
        again = {} if result.again_in is None else self._due(_in(result.again_in))
        ended: Update = {
            "$unset": {f"{self.name}.abandoned": "", f"{self.name}.waits": ""},
            "$set": {f"{self.name}.attempts": lease.attempt if again else 0, f"{self.name}.ended": lease.token},
        }
        return _merged(ended, again, result.update)

    def _due(self, at: datetime) -> Update:
        """Due again, and not before what is in order by then."""
        return _merged(due(self.name, at), {"$max": {self._order: at}} if self._order else {})

    def _ending(self, lease: LeasedJob, update: Update) -> UpdateOne:
        """The write that ends a lease, if it still holds."""
        holds = {"_id": lease.key, f"{self.name}.lease.token": lease.token}
        return UpdateOne(holds, _merged({"$unset": {f"{self.name}.lease": ""}}, update))

    async def reclaim(self) -> int:
        """Make due again what vanished workers held; returns how much."""
        now = utc_now()
        done = await self._collection.update_many(
            {f"{self.name}.lease.until": {"$lte": now}},
            {
                "$unset": {f"{self.name}.lease": ""},
                "$set": {f"{self.name}.abandoned": True},
                "$min": {f"{self.name}.dueAt": now},
            },
        )
        return done.modified_count

    async def overdue(self) -> float:
        """For how many seconds the work has waited that waits longest, in vain or with nobody at it; 0 if none."""
        return await _overdue(self._collection, self.name)

    async def next_due(self) -> datetime | None:
        """When the next piece of work that nobody holds is due."""
        found = await self._collection.find_one(
            {f"{self.name}.dueAt": {"$exists": True}, f"{self.name}.lease": {"$exists": False}},
            projection=[f"{self.name}.dueAt"],
            sort={f"{self.name}.dueAt": ASCENDING},
        )
        at: datetime | None = found[self.name]["dueAt"] if found else None
        return at

    def _within(self, candidates: Sequence[Document], per_lane: Callable[[str], int]) -> list[Any]:
        taken: Counter[str] = Counter()
        chosen = []
        for candidate in candidates:
            lane = self.lane_of(candidate)
            if taken[lane] < per_lane(lane):
                taken[lane] += 1
                chosen.append(candidate["_id"])
        return chosen

    def _lease(self, document: Document, token: str) -> LeasedJob:
        work = document[self.name]
        return LeasedJob(document, token, attempt=work["attempts"], abandoned=work.get("abandoned", False))

    def _until(self) -> datetime:
        return _in(self.seconds)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How much work of one kind there is, and in which state; ``overdue`` is how many seconds the longest due waits."""

    due: int
    later: int
    """Wanted from a later instant on: put off, or the next round of work that is never over."""
    leased: int
    abandoned: int
    """Left behind by workers that vanished, and not taken up again yet."""
    waiting: int
    """Of all these: those that find a dependency away."""
    gave_up: int
    overdue: float


class JobAdmin:
    """What operators may know and do about the work in one field of one collection's documents, whoever does it."""

    def __init__(self, collection: Collection, name: str) -> None:
        self.name = name
        self._collection = collection
        self._due, self._free = f"{name}.dueAt", {f"{name}.lease": {"$exists": False}}
        self._waiting = {f"{name}.waits.since": {"$exists": True}}
        self._gave_up = {f"{name}.gaveUp.at": {"$exists": True}, self._due: {"$exists": False}}

    async def standing(self) -> QueueStats:
        """Counted now, by the indexes alone as far as they go."""
        now, lease_until, abandoned = utc_now(), f"{self.name}.lease.until", {f"{self.name}.abandoned": True}
        return QueueStats(
            due=await self._in_order({self._due: {"$lte": now}} | self._free),
            later=await self._in_order({self._due: {"$gt": now}} | self._free),
            leased=await self._leased({lease_until: {"$gt": now}}),
            abandoned=await self._leased({lease_until: {"$lte": now}})
            + await self._in_order({self._due: {"$exists": True}} | self._free | abandoned),
            waiting=await self._collection.count(self._waiting, hint=f"{self.name} waiting"),
            gave_up=await self._collection.count(self._gave_up, hint=f"{self.name} given up"),
            overdue=await _overdue(self._collection, self.name),
        )

    async def stuck(self, limit: int, *, due_before: datetime, projection: Sequence[str] = ()) -> list[Document]:
        """Up to ``limit`` documents whose work does not end by itself, or not soon.

        First what was given up, then what finds a dependency away, then what was due before the UTC instant
        ``due_before``, then what failed and is put off. They hold the work's field, and the fields in ``projection``.
        """
        put_off = {self._due: {"$gt": utc_now()}, f"{self.name}.attempts": {"$gte": 1}} | self._free
        not_waiting = {f"{self.name}.waits": {"$exists": False}}
        found: list[Document] = []
        for query, order in (
            (self._gave_up, f"{self.name}.gaveUp.at"),
            (self._waiting, f"{self.name}.waits.since"),
            ({self._due: {"$lt": due_before}} | self._free | not_waiting, self._due),
            (put_off | not_waiting, self._due),
        ):
            if room := limit - len(found):
                found += await self._collection.find(
                    query, projection=[self.name, *projection], sort={order: ASCENDING}, limit=room
                )
        return found

    async def find(self, key: str, *, projection: Sequence[str] = ()) -> Document | None:
        """The document of this id, as in ``stuck``; None when there is none, or it never had such work."""
        return await self._collection.find_one(
            {"_id": key, self.name: {"$exists": True}}, projection=[self.name, *projection]
        )

    async def retry(self, keys: Sequence[str]) -> int:
        """Make due now what was given up or is put off, unless somebody is at it; how much that was."""
        wanted = {"$or": [{self._due: {"$exists": True}}, {f"{self.name}.gaveUp": {"$exists": True}}]}
        done = await self._collection.update_many(
            {"_id": {"$in": list(keys)}} | wanted | self._free,
            _merged(due(self.name, utc_now()), {"$unset": {f"{self.name}.gaveUp": ""}}),
        )
        return done.matched_count

    async def retry_discarded(self, limit: int) -> int:
        """The same with up to ``limit`` that were given up; 0 when none are left."""
        found = await self._collection.find(self._gave_up, projection=["_id"], limit=limit)
        return await self.retry([one["_id"] for one in found]) if found else 0

    async def _in_order(self, query: dict[str, Any]) -> int:
        return await self._collection.count(query, hint=f"{self.name} due in order")

    async def _leased(self, query: dict[str, Any]) -> int:
        return await self._collection.count(query, hint=f"{self.name} leased")


async def _overdue(collection: Collection, name: str) -> float:
    due_at, since = f"{name}.dueAt", f"{name}.waits.since"
    due_first = await collection.find_one(
        {due_at: {"$exists": True}, f"{name}.lease": {"$exists": False}}, projection=[due_at], sort={due_at: ASCENDING}
    )
    waits_first = await collection.find_one({since: {"$exists": True}}, projection=[since], sort={since: ASCENDING})
    begun: list[datetime] = [due_first[name]["dueAt"]] if due_first else []
    begun += [waits_first[name]["waits"]["since"]] if waits_first else []
    return max([0.0, *((utc_now() - at).total_seconds() for at in begun)])


def _merged(*updates: Update) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for update in updates:
        for operator, fields in update.items():
            merged.setdefault(operator, {}).update(fields)
    return merged


def _in(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)


class LeaseLostError(Exception):
    """Another worker may be at this work: whatever is done now could cross what it does."""
