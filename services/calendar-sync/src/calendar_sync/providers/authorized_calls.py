"""Calling a provider on behalf of an account: with a token that holds, and politely."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.backoff import backoff
from chassis.telemetry.tracing import SpanKind, span

from calendar_sync.providers.accounts import Account, Accounts
from calendar_sync.providers.errors import TOKEN_REFUSED, CallFailedError, Failure, UnauthorizedError
from calendar_sync.providers.rate_limit import RateLimiter

Answer = TypeVar("Answer")


_MAX_AFTER_ASKED = 5.0
"""Seconds: what is added at most to a pause that a provider asks for, so that not everybody comes back at once."""


def retry_delay(failure: Failure, attempt: int, *, initial: float, maximum: float) -> float:
    """Seconds until the next attempt after the ``attempt``-th failure (from 1) in a row.

    Where the provider said when (``Retry-After``), that counts, give or take a few seconds, however many attempts there
    were; otherwise pauses double from ``initial`` up to ``maximum``.
    """
    if failure.retry_after is None:
        return backoff(attempt, initial=initial, maximum=maximum)
    return failure.retry_after + backoff(attempt, initial=initial, maximum=min(maximum, _MAX_AFTER_ASKED))


class AuthorizedCalls:
    """Makes calls that need an access token."""

    def __init__(self, accounts: Accounts, rate_limiter: RateLimiter) -> None:
        self.accounts = accounts
        self._rate_limiter = rate_limiter

    async def execute(self, account: Account, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """``call`` gets an access token. One that is refused is renewed once.

        A fresh token that is refused says nothing about the grant, which the token endpoint has just confirmed: it is
        this request that the provider does not want. Google answers so to a webhook address that it does not accept.

        Raises:
            CallFailedError: also when a fresh token is refused; the connection stays.
            GrantRevokedError: the account is not connected any more.
            ProviderUnavailableError: no token can be had now.
        """
        token = await self.accounts.access_token(account)
        try:
            return await self._call(account, call, token)
        except UnauthorizedError:
            token = await self.accounts.access_token(account, refused=token)
        try:
            return await self._call(account, call, token)
        except UnauthorizedError:
            raise CallFailedError(TOKEN_REFUSED) from None

    async def _call(self, account: Account, call: Callable[[str], Awaitable[Answer]], token: str) -> Answer:
        async with self._rate_limiter.acquire(account):
            with span(f"call {account.provider}", SpanKind.CLIENT):
                return await call(token)
