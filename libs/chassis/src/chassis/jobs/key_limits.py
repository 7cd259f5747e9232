"""How many jobs of one concurrency key may run at once, and which keys pause."""

import asyncio
from collections import Counter


class KeyLimits:
    """Counts the running jobs of each concurrency key."""

    def __init__(self, per_key: int) -> None:
        self._per_key = per_key
        self._running: Counter[str] = Counter()
        self._paused_until: dict[str, float] = {}

    def acquire(self, key: str) -> None:
        self._running[key] += 1

    def release(self, key: str) -> None:
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]

    def pause(self, key: str, *, seconds: float) -> None:
        """Start no job of this key for so long."""
        self._paused_until[key] = _now() + seconds

    def full(self) -> list[str]:
        """The keys of which no job may start now."""
        now = _now()
        self._paused_until = {key: until for key, until in self._paused_until.items() if until > now}
        return [*(key for key in self._running if self.free_slots(key) <= 0), *self._paused_until]

    def free_slots(self, key: str) -> int:
        """How many more jobs of this key may start."""
        return self._per_key - self._running[key]


def _now() -> float:
    return asyncio.get_running_loop().time()
