"""Which account called what, and how it was answered: what tests assert on."""

from collections import Counter, deque
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

KEPT = 10_000


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LoggedRequest(_Answer):
    """One answered request; ``at`` is simulated time, UTC. Holds no token and no body."""

    at: datetime
    account: str | None
    operation: str
    status: int
    query: str


class RequestCount(_Answer):
    """How often an account got this status from this operation."""

    account: str | None
    operation: str
    status: int
    count: int


class RequestLog:
    """Counts every request and remembers the latest ones."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str | None, str, int]] = Counter()
        self.latest: deque[LoggedRequest] = deque(maxlen=KEPT)

    def record(self, *, at: datetime, account: str | None, operation: str, status: int, query: str = "") -> None:
        """Note one answered request. ``query`` must hold no secret: it is shown."""
        self._counts[account, operation, status] += 1
        self.latest.append(LoggedRequest(at=at, account=account, operation=operation, status=status, query=query))

    def counts(self) -> list[RequestCount]:
        """All counters since the start or the last :meth:`clear`."""
        return [
            RequestCount(account=account, operation=operation, status=status, count=count)
            for (account, operation, status), count in sorted(self._counts.items(), key=repr)
        ]

    def clear(self) -> None:
        """Start counting from nothing."""
        self._counts.clear()
        self.latest.clear()
