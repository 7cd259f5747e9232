"""Calling a provider on behalf of an account: with a token that holds, and politely."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.tracing import SpanKind, span

from calendar_sync.application.politeness import Politeness
from calendar_sync.application.ports import Account, Accounts, GrantRevokedError
from calendar_sync.domain.failures import UnauthorizedError

Answer = TypeVar("Answer")
_REFUSED = "The provider refuses access to the calendar. Connect it again."


class Calls:
    """Makes calls that need an access token."""

    def __init__(self, accounts: Accounts, politeness: Politeness) -> None:
        self._accounts = accounts
        self._politeness = politeness

    async def make(self, account: Account, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """``call`` gets an access token. One that is refused is renewed once; a fresh one refused ends the connection.

        Raises:
            GrantRevokedError: the account is not connected any more.
            ProviderUnavailableError: no token can be had now.
        """
        token = await self._accounts.access_token(account)
        try:
            return await self._call(account, call, token)
        except UnauthorizedError:
            token = await self._accounts.access_token(account, refused=token)
        try:
            return await self._call(account, call, token)
        except UnauthorizedError:
            await self._accounts.lost(account, _REFUSED)
            raise GrantRevokedError(_REFUSED) from None

    async def _call(self, account: Account, call: Callable[[str], Awaitable[Answer]], token: str) -> Answer:
        async with self._politeness.turn(account):
            with span(f"call {account.provider}", SpanKind.CLIENT):
                return await call(token)
