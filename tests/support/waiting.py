"""Waiting in tests: for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")
_PAUSE = 0.02


async def until(ask: Callable[[], Awaitable[Found | None]], *, what: str, within: float = 15.0) -> Found:
    """Ask until the answer is neither None nor False; fails after ``within`` seconds, naming ``what``."""
    deadline = time.monotonic() + within
    while True:
        found = await ask()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        await asyncio.sleep(_PAUSE)
