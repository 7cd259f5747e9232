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
        watches: ChannelStopper | None,
        read: ReadConnection,
    ) -> None:
        """``read``: the connection that a leased document holds."""
        self._connections = connections
        self._providers = providers
        self._vault = vault
        self._watches = watches
        self._read = read

    async def work(self, lease: LeasedJob) -> JobResult:
        """One attempt at all that this user has left; what was given up is forgotten too."""
        connection = self._read(lease.document)
        left: list[int] = []
        retry_after = 0.0
        for leaving in connection.leaving:
            try:
                await self._leave(connection, leaving)
            except ProviderUnavailableError as error:
                retry_after = max(retry_after, error.retry_after or 0)
                if lease.attempt < MAX_ATTEMPTS:
                    continue
                log.warning("a grant is forgotten without having been revoked", connection=connection.connection_id)
            left.append(leaving.generation)
        forgotten: Update = (
            {"$pull": {"leaving": {"generation": {"$in": left}}}, "$inc": {"version": 1}} if left else {}
        )
        if len(left) == len(connection.leaving):
            return JobResult(forgotten)
        return JobResult(forgotten, retry_in=max(retry_after, backoff(lease.attempt, initial=1, maximum=60)))

    async def _leave(self, connection: Connection, leaving: PendingRevocation) -> None:
        """Raises ProviderUnavailableError when it is to be tried again."""
        try:
            grant = self._vault.decrypt_token_set(leaving.grant, connection.connection_id)
        except VaultError:
            log.exception("a grant cannot be opened, so it is not revoked")
            return
        try:
            if self._watches is not None:
                grant = await self._fresh(leaving, grant)
                await self._watches.stop(_account(connection, leaving), grant.access_token)
            if not await self._connections.others_use(connection, leaving):
                await self._providers[leaving.provider].revoke(grant)
        except GrantRevokedError:
            return

    async def _fresh(self, leaving: PendingRevocation, grant: TokenSet) -> TokenSet:
        return grant if grant.serves(utc_now()) else await self._providers[leaving.provider].renew(grant)


def _account(connection: Connection, leaving: PendingRevocation) -> Account:
    return Account(
        connection_id=connection.connection_id,
        tenant_uuid=connection.tenant_uuid,
        user_id=connection.user_id,
        provider=leaving.provider,
        calendar_id=PRIMARY,
        calendar_email=leaving.calendar_email,
        generation=leaving.generation,
        subject=leaving.subject,
    )
