"""How long to wait before trying again."""

import random


def backoff(attempt: int, *, initial: float, maximum: float) -> float:
    """Seconds to wait after the ``attempt``-th failure (from 1): doubling, capped, with half of it left to chance."""
    longest: float = min(maximum, initial * 2 ** min(attempt - 1, 30))
    share = random.uniform(0.5, 1)  # noqa: S311 spreads load, guards nothing
    return longest * share
