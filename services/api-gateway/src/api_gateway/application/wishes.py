"""A wish to change something: who has it and under which conditions, and what became of it."""

from dataclasses import dataclass, field

from contracts.messages.replies import Reply
from contracts.values.ids import uuid7_hex, uuid8_hex

from api_gateway.domain.caller import Caller


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request may ask for besides its matter: to be repeatable, and to apply to certain versions only."""

    idempotency_key: str | None = None
    expected_versions: list[int] | None = None

    def command_id(self, *asker: str) -> str:
        """The same for every repeat of this asker under one key; without a key, new each time."""
        return uuid7_hex() if self.idempotency_key is None else uuid8_hex(*asker, self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an authenticated caller wants, on which path."""

    caller: Caller
    path: str
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def idempotency_key(self) -> str | None:
        return self.conditions.idempotency_key

    @property
    def expected_versions(self) -> list[int] | None:
        return self.conditions.expected_versions

    @property
    def command_id(self) -> str:
        return self.conditions.command_id(self.caller.tenant_uuid, self.caller.user_id, self.path)


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that was accepted, and its outcome if it came in time."""

    meeting_uuid: str
    reply: Reply | None
