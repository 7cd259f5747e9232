"""What an aggregate remembers of the commands that it processed, so that a repeat is answered as the first time.

A command is repeated when Kafka delivers it again, and when a client sends it again under its ``Idempotency-Key``;
either way it has the same ``command_id``. Pure: the aggregate stores these records in its own document.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from contracts.api.errors import ApiError, ErrorCode
from contracts.model import StoredModel
from contracts.values.ids import is_derived
from contracts.values.times import Instant

MAX_WITHOUT_KEY = 500
"""Records of commands without a key: as many as a batch has, for they repeat only when a batch comes again."""
MAX_WITH_KEY = 200
"""Records of commands with a key that stay in the aggregate's document; the older ones go to an archive."""


class IdempotentCommand(Protocol):
    """A command that can be repeated: its id, and a fingerprint of its content."""

    @property
    def command_id(self) -> str:
        """Derived from the asker and their ``Idempotency-Key`` where there is one, else random."""

    @property
    def fingerprint(self) -> str: ...


class CommandRecord(StoredModel):
    """A command that was processed."""

    command_id: str
    fingerprint: str
    at: Instant
    version: int | None = None
    """The version of the aggregate that it led to; None when it changed nothing."""
    error: str | None = None
    """The wire code of the refusal."""
    message: str | None = None
    details: list[str] | None = None

    @classmethod
    def of(
        cls, command: IdempotentCommand, refusal: ApiError | None, *, at: datetime, version: int | None = None
    ) -> Self:
        return cls(
            command_id=command.command_id,
            fingerprint=command.fingerprint,
            at=at,
            version=version,
            error=refusal.code.code if refusal else None,
            message=refusal.message if refusal else None,
            details=refusal.details if refusal else None,
        )

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """There may be hundreds of them in a document."""
        return {name: value for name, value in serialize(self).items() if value is not None}


class ProcessedCommands(StoredModel):
    """The commands that one aggregate has processed.

    Those with an ``Idempotency-Key`` are remembered for a time, whatever else happens to the aggregate; the others, for
    the sake of Kafka, by number. The one that made the aggregate is never forgotten.
    """

    with_key: list[CommandRecord] = Field(default_factory=list)
    without_key: list[CommandRecord] = Field(default_factory=list)
    archived_until: Instant | None = None
    """Until then an archive may have more records with a key."""
    _recalled: dict[str, CommandRecord] = PrivateAttr(default_factory=dict)

    def find(self, command_id: str) -> CommandRecord | None:
        """What is remembered of the command with this id."""
        kept = self.with_key if is_derived(command_id) else self.without_key
        return next((record for record in kept if record.command_id == command_id), self._recalled.get(command_id))

    def has(self, command: IdempotentCommand) -> bool:
        """Whether this very command was carried out before.

        Raises:
            ApiError: it was refused before, or its id was used for a different request.
        """
        earlier = self.find(command.command_id)
        if earlier is None:
            return False
        if earlier.fingerprint != command.fingerprint:
            raise ApiError(ErrorCode.IDEMPOTENCY_KEY_REUSED)
        if earlier.error is not None:
            raise ApiError(ErrorCode.of(earlier.error), details=earlier.details, message=earlier.message)
        return True

    def add(self, record: CommandRecord) -> None:
        """Remember a command; of those without a key the latest."""
        if is_derived(record.command_id):
            self.with_key = [*self.with_key, record]
        else:
            self.without_key = [*self.without_key, record][-MAX_WITHOUT_KEY:]

    def take_overflow(self, now: datetime, *, retention: timedelta, limit: int = MAX_WITH_KEY) -> list[CommandRecord]:
        """Forget what is older than ``retention``, then take the oldest records with a key if there are too many.

        What is returned is to be archived, for as long as ``retention``, before the document is written without it.
        """
        self.with_key = [record for record in self.with_key if record.at > now - retention or _made_it(record)]
        if len(self.with_key) <= limit:
            return []
        first, *others = self.with_key
        made_it, others = ([first], others) if _made_it(first) else ([], self.with_key)
        overflow, kept = others[: -limit // 2], others[-limit // 2 :]
        self.with_key = [*made_it, *kept]
        self.archived_until = overflow[-1].at + retention
        return overflow

    def to_recall(self, command_ids: Iterable[str], now: datetime) -> list[str]:
        """Those of these commands of which the archive may know more."""
        if self.archived_until is None or now >= self.archived_until:
            return []
        return [command_id for command_id in command_ids if is_derived(command_id) and self.find(command_id) is None]

    def recall(self, records: Sequence[CommandRecord]) -> None:
        """Remember also these, from the archive; they are not stored in the document again."""
        self._recalled |= {record.command_id: record for record in records}


def _made_it(record: CommandRecord) -> bool:
    return record.version == 1
