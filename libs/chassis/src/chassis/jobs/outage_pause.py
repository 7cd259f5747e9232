"""The pause of a worker pool while a dependency is away."""

import asyncio

import structlog

from chassis.backoff import backoff
from chassis.telemetry import metrics

log = structlog.get_logger()


class OutagePause:
    """Pauses that grow while outages follow each other."""

    def __init__(self, queue: str) -> None:
        """``queue`` is the name that logs and metrics show."""
        self._queue = queue
        self._until = 0.0
        self._outages_in_a_row = 0

    def begin(self, error: Exception) -> None:
        """Start nothing for a while: everything would fail now. Many failures at one moment count once."""
        if self.remaining() > 0:
            return
        self._outages_in_a_row += 1
        self._until = _now() + backoff(self._outages_in_a_row, initial=0.2, maximum=15)
        metrics.OUTAGES.labels(self._queue).inc()
        log.warning("jobs wait for a dependency", queue=self._queue, error=type(error).__name__, fold=True)

    def remaining(self) -> float:
        """Seconds until jobs may start again; zero or less when they may now."""
        return self._until - _now()

    def reset(self) -> None:
        """A job succeeded: the next outage is a first one."""
        self._outages_in_a_row = 0


def _now() -> float:
    return asyncio.get_running_loop().time()
