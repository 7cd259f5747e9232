"""What every command carries: its identity for idempotency, and the caller on whose behalf it is sent."""

from contracts.model import Contract
from contracts.values.changes import ActorRef
from contracts.values.enums import ActorType, GuestLanguage, UserType, Way
from contracts.values.personal import MailAddress, PersonId, PersonName


class Actor(Contract):
    """The authenticated caller on whose behalf something happens."""

    tenant_uuid: str
    user_id: PersonId
    user_type: UserType
    email: MailAddress
    name: PersonName | None = None
    language: GuestLanguage = None

    @property
    def reference(self) -> ActorRef:
        """The caller as events and the history name them."""
        return ActorRef(id=self.user_id, type=ActorType(self.user_type), way=Way.GATEWAY)


class Command(Contract):
    """What every command says besides its own matter.

    ``command_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``), ``fingerprint``
    tells a repeat from another request under the same key, ``expected_versions`` are the caller's ``If-Match``.
    """

    command_id: str
    fingerprint: str
    meeting_uuid: str
    expected_versions: list[int] | None = None

    @property
    def tenant(self) -> str | None:
        """The tenant in which the meeting must be; None: the command proves none."""
        return None


class ActorCommand(Command):
    """A command of an authenticated caller."""

    actor: Actor

    @property
    def tenant(self) -> str:
        return self.actor.tenant_uuid
