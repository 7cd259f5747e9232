"""Calling a provider on behalf of an account: with a token that holds, and politely."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.tracing import SpanKind, span

from calendar_sync.application.politeness import Politeness
from calendar_sync.application.ports import Account, Accounts
from calendar_sync.domain.failures import TOKEN_REFUSED, CallFailedError, UnauthorizedError

Answer = TypeVar("Answer")


class Calls:
    """Makes calls that need an access token."""

    def __init__(self, accounts: Accounts, politeness: Politeness) -> None:
        self._accounts = accounts
        self._politeness = politeness

    async def make(self, account: Account, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """``call`` gets an access token. One that is refused is renewed once.

        A fresh token that is refused says nothing about the grant, which the token endpoint has just confirmed: it is
        this request that the provider does not want. Google answers so to a webhook address that it does not accept.

        Raises:
            CallFailedError: also when a fresh token is refused; the connection stays.
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
            raise CallFailedError(TOKEN_REFUSED) from None

    async def _call(self, account: Account, call: Callable[[str], Awaitable[Answer]], token: str) -> Answer:
        async with self._politeness.turn(account):
            with span(f"call {account.provider}", SpanKind.CLIENT):
                return await call(token)
