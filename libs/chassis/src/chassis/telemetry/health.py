"""Liveness and readiness. A process is alive while it makes progress, and ready while it can serve."""

from collections.abc import Callable


class Health:
    """The checks of one process."""

    def __init__(self) -> None:
        self._alive: dict[str, Callable[[], str | None]] = {}
        self._ready: dict[str, Callable[[], str | None]] = {}
        self.draining = False

    def add_liveness_check(self, name: str, check: Callable[[], str | None]) -> None:
        """A failure of this means that only a restart helps."""
        self._alive[name] = check

    def add_readiness_check(self, name: str, check: Callable[[], str | None]) -> None:
        """A failure of this means that no traffic should come here now."""
        self._ready[name] = check

    def liveness_problems(self) -> dict[str, str]:
        return _problems(self._alive)

    def readiness_problems(self) -> dict[str, str]:
        if self.draining:
            return {"process": "shutting down"}
        return _problems(self._alive | self._ready)


def _problems(checks: dict[str, Callable[[], str | None]]) -> dict[str, str]:
    return {name: problem for name, check in checks.items() if (problem := check()) is not None}
