"""The history of a campaign: what callers asked for, what they were answered, and when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Outcome(StrEnum):
    """What a caller knows in the end of something they asked for."""

    DONE = "done"
    REFUSED = "refused"
    PROMISED = "promised"
    """202: it will be decided, and the caller left before it was."""
    UNKNOWN = "unknown"
    """Nothing but 502s, 503s and silence: it may have happened."""


UNDECIDED = frozenset({202, 429, 502, 503})
"""Answers after which a good caller asks again under the same key (docs/how-to/call-the-api.md)."""


@dataclass(frozen=True)
class Attempt:
    """One request. Times are monotonic, in seconds; ``status`` None: there was no answer."""

    asked_at: float
    answered_at: float
    status: int | None


@dataclass
class Operation:
    """One thing that a caller wanted, asked for once or again and again under one key."""

    kind: str
    correlation: str
    """The correlation id of every attempt, and so of the event that it led to."""
    meeting: str | None = None
    title: str | None = None
    """Of the meeting, if this is carried out; every write has its own."""
    changes: bool | None = None
    """Whether carrying it out changes the meeting; None: that depends."""
    attempts: list[Attempt] = field(default_factory=list)
    version: int | None = None
    """Of the meeting, as the ETag of the last answer says it."""
    body: Any = None
    """Of the last answer, when it is JSON."""

    @property
    def outcome(self) -> Outcome:
        status = self.attempts[-1].status if self.attempts else None
        if status in (200, 201, 204):
            return Outcome.DONE
        if status is not None and 400 <= status < 500 and status != 429:
            return Outcome.REFUSED
        return Outcome.PROMISED if self.accepted else Outcome.UNKNOWN

    @property
    def accepted(self) -> bool:
        """Whether any attempt was answered 202."""
        return any(attempt.status == 202 for attempt in self.attempts)

    @property
    def asked_at(self) -> float:
        """When the attempt began that got the answer."""
        return self.attempts[-1].asked_at

    @property
    def answered_at(self) -> float:
        return self.attempts[-1].answered_at


@dataclass
class MailReply:
    """A guest's answer by mail. Their mail server repeats it until the platform acknowledges it."""

    meeting: str
    participant: str
    status: str
    """An RsvpStatus."""
    version: int
    """Of the meeting, which asked for the mail that is replied to."""
    attempts: int = 0
    acknowledged: bool = False
    refusal: str = ""
    """What the platform said, when it wanted no more attempts."""


@dataclass
class History:
    """Everything that was asked, and what was noticed at once as against the contract."""

    writes: list[Operation] = field(default_factory=list)
    reads: list[Operation] = field(default_factory=list)
    replies: list[MailReply] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def operations(self) -> Iterator[Operation]:
        yield from self.writes
        yield from self.reads
