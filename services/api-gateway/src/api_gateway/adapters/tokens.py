"""Access tokens: signature, algorithm, expiry. HS256 with the shared secret, RS256/ES256 with keys from a JWKS URL."""

import asyncio
import time
from typing import Any

import httpx
import jwt
import structlog
from contracts.api.errors import ApiError, ErrorCode
from pydantic import SecretStr

log = structlog.get_logger()

_JWKS_ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
_REFRESH_AFTER = 300.0
_REFRESH_AT_MOST_EVERY = 10.0


class KeySet:
    """The login's public keys, fetched when needed: at a new key id, and every few minutes."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = -_REFRESH_AFTER
        self._tried_at = -_REFRESH_AFTER
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None, key_type: str) -> jwt.PyJWK | None:
        """The key of this id, if it is of this type (``RSA``, ``EC``): a key never serves another algorithm family.

        Raises:
            ApiError: no key was ever fetched and the login cannot be reached.
        """
        if key_id not in self._keys or time.monotonic() - self._fetched_at > _REFRESH_AFTER:
            await self._refresh()
        key = self._keys.get(key_id)
        return key if key is not None and key.key_type == key_type else None

    async def _refresh(self) -> None:
        async with self._lock:
            if time.monotonic() - self._tried_at >= _REFRESH_AT_MOST_EVERY:
                self._tried_at = time.monotonic()
                await self._fetch()
        if not self._keys:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)

    async def _fetch(self) -> None:
        try:
            answer = await self._http.get(self._url)
            answer.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.warning("the login's keys could not be fetched", error=type(error).__name__)
            return
        self._keys = {key.key_id: key for key in keys}
        self._fetched_at = time.monotonic()


class TokenVerifier:
    """Verifies access tokens.

    The algorithm picks the key, from separate places: a public key can never be used as an HS256 secret, and ``none``
    picks no key at all.
    """

    def __init__(
        self, *, secret: SecretStr | None, keys: KeySet | None, issuer: str | None, audience: str | None, leeway: float
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that holds.

        Raises:
            ApiError: 401, whatever is wrong with it.
        """
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            key = await self._key(algorithm, header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp"], "verify_aud": self._audience is not None},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED) from error
        return claims

    async def _key(self, algorithm: str, key_id: object) -> Any:
        if algorithm == "HS256" and self._secret is not None:
            return self._secret.get_secret_value()
        if algorithm in _JWKS_ALGORITHMS and self._keys is not None:
            found = await self._keys.find(key_id if isinstance(key_id, str) else None, _JWKS_ALGORITHMS[algorithm])
            if found is not None:
                return found.key
        raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED)
