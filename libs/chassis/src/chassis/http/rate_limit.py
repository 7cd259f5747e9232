"""Limits on how often something may be done from outside."""

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from cachetools import LRUCache
from contracts.api.errors import ApiError, ErrorCode
from fastapi import Request

_MINUTE = 60.0
_ROUNDING = 1e-6
"""Seconds by which sums of floating-point intervals may be off."""
_IPV6_HOST_BITS = 64
_WHILE_RUNNING = 1
"""Seconds after which one of the running requests has probably ended."""


class RateLimiter:
    """Admits each key ``limit`` times in ``window`` seconds, at once or spread out; a limit of 0 admits always.

    Generic cell rate algorithm (ITU-T I.371): what was used is earned again evenly.

    Kept in this process's memory: each replica counts for itself, a restart forgets, and of very many keys those unused
    for longest are forgotten. It bounds the work that one caller can cause; it is no lock.
    """

    def __init__(
        self,
        limit: int,
        *,
        window: float = _MINUTE,
        max_keys: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window
        self._interval = window / limit if limit else 0.0
        self._clock = clock
        self._used_up_to: LRUCache[Hashable, float] = LRUCache(max_keys)

    def hit(self, key: Hashable) -> None:
        """Count one more use.

        Raises:
            ApiError: 429, with the seconds to wait; this use does not count.
        """
        if wait := self.wait(key):
            raise ApiError(ErrorCode.TOO_MANY_REQUESTS, retry_after=math.ceil(wait))

    def wait(self, key: Hashable) -> float:
        """Count one more use and return 0; or the seconds until one is possible, and this use does not count."""
        if not self._interval:
            return 0
        now = self._clock()
        used_up_to = max(now, self._used_up_to.get(key, now)) + self._interval
        if used_up_to - now > self._window + _ROUNDING:
            return used_up_to - now - self._window
        self._used_up_to[key] = used_up_to
        return 0


class InFlightLimit:
    """Lets each key have ``limit`` requests running at once; 0 = no limit. Each replica counts for itself."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[Hashable] = Counter()

    @contextmanager
    def acquire(self, key: Hashable) -> Iterator[None]:
        """Count one more while this is held.

        Raises:
            ApiError: 429, with the seconds to wait.
        """
        if self._limit and self._running[key] >= self._limit:
            raise ApiError(ErrorCode.TOO_MANY_REQUESTS, retry_after=_WHILE_RUNNING)
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]


def client_network(request: Request) -> str:
    """What a limit per address counts by: the client's IPv4 address, or the /64 of its IPv6 address.

    One IPv6 host has a whole /64 to itself (RFC 4291 section 2.5.4). Behind a proxy the client is whom the proxy names
    in ``X-Forwarded-For``, if FORWARDED_ALLOW_IPS trusts that proxy.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS)}/{128 - _IPV6_HOST_BITS}"
