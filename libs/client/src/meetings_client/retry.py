"""When to ask again, and for how long."""

import random
from dataclasses import dataclass

import httpx

RETRYABLE = frozenset({429, 502, 503, 504})
"""Answers after which the same request may succeed."""

ACCEPTED = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Times in seconds. The deadline bounds one call with all its repeats."""

    deadline: float = 30.0
    attempt_timeout: float = 10.0
    delay_initial: float = 0.2
    delay_max: float = 5.0

    def delay(self, attempt: int, response: httpx.Response | None) -> float:
        """How long to wait after the attempt (from 0): what the API asked for, else exponential with jitter."""
        asked = response.headers.get("Retry-After", "") if response is not None else ""
        if asked.isdecimal():
            return float(asked)
        ceiling = min(self.delay_max, self.delay_initial * 2.0 ** min(attempt, 16))
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
