"""Limits concurrent work fairly: one caller's work does not keep the work of others waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

_UNLIMITED = 2**31


class FairGate:
    """Lets ``limit`` pieces of work run at once, ``per_tenant`` of one tenant and ``per_user`` of one user.

    Work that waits for its own tenant or user does not delay others: the queue of the gate holds at most ``per_tenant``
    pieces of each tenant. After a turn a user rests ``rest`` times as long as it took, at most ``max_rest`` seconds, so
    that no user can keep the resource behind the gate busy all the time.
    """

    def __init__(
        self,
        *,
        per_user: int,
        per_tenant: int = _UNLIMITED,
        limit: int = _UNLIMITED,
        rest: float = 0,
        max_rest: float = 10,
    ) -> None:
        self._all = asyncio.Semaphore(limit)
        self._tenants = _KeyedSemaphores(per_tenant, rest=lambda _: 0)
        self._users = _KeyedSemaphores(per_user, rest=lambda seconds: min(rest * seconds, max_rest))

    @asynccontextmanager
    async def turn(self, tenant: Hashable, user: Hashable) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        async with self._users.of((tenant, user)), self._tenants.of(tenant), self._all:
            yield


class _KeyedSemaphores:
    """A semaphore for each key while it is in use."""

    def __init__(self, limit: int, *, rest: Callable[[float], float]) -> None:
        """``rest``: for how many seconds a turn that took so many is held on to afterwards."""
        self._limit = limit
        self._rest = rest
        self._in_use: dict[Hashable, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        semaphore, users = self._in_use.get(key, (None, 0))
        semaphore = semaphore or asyncio.Semaphore(self._limit)
        self._in_use[key] = semaphore, users + 1
        loop = asyncio.get_running_loop()
        try:
            await semaphore.acquire()
        except BaseException:
            self._leave(key)
            raise
        began = loop.time()
        try:
            yield
        finally:
            rest = self._rest(loop.time() - began)
            if rest > 0:
                loop.call_later(rest, self._release, key)
            else:
                self._release(key)

    def _release(self, key: Hashable) -> None:
        semaphore, _ = self._in_use[key]
        semaphore.release()
        self._leave(key)

    def _leave(self, key: Hashable) -> None:
        semaphore, users = self._in_use.pop(key)
        if users > 1:
            self._in_use[key] = semaphore, users - 1
