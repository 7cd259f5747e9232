"""How the platform stands, and whether something of that is wrong."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from contracts.values.times import utc_now
from pydantic import BaseModel, Field, computed_field

from meetings_cli.dead_letters import DeadLetter, State, open_dead_letter_box
from meetings_cli.health import ServiceHealth, ask_services
from meetings_cli.lag import Lag, ask_lags
from meetings_cli.problem import Problem, broker_errors, database_errors
from meetings_cli.settings import Settings
from meetings_cli.stores import CalendarStats, JobStats, MailLimitsStatus, OutboxStats, open_stores

# The same as in deploy/observability/alerts.yml, so that both call the same things wrong.
MAX_LAG = 1000
MAX_OUTBOX_OVERDUE = 30.0
MAX_JOB_OVERDUE = 120.0
MAX_SYNC_AGE = timedelta(minutes=30)


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
    outboxes: list[OutboxStats] | None = None
    jobs: list[JobStats] | None = None
    calendars: CalendarStats | None = None
    mail_limits: MailLimitsStatus | None = None
    unknown: dict[str, str] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator] # https://github.com/python/mypy/issues/1362
    @property
    def wrong(self) -> list[str]:
        """What a person should look at, most urgent first; empty when all is well."""
        return [*self._wrong_services(), *self.unknown.values(), *self._wrong_messages(), *self._wrong_jobs()]

    def _wrong_services(self) -> Iterator[str]:
        for service in self.services:
            if not (service.alive and service.ready):
                reasons = ", ".join(f"{name} {problem}" for name, problem in service.problems.items()) or "says not why"
                yield f"{service.name} is {'not ready' if service.alive else 'down'}: {reasons}"

    def _wrong_messages(self) -> Iterator[str]:
        for letters in self.dead_letters or []:
            if letters.open:
                yield f"dead letters in {letters.topic}: {letters.open}"
        for lag in self.lags or []:
            if lag.records > MAX_LAG:
                yield f"{lag.group} is {lag.records} records behind on {lag.topic}"
        for outbox in self.outboxes or []:
            if outbox.overdue > MAX_OUTBOX_OVERDUE:
                yield f"events of {outbox.service} ({outbox.collection}) are unpublished for {outbox.overdue:.0f} s"

    def _wrong_jobs(self) -> Iterator[str]:
        for job in self.jobs or []:
            if job.stats.discarded:
                yield f"{job.stats.discarded} × {job.kind} jobs were discarded"
            if job.stats.overdue > MAX_JOB_OVERDUE:
                why = "a dependency is unavailable" if job.stats.blocked else "no worker runs them"
                yield f"{job.kind} jobs are overdue by {job.stats.overdue:.0f} s: {why}"
        oldest = self.calendars.oldest_pull if self.calendars else None
        if oldest is not None and self.at - oldest > MAX_SYNC_AGE:
            yield f"a connected calendar was last read {(self.at - oldest).total_seconds():.0f} s ago"


async def ask_status(settings: Settings) -> Status:
    """Ask everybody. What cannot be had is said in the answer and keeps nothing else from it."""
    status = Status(at=utc_now(), services=await ask_services(settings.services))
    for what, asking in (("broker", _ask_broker), ("database", _ask_database)):
        try:
            await asking(settings, status)
        except Problem as problem:
            status.unknown[what] = f"no answer from {problem}"
    return status


async def _ask_broker(settings: Settings, status: Status) -> None:
    with broker_errors(settings):
        status.lags = await ask_lags(settings)
        async with open_dead_letter_box(settings) as box:
            status.dead_letters = counted(await box.letters())


async def _ask_database(settings: Settings, status: Status) -> None:
    with database_errors():
        async with open_stores(settings) as stores:
            status.outboxes = await stores.outboxes()
            status.jobs = await stores.jobs()
            status.calendars = await stores.calendars()
            status.mail_limits = await stores.mail_limits()


def counted(letters: Iterable[DeadLetter]) -> list[DeadLetterCount]:
    """How many there are of each topic that has any."""
    counts: dict[str, DeadLetterCount] = {}
    for letter in letters:
        count = counts.setdefault(letter.topic, DeadLetterCount(topic=letter.topic, open=0, replayed=0))
        count.open += letter.state is State.OPEN
        count.replayed += letter.state is State.REPLAYED
    return list(counts.values())
