"""Reading busy times: who of many people has a meeting in a window.

An index can be entered at a meeting's start, not at its overlap with a window, so a search has to look back as far as
meetings are long. Each meeting is therefore of a class by its length, and a search looks back by the class's limit: a
day for nearly all of them, not a year for all because a few take that long.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Collection as People
from datetime import datetime, timedelta

from chassis.mongo.database import Collection, Document
from pymongo import ASCENDING, IndexModel

BUSY_INDEX = IndexModel(
    [
        ("tenantUuid", ASCENDING),
        ("busy", ASCENDING),
        ("durationBucket", ASCENDING),
        ("startsAt", ASCENDING),
        ("endsAt", ASCENDING),
    ],
    name="busy",
)
_AT_ONCE = 4
"""People asked about alone at once: one request takes no more of the database than others."""
_LIMITS = (timedelta(hours=25), timedelta(days=31))
"""The longest of each class but the last. An all-day meeting takes 25 hours when the clocks go back."""


def duration_bucket(duration: timedelta) -> int:
    """Which class a meeting of this real duration is of."""
    return bisect_left(_LIMITS, duration)


class MongoBusyTimes:
    """Reads who is busy, from the primary: reads follow writes."""

    def __init__(self, collection: Collection, *, max_read: int = 1_000) -> None:
        """``max_read`` meetings are read for all people at once; who is not among theirs is then asked about alone.

        So a window of years does not read everything that anybody did in them.
        """
        self._collection = collection
        self._most_read = max_read

    async def busy(self, tenant: str, people: People[str], starts_at: datetime, ends_at: datetime) -> set[str]:
        asked = set(people)
        documents = await self._overlapping(tenant, asked, starts_at, ends_at, most=self._most_read)
        found = {user_id for document in documents for user_id in document["busy"]} & asked
        if len(documents) < self._most_read:
            return found
        rest = sorted(asked - found)
        for some in (rest[begin : begin + _AT_ONCE] for begin in range(0, len(rest), _AT_ONCE)):
            firsts = await asyncio.gather(
                *(self._overlapping(tenant, {user_id}, starts_at, ends_at, most=1) for user_id in some)
            )
            found |= {user_id for user_id, first in zip(some, firsts, strict=True) if first}
        return found

    async def _overlapping(
        self, tenant: str, people: set[str], starts_at: datetime, ends_at: datetime, *, most: int
    ) -> list[Document]:
        """Meetings of any of these people that overlap the half-open window."""
        whose = {"tenantUuid": tenant, "busy": {"$in": sorted(people)}}
        classes = [
            {
                **whose,
                "durationBucket": number,
                "startsAt": {"$lt": ends_at} | ({"$gt": starts_at - limit} if limit else {}),
                "endsAt": {"$gt": starts_at},
            }
            for number, limit in enumerate((*_LIMITS, None))
        ]
        return await self._collection.find({"$or": classes}, projection={"_id": 0, "busy": 1}, limit=most, hint="busy")
