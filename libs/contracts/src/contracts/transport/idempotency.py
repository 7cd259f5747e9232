"""What an aggregate remembers of the commands it decided, so that a repeat is answered as the first time.

A command is repeated when Kafka delivers it again, and when a client sends it again under its ``Idempotency-Key``;
either way it has the same ``command_id``. Pure: the aggregate stores these entries in its own document.
"""

from collections.abc import Sequence
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.api.errors import ApiError, ErrorCode


class IdempotentCommand(Protocol):
    """What tells one command from another, and a repeat from another request under the same key."""

    @property
    def command_id(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


class CommandRecord(BaseModel):
    """A command that was decided."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    command_id: str
    fingerprint: str
    version: int | None = None
    """The version of the aggregate that it led to; None when it changed nothing."""
    error: str | None = None
    """The wire code of the refusal."""
    message: str | None = None
    details: list[str] | None = None

    @classmethod
    def of(cls, command: IdempotentCommand, refusal: ApiError | None, *, version: int | None = None) -> Self:
        return cls(
            command_id=command.command_id,
            fingerprint=command.fingerprint,
            version=version,
            error=refusal.code.code if refusal else None,
            message=refusal.message if refusal else None,
            details=refusal.details if refusal else None,
        )


def is_duplicate(decided: Sequence[CommandRecord], command: IdempotentCommand) -> bool:
    """Whether this very command was carried out before, by what is remembered.

    Raises:
        ApiError: it was refused before, or its id was used for a different request.
    """
    earlier = next((one for one in decided if one.command_id == command.command_id), None)
    if earlier is None:
        return False
    if earlier.fingerprint != command.fingerprint:
        raise ApiError(ErrorCode.IDEMPOTENCY_KEY_REUSED)
    if earlier.error is not None:
        raise ApiError(ErrorCode.of(earlier.error), details=earlier.details, message=earlier.message)
    return True
