"""The platform login's public keys (RFC 7517), fetched from its JWKS URL and kept."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import structlog
from chassis.tasks import cancel_and_wait
from contracts.api.errors import ApiError, ErrorCode

log = structlog.get_logger()

_KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}
_MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""
_REFRESH_AFTER = 300.0
_RETRY_AFTER = 10.0
"""Seconds between attempts: an invented key id, or a login that is away, causes no more requests than that."""
_MAX_BYTES = 256 * 1024
_MAX_KEYS = 100


class JwksCache:
    """The keys by their ids: fetched at the start, every few minutes, and when a token names one that is not known.

    Keys that were fetched stay good while the login cannot be asked. A fetch that succeeds replaces all of them: a key
    that the login withdraws is refused after ``_REFRESH_AFTER`` seconds at the latest.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, *, timeout: float = 5.0) -> None:
        """``timeout``: seconds for a whole fetch."""
        self._http = http
        self._url = url
        self._timeout = timeout
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = -_REFRESH_AFTER
        self._tried_at = -_REFRESH_AFTER
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["JwksCache"]:
        """Fetch in the background until left."""
        refreshing = asyncio.create_task(self._refresh_for_ever())
        try:
            yield self
        finally:
            await cancel_and_wait(refreshing)

    def problem(self) -> str | None:
        """Why no token could be verified; None once some key was had."""
        return None if self._keys else "no keys of the login yet"

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of this id, if it verifies signatures of this algorithm (``RS256`` or ``ES256``).

        Raises:
            ApiError: 503, no key was ever fetched and the login cannot be asked.
        """
        if key_id not in self._keys or time.monotonic() - self._fetched_at > _REFRESH_AFTER:
            await self._refresh()
        if not self._keys:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)
        key = self._keys.get(key_id)
        return key if key is not None and _verifies(key, algorithm) else None

    async def _refresh_for_ever(self) -> None:
        while True:
            await self._refresh()
            await asyncio.sleep(_REFRESH_AFTER if self._keys else _RETRY_AFTER)

    async def _refresh(self) -> None:
        async with self._lock:
            if time.monotonic() - self._tried_at >= _RETRY_AFTER:
                self._tried_at = time.monotonic()
                await self._fetch()

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                keys = _usable(await self._download())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, AttributeError, TimeoutError) as error:
            log.warning("login keys not fetched", error=type(error).__name__, fold=True)
            return
        self._keys = {key.key_id: key for key in keys}
        self._fetched_at = time.monotonic()

    async def _download(self) -> bytes:
        """Raises ValueError for more than a set of keys can be."""
        body = b""
        async with self._http.stream("GET", self._url) as answer:
            answer.raise_for_status()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MAX_BYTES:
                    raise ValueError("the key set is too large")
        return body


def _usable(body: bytes) -> list[jwt.PyJWK]:
    """Those keys that verify signatures. Raises ValueError when there are none."""
    keys = []
    for jwk in httpx.Response(200, content=body).json()["keys"][:_MAX_KEYS]:
        try:
            if _is_for_signatures(jwk):
                keys.append(jwt.PyJWK(jwk))
        except (jwt.PyJWTError, ValueError, TypeError):
            log.warning("login key passed over")
    if not keys:
        raise ValueError("the key set has no usable key")
    return keys


def _is_for_signatures(key: dict[str, Any]) -> bool:
    """By ``kty``, ``use``, ``key_ops`` and ``alg`` (RFC 7517 sections 4.1 to 4.4)."""
    operations = key.get("key_ops")
    return (
        key.get("kty") in _KEY_TYPES.values()
        and key.get("use") in (None, "sig")
        and (operations is None or "verify" in operations)
        and key.get("alg") in (None, *_KEY_TYPES)
    )


def _verifies(key: jwt.PyJWK, algorithm: str) -> bool:
    """A key never serves another algorithm than its own, nor one that is too weak for it (RFC 7518 section 3)."""
    if key.key_type != _KEY_TYPES.get(algorithm) or key.algorithm_name != algorithm:
        return False
    return bool(key.key.key_size >= _MIN_RSA_BITS if algorithm == "RS256" else key.key.curve.name == "secp256r1")
