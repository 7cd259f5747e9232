"""What calls to providers have in common: threads of their own, and what being away looks like."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ParamSpec, TypeVar

import httpx

from calendar_sync.providers.accounts import ProviderUnavailableError

Params = ParamSpec("Params")


Answer = TypeVar("Answer")


_LONGEST_WAIT = 86_400.0


RETRY_PAUSES = (0.1, 1.0)
"""Seconds before a failed GET is repeated."""


ONE_USE = httpx.Limits(max_keepalive_connections=0)
"""No connection is used twice: one that was idle may be closed just when a code that works only once is sent."""


class ThreadPool:
    """The threads of one provider's blocking library, so that one that hangs takes none from another."""

    def __init__(self, name: str, size: int = 4) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, call: Callable[Params, Answer], *args: Params.args, **kwargs: Params.kwargs) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: call(*args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def raise_if_unavailable(status: int, headers: Mapping[str, str]) -> None:
    """Raises ProviderUnavailableError for an answer that says nothing about the request: 429 and 5xx."""
    if status == 429 or status >= 500:
        raise ProviderUnavailableError(f"the provider answered {status}", retry_after=retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, a day at most, as Retry-After says in seconds or as a date (RFC 9110 section 10.2.3)."""
    value = headers.get("Retry-After") or headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return None
    return min(max(0.0, wait), _LONGEST_WAIT)


async def request(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    """One request; a GET is repeated twice, because a user waits for it and what led to it may work only once.

    Raises:
        ProviderUnavailableError: no answer, or one that says that the provider is away.
    """
    for pause in RETRY_PAUSES if method == "GET" else ():
        try:
            return await _request_once(http, method, url, **options)
        except ProviderUnavailableError as error:
            if error.retry_after is not None and error.retry_after > pause:
                raise
        await asyncio.sleep(pause)
    return await _request_once(http, method, url, **options)


async def _request_once(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    try:
        answer = await http.request(method, url, **options)
    except httpx.HTTPError as error:
        raise ProviderUnavailableError(type(error).__name__) from None  # its request carries a token
    raise_if_unavailable(answer.status_code, answer.headers)
    return answer
