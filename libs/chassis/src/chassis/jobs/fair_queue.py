"""The order in which work of many flows is done, so that a flow with much work delays no other."""

from collections.abc import Hashable
from datetime import datetime, timedelta

from cachetools import LRUCache


class FairQueue:
    """Gives each piece of work a start time; doing what starts earliest first lets the flows take turns.

    A piece of work starts ``spacing`` after the one before it of its flow, or now (start-time fair queueing: Goyal,
    Vin, Cheng, 1996). The start time is only an order: idle workers need not wait for it. With ``spacing`` far above
    the time that one piece takes, work of a flow without backlog comes before nearly all of a backlog.

    Kept in this process's memory, for the flows used last: each replica orders what it adds, a restart forgets.
    """

    def __init__(self, spacing: timedelta, *, max_flows: int = 100_000) -> None:
        self._spacing = spacing
        self._next_start: LRUCache[Hashable, datetime] = LRUCache(max_flows)

    def add(self, flow: Hashable, now: datetime) -> datetime:
        """The start time of one more piece of work of this flow."""
        start: datetime = max(now, self._next_start.get(flow, now))
        self._next_start[flow] = start + self._spacing
        return start
