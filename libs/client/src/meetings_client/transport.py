"""One request, repeated until it has an outcome."""

import asyncio
import time
import uuid
from typing import Any

import httpx

from meetings_client.caller import Caller
from meetings_client.errors import OutcomeUnknownError, UnavailableError, error_for
from meetings_client.retry import ACCEPTED, RETRYABLE, RetryPolicy


class Transport:
    """Sends requests of one caller. Every command carries an ``Idempotency-Key``, so that repeating it is safe."""

    def __init__(self, http: httpx.AsyncClient, caller: Caller, policy: RetryPolicy) -> None:
        """``http`` has the gateway as its base URL."""
        self._http = http
        self._headers = caller.headers
        self._policy = policy

    async def query(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer to a request that changes nothing.

        Raises:
            ApiError: the API refused.
        """
        return await self._send(method, path, {}, request)

    async def command(
        self, method: str, path: str, *, key: str | None = None, if_match: str | None = None, **request: Any
    ) -> httpx.Response:
        """The outcome of a command; a 202 is followed until the command was decided.

        ``key`` is the ``Idempotency-Key``; None takes a new one for this call.

        Raises:
            ApiError: the API refused.
            OutcomeUnknownError: accepted, but not decided within the policy's deadline.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return await self._send(method, path, headers | ({"If-Match": if_match} if if_match else {}), request)

    async def _send(self, method: str, path: str, headers: dict[str, str], request: dict[str, Any]) -> httpx.Response:
        key = headers.get("Idempotency-Key")
        ends_at = time.monotonic() + self._policy.deadline
        is_uncertain = False
        attempt = 0
        while True:
            response: httpx.Response | None = None
            try:
                response = await self._http.request(
                    method, path, headers=self._headers | headers, timeout=self._policy.attempt_timeout, **request
                )
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
                pass  # nothing was sent
            except httpx.TransportError:
                is_uncertain = key is not None
            if response is not None and not _is_worth_repeating(response):
                return _checked(response)
            is_uncertain = is_uncertain or (response is not None and response.status_code in (ACCEPTED, 502, 504))
            delay = self._policy.delay(attempt, response)
            if time.monotonic() + delay > ends_at:
                raise _given_up(key if is_uncertain else None, response)
            await asyncio.sleep(delay)
            attempt += 1


def _is_worth_repeating(response: httpx.Response) -> bool:
    return response.status_code == ACCEPTED or response.status_code in RETRYABLE


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise error_for(response)


def _given_up(uncertain_key: str | None, response: httpx.Response | None) -> Exception:
    if uncertain_key is not None:
        return OutcomeUnknownError(uncertain_key, response.headers.get("Location") if response is not None else None)
    return UnavailableError(503, None) if response is None else error_for(response)
