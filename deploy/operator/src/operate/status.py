"""How the platform stands, and whether something of that is wrong."""

from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TypeVar

from contracts.times import utc_now
from pydantic import BaseModel, Field, computed_field

from operate.dead_letters import DeadLetterBox, State, open_dead_letter_box
from operate.health import ServiceHealth, ask_services
from operate.lag import Lag, ask_lags
from operate.problem import Problem, broker_errors, database_errors
from operate.settings import Settings
from operate.stores import CalendarsStanding, OutboxStanding, WorkStanding, open_stores

# The same as in deploy/observability/alerts.yml, so that both call the same things wrong.
MOST_LAG = 1000
MOST_OUTBOX_OVERDUE = 30.0
MOST_WORK_OVERDUE = 120.0
OLDEST_PULL = timedelta(minutes=30)

Answer = TypeVar("Answer")


class DeadLetterCount(BaseModel):
    """How many dead letters of a topic wait for an operator, and how many were replayed."""

    topic: str
    open: int
    replayed: int


class Status(BaseModel):
    """Everything that could be had; ``unknown`` says why the rest, which is None, could not."""

    at: datetime
    services: list[ServiceHealth]
    lags: list[Lag] | None = None
    dead_letters: list[DeadLetterCount] | None = None
    outboxes: list[OutboxStanding] | None = None
    work: list[WorkStanding] | None = None
    calendars: CalendarsStanding | None = None
    unknown: dict[str, str] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator] # https://github.com/python/mypy/issues/1362
    @property
    def wrong(self) -> list[str]:
        """What a person should look at, most urgent first; empty when all is well."""
        return [*self._wrong_services(), *self.unknown.values(), *self._wrong_messages(), *self._wrong_work()]

    def _wrong_services(self) -> Iterator[str]:
        for one in self.services:
            if not (one.alive and one.ready):
                reasons = ", ".join(f"{name} {problem}" for name, problem in one.problems.items()) or "says not why"
                yield f"{one.name} is {'not ready' if one.alive else 'down'}: {reasons}"

    def _wrong_messages(self) -> Iterator[str]:
        for letters in self.dead_letters or []:
            if letters.open:
                yield f"dead letters in {letters.topic}: {letters.open}"
        for lag in self.lags or []:
            if lag.records > MOST_LAG:
                yield f"{lag.group} is {lag.records} records behind on {lag.topic}"
        for outbox in self.outboxes or []:
            if outbox.overdue > MOST_OUTBOX_OVERDUE:
                yield f"events of {outbox.service} ({outbox.collection}) are unpublished for {outbox.overdue:.0f} s"

    def _wrong_work(self) -> Iterator[str]:
        for work in self.work or []:
            if work.standing.gave_up:
                yield f"{work.standing.gave_up} × {work.kind} gave up"
            if work.standing.overdue > MOST_WORK_OVERDUE:
                why = "what it needs is away" if work.standing.waiting else "nobody does it"
                yield f"{work.kind} waits for {work.standing.overdue:.0f} s: {why}"
        oldest = self.calendars.oldest_pull if self.calendars else None
        if oldest is not None and self.at - oldest > OLDEST_PULL:
            yield f"a connected calendar was last read {(self.at - oldest).total_seconds():.0f} s ago"


async def ask_status(settings: Settings) -> Status:
    """Ask everybody. What cannot be had is said in the answer and keeps nothing else from it."""
    status = Status(at=utc_now(), services=await ask_services(settings.services))
    status.lags = await _had(status, "lags", broker_errors(settings), ask_lags(settings))
    status.dead_letters = await _had(status, "dead letters", broker_errors(settings), _count_dead_letters(settings))
    async with open_stores(settings) as stores:
        status.outboxes = await _had(status, "outboxes", database_errors(), stores.outboxes())
        if status.outboxes is not None:  # else every further question would wait in vain as long
            status.work = await _had(status, "work", database_errors(), stores.work())
            status.calendars = await _had(status, "calendars", database_errors(), stores.calendars())
    return status


async def _had(
    status: Status, what: str, errors: AbstractContextManager[None], asking: Awaitable[Answer]
) -> Answer | None:
    try:
        with errors:
            return await asking
    except Problem as problem:
        status.unknown[what] = f"no {what} from {problem}"
        return None


async def _count_dead_letters(settings: Settings) -> list[DeadLetterCount]:
    async with open_dead_letter_box(settings) as box:
        return await count_dead_letters(box)


async def count_dead_letters(box: DeadLetterBox) -> list[DeadLetterCount]:
    """Of the topics that have any."""
    counts: dict[str, DeadLetterCount] = {}
    for letter in await box.letters():
        count = counts.setdefault(letter.topic, DeadLetterCount(topic=letter.topic, open=0, replayed=0))
        count.open += letter.state is State.OPEN
        count.replayed += letter.state is State.REPLAYED
    return list(counts.values())
