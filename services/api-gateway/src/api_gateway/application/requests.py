"""A caller's request for a command, and the command's outcome."""

from dataclasses import dataclass, field

from contracts.messages.replies import Reply
from contracts.values.ids import uuid7_hex, uuid8_hex

from api_gateway.domain.caller import Caller


@dataclass(frozen=True, slots=True)
class RequestPreconditions:
    """The `Idempotency-Key` and `If-Match` of a request."""

    idempotency_key: str | None = None
    expected_versions: list[int] | None = None

    def command_id(self, *caller: str) -> str:
        """The same for each repeat by this caller with the same key; without a key, a new one each time."""
        return uuid7_hex() if self.idempotency_key is None else uuid8_hex(*caller, self.idempotency_key)


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """An authenticated caller's request for a command, on a path."""

    caller: Caller
    path: str
    preconditions: RequestPreconditions = field(default_factory=RequestPreconditions)

    @property
    def idempotency_key(self) -> str | None:
        return self.preconditions.idempotency_key

    @property
    def expected_versions(self) -> list[int] | None:
        return self.preconditions.expected_versions

    @property
    def command_id(self) -> str:
        return self.preconditions.command_id(self.caller.tenant_uuid, self.caller.user_id, self.path)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """An accepted command, and its reply; None when it did not come before the deadline."""

    meeting_uuid: str
    reply: Reply | None
