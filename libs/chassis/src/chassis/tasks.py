"""Waiting for several things at once."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def gather_all(*awaitables: Awaitable[Any]) -> None:
    """Wait until every one has ended, then raise the first error, if there was any."""
    for result in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until every one has ended; how it ended does not matter.

    Once is not enough: before Python 3.12 ``asyncio.wait_for``, which the database driver reads with, swallows a
    cancellation that meets a result (https://github.com/python/cpython/issues/86296).
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)
