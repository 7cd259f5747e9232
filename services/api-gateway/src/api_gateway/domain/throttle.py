"""A limit on how often something may be done, for the endpoints that anybody can call."""

import math
import time
from collections.abc import Callable, Hashable

from cachetools import LRUCache
from contracts.errors import ErrorCode, Refusal

_WINDOW = 60.0


class Throttle:
    """Admits each key ``per_minute`` times a minute: at once or spread out (the generic cell rate algorithm).

    Kept in this process's memory: each replica counts for itself, a restart forgets, and of very many keys those unused
    for longest are forgotten. It bounds the work that a stranger can cause; it is no lock.
    """

    def __init__(
        self, per_minute: int, *, remembered: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = _WINDOW / per_minute
        self._clock = clock
        self._used_up_to: LRUCache[Hashable, float] = LRUCache(remembered)

    def admit(self, key: Hashable) -> None:
        """Count one more use.

        Raises:
            Refusal: 429, with the seconds to wait; this use does not count.
        """
        now = self._clock()
        used_up_to = max(now, self._used_up_to.get(key, now)) + self._interval
        if used_up_to - now > _WINDOW:
            raise Refusal(ErrorCode.TOO_MANY_REQUESTS, retry_after=math.ceil(used_up_to - now - _WINDOW))
        self._used_up_to[key] = used_up_to
