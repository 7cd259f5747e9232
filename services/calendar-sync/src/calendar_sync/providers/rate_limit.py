"""Politeness towards providers: how often and how much at once an account's calendar is called by this process.

Google allows 600 requests a minute per user (https://developers.google.com/workspace/calendar/api/guides/quota), Graph
10,000 in ten minutes and four at a time per mailbox (https://learn.microsoft.com/graph/throttling-limits). A bucket
that holds ``burst`` and gains ``per_second`` stays below both for every window. What other processes ask for is not
known here: then the provider says so, and its Retry-After is honoured.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from contracts.values.enums import CalendarProvider

from calendar_sync.providers.accounts import Account


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What one account of a provider can bear."""

    burst: float
    per_second: float
    concurrency: int


_MAX_ACCOUNTS = 10_000


@dataclass(slots=True)
class TokenBucket:
    """What one account may still be asked for. ``level`` falls below zero by what is promised to those who wait."""

    limit: RateLimit
    level: float
    filled_at: float
    semaphore: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.semaphore = asyncio.Semaphore(self.limit.concurrency)

    def take(self, now: float) -> float:
        """Take one; the seconds to wait until it is there."""
        gained = (now - self.filled_at) * self.limit.per_second
        self.level, self.filled_at = min(self.limit.burst, self.level + gained) - 1, now
        return max(0.0, -self.level / self.limit.per_second)


class RateLimiter:
    """Lets calls through, account by account."""

    def __init__(self, limits: Mapping[CalendarProvider, RateLimit]) -> None:
        """``limits`` of one account, by provider."""
        self._limits = limits
        self._buckets: OrderedDict[tuple[CalendarProvider, str], TokenBucket] = OrderedDict()

    @asynccontextmanager
    async def acquire(self, account: Account) -> AsyncIterator[None]:
        """Waits until one more call of this account is polite; the call is made inside."""
        bucket = self._bucket(account)
        async with bucket.semaphore:
            wait = bucket.take(_now())
            if wait > 0:
                await asyncio.sleep(wait)
            yield

    def _bucket(self, account: Account) -> TokenBucket:
        key = (account.provider, account.subject)
        bucket = self._buckets.get(key)
        if bucket is None:
            limit = self._limits[account.provider]
            bucket = self._buckets[key] = TokenBucket(limit, limit.burst, _now())
            if len(self._buckets) > _MAX_ACCOUNTS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


def _now() -> float:
    return asyncio.get_running_loop().time()
