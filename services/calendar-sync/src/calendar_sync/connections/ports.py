"""Ports of the authorization flow: connection repository, token encryption, channel stopper."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged

from calendar_sync.connections.model import Connection, PendingRevocation
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.external_event import Window
from calendar_sync.providers.oauth import TokenSet


class ChannelStopper(Protocol):
    """Stops the notification channels of an account."""

    async def stop(self, account: Account, access_token: str) -> None:
        """Stop the channels of this generation. Called after the account is disconnected, while its token is valid.

        Raises:
            ProviderUnavailableError: not stopped yet; it will be called again, a few times.
        """


class TokenVault(Protocol):
    """Encrypts secrets before they are stored. A secret is decrypted only with the ``owner`` it was encrypted for."""

    def encrypt(self, secret: str, owner: str) -> str: ...

    def decrypt(self, encrypted: str, owner: str) -> str:
        """Raises VaultError: it was changed, is another owner's, or was encrypted with an unknown key."""

    def reencrypt(self, encrypted: str, owner: str) -> str:
        """The same secret encrypted with the first key; or unchanged. Raises VaultError as ``decrypt``."""

    def encrypt_tokens(self, token_set: TokenSet, owner: str) -> str: ...

    def decrypt_tokens(self, encrypted: str, owner: str) -> TokenSet:
        """Raises VaultError as ``decrypt``."""


class VaultError(Exception):
    """An encrypted secret cannot be decrypted."""


ConnectionEvent = ConnectionChanged | CalendarCoverageChanged


@dataclass(frozen=True, slots=True)
class ConnectionUpdate:
    """What follows from a change: the event to publish, and whether a grant is to be revoked."""

    event: ConnectionEvent | None = None
    revoke: bool = False


Change = Callable[[Connection], ConnectionUpdate | None]


class ConnectionRepository(Protocol):
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

    async def defer_revocation(self, connection_id: str, until: datetime) -> bool:
        """Revoke nothing of this user's before the UTC instant ``until``; False: that is being done just now."""

    async def is_used_by_others(self, connection: Connection, revocation: PendingRevocation) -> bool:
        """Whether another user is connected with the account that is left, to whom a revocation would do harm."""

    async def claim_refresh(self, connection: Connection, until: datetime) -> bool:
        """Be the one that renews this connection's grant until the UTC instant ``until``; False: another one is."""

    async def release_refresh(self, connection: Connection) -> None:
        """Let others try."""

    async def store_refreshed(self, connection: Connection, encrypted_tokens: str) -> bool:
        """Replace the grant that ``connection`` had; False: it was replaced or ended meanwhile.

        The old one may have ended with the new one's beginning: tries for half a minute while the database is away.
        """

    async def record_synced_at(self, connection_id: str, generation: int, at: datetime, window: Window) -> bool:
        """The connection was pulled up to the UTC instant ``at``, and nothing stands in its way.

        False, and nothing is written: that so much of it is known is news.
        """
