"""Rotating keys: what providers gave us is sealed anew with the first key, so that an old one can be taken out.

Whatever is sealed with it already is left alone, so this may be broken off, repeated and done by several at once.
"""

import structlog
from chassis.redaction import describe_error
from contracts.api.calendar import ReencryptedPage, ReencryptSecrets
from contracts.messages.replies import Outcome, Reply
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository, ConnectionUpdate, TokenVault, VaultError

log = structlog.get_logger()


class KeyRotation:
    """Seals anew, a page of connections at a time."""

    def __init__(self, connections: ConnectionRepository, vault: TokenVault) -> None:
        self._connections = connections
        self._vault = vault

    async def reencrypt(self, query: ReencryptSecrets) -> Reply:
        """Seal the secrets of one page with the first key. No secret is lost that somebody renews meanwhile."""
        page = await self._connections.page(query.after, query.limit)
        reencrypted = unreadable = 0
        for connection in page:
            reencryption = _Reencryption(self._vault, connection.connection_id)
            await self._connections.change(connection.tenant_uuid, connection.user_id, reencryption.change)
            reencrypted += reencryption.reencrypted
            unreadable += reencryption.unreadable
        answer = ReencryptedPage(
            total=await self._connections.count(),
            seen=len(page),
            reencrypted=reencrypted,
            unreadable=unreadable,
            last=page[-1].connection_id if len(page) == query.limit else None,
        )
        return Reply(outcome=Outcome.OK, data=answer)


class _Reencryption:
    """The change of one connection, and what it came to."""

    def __init__(self, vault: TokenVault, owner: str) -> None:
        self._vault = vault
        self._owner = owner
        self.reencrypted = self.unreadable = 0

    def change(self, connection: Connection) -> ConnectionUpdate | None:
        self.reencrypted = self.unreadable = 0  # this may be another try
        connection.reencrypt(self._reencrypt, utc_now())
        return ConnectionUpdate() if self.reencrypted else None

    def _reencrypt(self, encrypted: str) -> str:
        try:
            reencrypted = self._vault.reencrypt(encrypted, self._owner)
        except VaultError as error:
            log.warning("a secret cannot be sealed anew", connection=self._owner, error=describe_error(error))
            self.unreadable += 1
            return encrypted
        self.reencrypted += reencrypted != encrypted
        return reencrypted
