"""What connecting needs of the outside: providers that ask users for consent, connections that are kept, a safe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from contracts.api.calendar import AuthorizationResult
from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged
from contracts.values.enums import CalendarProvider

from calendar_sync.domain.connection import Connection, Leaving
from calendar_sync.domain.external import Window
from calendar_sync.domain.grant import Grant


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the user's browser goes, and what is needed again when it comes back (the PKCE verifier)."""

    authorization_url: str = field(repr=False)
    kept: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a user has granted us."""

    grant: Grant
    subject: str
    """The provider's id of the account."""
    email: str
    scopes: list[str]


class ConsentFailedError(Exception):
    """The consent did not end in a grant that suffices; ``result`` says why."""

    def __init__(self, result: AuthorizationResult) -> None:
        super().__init__(result.value)
        self.result = result


class Provider(Protocol):
    """One provider's OAuth 2.0.

    Every method may raise ProviderUnavailableError: the provider is away, or refuses our own credentials. No error
    carries a token, a code or a secret.
    """

    async def begin(self, *, state: str, login_hint: str) -> Begun:
        """Prepare a consent. ``state`` comes back with the browser; ``login_hint`` is the account to suggest."""

    async def redeem(self, *, code: str, kept: str) -> Granted:
        """Turn the code that the browser brought into a grant.

        Raises:
            ConsentFailedError: the code does not hold, or not everything that is needed was granted.
        """

    async def renew(self, grant: Grant) -> Grant:
        """A grant with a fresh access token.

        Raises:
            GrantRevokedError: there is none any more; the message says why, in words for the user.
        """

    async def revoke(self, grant: Grant) -> None:
        """Give the grant back, if this provider knows how; one that is gone already is fine."""


Providers = Mapping[CalendarProvider, Provider]


class Vault(Protocol):
    """Seals secrets before they are stored. ``owner`` is whose they are: only for the same one they open again."""

    def seal(self, secret: str, owner: str) -> str: ...

    def open(self, sealed: str, owner: str) -> str:
        """Raises VaultError: the seal is broken, another owner's, or made with a key that is not known here."""

    def renewed(self, sealed: str, owner: str) -> str:
        """The same secret sealed with the first key; unchanged if it is already. Raises VaultError, as ``open``."""

    def seal_grant(self, grant: Grant, owner: str) -> str: ...

    def open_grant(self, sealed: str, owner: str) -> Grant:
        """Raises VaultError, as ``open``."""


class VaultError(Exception):
    """A sealed secret cannot be opened."""


ConnectionEvent = ConnectionChanged | CalendarCoverageChanged


@dataclass(frozen=True, slots=True)
class Effects:
    """What follows from a change: the event that tells of it, and whether there is a grant to take leave of."""

    event: ConnectionEvent | None = None
    leave: bool = False


Change = Callable[[Connection], Effects | None]


class Connections(Protocol):
    """Where connections are kept. Every write is conditional, so that no two writers undo each other."""

    async def find(self, tenant_uuid: str, user_id: str) -> Connection | None: ...

    async def find_by_state(self, state_hash: str) -> Connection | None:
        """The connection for which this consent was begun."""

    async def page(self, after: str, limit: int) -> list[Connection]:
        """Connections in the order of their ids, those beyond the id ``after``."""

    async def count(self) -> int:
        """How many connections there are."""

    async def change(self, tenant_uuid: str, user_id: str, change: Change) -> Connection:
        """Read, change, write if nobody wrote meanwhile, else once more; then publish the event.

        ``change`` gets a new connection where there is none, may raise, and returns None when nothing is to be written.
        """

    async def hold_leaving(self, connection_id: str, until: datetime) -> bool:
        """Revoke nothing of this user's before the UTC instant ``until``; False: that is being done just now."""

    async def others_use(self, connection: Connection, leaving: Leaving) -> bool:
        """Whether another user is connected with the account that is left, to whom a revocation would do harm."""

    async def claim_renewal(self, connection: Connection, until: datetime) -> bool:
        """Be the one that renews this connection's grant until the UTC instant ``until``; False: another one is."""

    async def release_renewal(self, connection: Connection) -> None:
        """Let others try."""

    async def keep_renewed(self, connection: Connection, grant: str) -> bool:
        """Replace the grant that ``connection`` had; False: it was replaced or ended meanwhile.

        The old one may have ended with the new one's beginning: tries for half a minute while the database is away.
        """

    async def note_synced(self, connection_id: str, generation: int, at: datetime, window: Window) -> bool:
        """The connection was pulled up to the UTC instant ``at``, and nothing stands in its way.

        False, and nothing is written: that so much of it is known is news.
        """
