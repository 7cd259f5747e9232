"""The right to use connected accounts: one place hands out access tokens, renews them and notices their end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from contracts.messages.calendar_events import CalendarCoverageChanged
from contracts.values.enums import SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository, ConnectionUpdate, TokenVault, VaultError
from calendar_sync.providers.accounts import PRIMARY, Account, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.external_event import Window
from calendar_sync.providers.oauth import OAuthClient, OAuthClients, TokenSet

log = structlog.get_logger()


_POLL = 0.05


_REFRESH_TIMEOUT = timedelta(seconds=30)
"""How long one renewal may take before another process may try."""


_NOT_CONNECTED = "The account is not connected any more."


class AccessTokenProvider:
    """Hands out accounts and access tokens.

    A provider may end the old refresh token when it gives a new one, so nobody may use one twice: in this process
    everybody waits for one renewal, and among processes the one that claims it renews; the others adopt what it gets.
    """

    def __init__(self, connections: ConnectionRepository, providers: OAuthClients, vault: TokenVault) -> None:
        self._connections = connections
        self._providers = providers
        self._vault = vault
        self._refreshes: dict[tuple[str, str | None], asyncio.Task[TokenSet]] = {}

    @asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """On leaving, token refreshes that are under way end first: their tokens must be stored."""
        try:
            yield
        finally:
            if self._refreshes:
                await asyncio.wait(self._refreshes.values(), timeout=_REFRESH_TIMEOUT.total_seconds())

    async def connected(self, tenant_uuid: str, user_id: str) -> Account | None:
        connection = await self._connections.find(tenant_uuid, user_id)
        return None if connection is None else _account(connection)

    async def access_token(self, account: Account, *, refused: str | None = None) -> str:
        tokens = self._tokens(await self._current(account))
        if not tokens.is_usable(utc_now(), refused=refused):
            tokens = await self._refreshed(account, refused)
        return tokens.access_token

    async def record_synced(self, account: Account, at: datetime, window: Window) -> None:
        if not await self._connections.record_synced_at(account.connection_id, account.generation, at, window):
            await self._change(account, lambda connection: connection.record_synced(at, window))

    async def record_error(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        await self._change(account, lambda connection: connection.record_error(code, reason))

    async def record_unreadable(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        await self._change(account, lambda connection: connection.record_unreadable(code, reason))

    async def _change(self, account: Account, change: Callable[[Connection], CalendarCoverageChanged | None]) -> None:
        """Change the connection, if it is still that of the account."""

        def changed(connection: Connection) -> ConnectionUpdate | None:
            return ConnectionUpdate(change(connection)) if _is_of(connection, account) else None

        await self._connections.change(account.tenant_uuid, account.user_id, changed)

    # --- renewing -----------------------------------------------------------------------------------------------

    async def _refreshed(self, account: Account, refused: str | None) -> TokenSet:
        """One renewal for all who wait; it goes on when they give up, because what it gets must be kept."""
        key = (account.connection_id, refused)
        refresh = self._refreshes.get(key)
        if refresh is None:
            refresh = self._refreshes[key] = asyncio.create_task(self._refresh(account, refused))
            refresh.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(refresh)

    def _forget(self, key: tuple[str, str | None], refresh: asyncio.Task[TokenSet]) -> None:
        del self._refreshes[key]
        if not refresh.cancelled():
            refresh.exception()  # everybody who waited has it, or had given up

    async def _refresh(self, account: Account, refused: str | None) -> TokenSet:
        deadline = time.monotonic() + _REFRESH_TIMEOUT.total_seconds()
        while True:
            connection = await self._current(account)
            tokens = self._tokens(connection)
            if tokens.is_usable(utc_now(), refused=refused):
                return tokens  # another one was faster
            if await self._connections.claim_refresh(connection, utc_now() + _REFRESH_TIMEOUT):
                return await self._refresh_claimed(account, connection, tokens)
            if time.monotonic() > deadline:
                raise ProviderUnavailableError("another process is still renewing the grant")
            await asyncio.sleep(_POLL)

    async def _refresh_claimed(self, account: Account, connection: Connection, tokens: TokenSet) -> TokenSet:
        try:
            refreshed = await self._provider(account).refresh(tokens)
        except GrantRevokedError as error:
            await self._invalidate(account, connection.token_version, str(error))
            raise
        except ProviderUnavailableError:
            await self._connections.release_refresh(connection)
            raise
        encrypted = self._vault.encrypt_tokens(refreshed, connection.connection_id)
        if await self._connections.store_refreshed(connection, encrypted):
            return refreshed
        return self._tokens(await self._current(account))

    async def _invalidate(self, account: Account, token_version: int, reason: str) -> None:
        def change(connection: Connection) -> ConnectionUpdate | None:
            if not _is_of(connection, account) or connection.token_version != token_version:
                return None
            event = connection.invalidate(reason, utc_now())
            return None if event is None else ConnectionUpdate(event)

        await self._connections.change(account.tenant_uuid, account.user_id, change)
        log.warning("a connection was lost", connection=account.connection_id, reason=reason)

    async def _current(self, account: Account) -> Connection:
        """The connection, if it is still that of the account. Raises GrantRevokedError."""
        connection = await self._connections.find(account.tenant_uuid, account.user_id)
        if connection is None or not _is_of(connection, account):
            raise GrantRevokedError(_NOT_CONNECTED)
        return connection

    def _tokens(self, connection: Connection) -> TokenSet:
        if connection.encrypted_tokens is None:
            raise GrantRevokedError(_NOT_CONNECTED)
        try:
            return self._vault.decrypt_tokens(connection.encrypted_tokens, connection.connection_id)
        except VaultError as error:
            # An error of the deployment, so the connection is kept and its jobs wait.
            log.exception("tokens cannot be decrypted; is a key missing in TOKEN_ENCRYPTION_KEYS?")
            raise ProviderUnavailableError("the account's grant cannot be read") from error

    def _provider(self, account: Account) -> OAuthClient:
        return self._providers[account.provider]


def _is_of(connection: Connection, account: Account) -> bool:
    return connection.is_connected and connection.generation == account.generation


def _account(connection: Connection) -> Account | None:
    if not connection.is_connected or connection.provider is None or connection.subject is None:
        return None
    return Account(
        connection_id=connection.connection_id,
        tenant_uuid=connection.tenant_uuid,
        user_id=connection.user_id,
        provider=connection.provider,
        calendar_id=PRIMARY,
        calendar_email=connection.calendar_email or "",
        generation=connection.generation,
        subject=connection.subject,
        owner_type=connection.owner_type,
        owner_name=connection.owner_name,
    )
