"""Taking leave of accounts that were disconnected: stop watching, give the grant back, forget it.

The user does not wait for this: a worker does it, and forgets the grant also when the provider cannot be reached.
"""

from collections.abc import Callable

import structlog
from chassis.backoff import backoff
from chassis.jobs.queue import JobResult, LeasedJob
from chassis.mongo.updates import Update
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection, PendingRevocation
from calendar_sync.connections.ports import ChannelStopper, ConnectionRepository, TokenVault, VaultError
from calendar_sync.providers.accounts import PRIMARY, Account, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.oauth import OAuthClients, TokenSet

log = structlog.get_logger()


MAX_ATTEMPTS = 6


ReadConnection = Callable[[dict[str, object]], Connection]


class GrantRevoker:
    """Ends grants for good."""

    def __init__(
        self,
        connections: ConnectionRepository,
        providers: OAuthClients,
        vault: TokenVault,
        channels: ChannelStopper | None,
        read: ReadConnection,
    ) -> None:
        """``read``: the connection that a leased document holds."""
        self._connections = connections
        self._providers = providers
        self._vault = vault
        self._channels = channels
        self._read = read

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at all that this user has left; what was given up is forgotten too."""
        connection = self._read(lease.document)
        finished: list[int] = []
        retry_after = 0.0
        for pending in connection.pending_revocations:
            try:
                await self._revoke(connection, pending)
            except ProviderUnavailableError as error:
                retry_after = max(retry_after, error.retry_after or 0)
                if lease.attempt < MAX_ATTEMPTS:
                    continue
                log.warning("gave up revoking a grant", connection=connection.connection_id)
            finished.append(pending.generation)
        forgotten: Update = (
            {"$pull": {"pendingRevocations": {"generation": {"$in": finished}}}, "$inc": {"version": 1}}
            if finished
            else {}
        )
        if len(finished) == len(connection.pending_revocations):
            return JobResult(forgotten)
        return JobResult(forgotten, retry_in=max(retry_after, backoff(lease.attempt, initial=1, maximum=60)))

    async def _revoke(self, connection: Connection, pending: PendingRevocation) -> None:
        """Raises ProviderUnavailableError when it is to be tried again."""
        try:
            token_set = self._vault.decrypt_tokens(pending.encrypted_tokens, connection.connection_id)
        except VaultError:
            log.exception("tokens cannot be decrypted, so the grant is not revoked")
            return
        try:
            if self._channels is not None:
                token_set = await self._fresh(pending, token_set)
                await self._channels.stop(_account(connection, pending), token_set.access_token)
            if not await self._connections.is_used_by_others(connection, pending):
                await self._providers[pending.provider].revoke(token_set)
        except GrantRevokedError:
            return

    async def _fresh(self, pending: PendingRevocation, token_set: TokenSet) -> TokenSet:
        return (
            token_set if token_set.is_usable(utc_now()) else await self._providers[pending.provider].refresh(token_set)
        )


def _account(connection: Connection, pending: PendingRevocation) -> Account:
    return Account(
        connection_id=connection.connection_id,
        tenant_uuid=connection.tenant_uuid,
        user_id=connection.user_id,
        provider=pending.provider,
        calendar_id=PRIMARY,
        calendar_email=pending.calendar_email,
        generation=pending.generation,
        subject=pending.subject,
    )
