"""No account is called more often, or more at once, than its provider allows, and none waits for another."""

import asyncio
from collections import deque

import pytest
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.rate_limit import RateLimiter, TokenBucket
from calendar_sync.providers.registry import RATE_LIMITS
from contracts.values.enums import CalendarProvider
from hypothesis import given
from hypothesis import strategies as st

QUOTAS = {CalendarProvider.GOOGLE: (600, 60.0), CalendarProvider.OUTLOOK: (10_000, 600.0)}


def account(email: str, provider: CalendarProvider = CalendarProvider.GOOGLE) -> Account:
    return Account("T1:TS1", "T1", "TS1", provider, "primary", email, 1, email)


@pytest.mark.parametrize("provider", list(CalendarProvider))
@given(pauses=st.lists(st.sampled_from([0.0, 0.0, 0.01, 1.0, 30.0]), min_size=1, max_size=60))
def test_no_window_holds_more_calls_than_the_quota(provider: CalendarProvider, pauses: list[float]) -> None:
    """However the callers come, in crowds of a hundred: the calls are counted when they are let through."""
    quota, window = QUOTAS[provider]
    bucket = TokenBucket(RATE_LIMITS[provider], RATE_LIMITS[provider].burst, filled_at=0.0)
    now, let_through = 0.0, deque[float]()
    for pause in pauses:
        now += pause
        for _ in range(100):
            now = max(now, now + bucket.take(now))
            let_through.append(now)
            while let_through[0] <= now - window:
                let_through.popleft()
            assert len(let_through) <= quota


async def test_an_account_is_called_by_few_at_once_and_another_does_not_wait_for_it() -> None:
    rate_limiter, inside, may_leave = RateLimiter(RATE_LIMITS), 0, asyncio.Event()
    most = RATE_LIMITS[CalendarProvider.GOOGLE].concurrency

    async def call(email: str) -> None:
        nonlocal inside
        async with rate_limiter.acquire(account(email)):
            inside += 1
            await may_leave.wait()
            inside -= 1

    crowd = [asyncio.create_task(call("busy@example.com")) for _ in range(most * 2)]
    await _steps()
    assert inside == most
    other = asyncio.create_task(call("other@example.com"))
    await _steps()
    assert inside == most + 1
    may_leave.set()
    await asyncio.gather(*crowd, other)
    assert inside == 0


async def test_the_same_address_at_two_providers_is_two_accounts() -> None:
    rate_limiter = RateLimiter(RATE_LIMITS)
    async with asyncio.timeout(5):
        for provider in CalendarProvider:
            for _ in range(int(RATE_LIMITS[CalendarProvider.GOOGLE].burst)):
                async with rate_limiter.acquire(account("a@example.com", provider)):
                    pass


async def _steps() -> None:
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)
