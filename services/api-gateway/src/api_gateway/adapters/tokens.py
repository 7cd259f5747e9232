"""Access tokens: signature, algorithm, expiry. HS256 with the shared secret, RS256/ES256 with keys from a JWKS URL."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cachetools import LRUCache
from contracts.api.errors import ApiError, ErrorCode
from pydantic import SecretStr

from api_gateway.adapters.jwks import JwksCache

_PUBLISHED = ("RS256", "ES256")
"""Algorithms whose keys the login publishes."""


_MAX_VERIFIED = 10_000
"""Tokens whose verification is remembered: about 20 MB."""


@dataclass(frozen=True, slots=True)
class _VerifiedToken:
    claims: Mapping[str, Any]
    algorithm: str
    key_id: object
    key: Any


class TokenVerifier:
    """Verifies access tokens, and remembers which it has verified: a signature costs more than the rest of a request.

    A verified token is valid until it expires, or until its key is no longer the login's. It is remembered by its
    hash, so that no token stays in memory.

    The algorithm picks the key, from separate places: a public key can never be used as an HS256 secret, and ``none``
    picks no key at all.
    """

    def __init__(
        self,
        *,
        secret: SecretStr | None,
        keys: JwksCache | None,
        issuer: str | None,
        audience: str | None,
        leeway: float,
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._verified: LRUCache[bytes, _VerifiedToken] = LRUCache(_MAX_VERIFIED)

    async def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that holds.

        Raises:
            ApiError: 401, whatever is wrong with it.
        """
        digest = hashlib.sha256(token.encode()).digest()
        verified = self._verified.get(digest)
        if verified is None or not await self._is_still_valid(verified):
            verified = self._verified[digest] = await self._verify(token)
        return verified.claims

    async def _is_still_valid(self, verified: _VerifiedToken) -> bool:
        expired = int(verified.claims["exp"]) <= time.time() - self._leeway
        return not expired and await self._key(verified.algorithm, verified.key_id) is verified.key

    async def _verify(self, token: str) -> _VerifiedToken:
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
        return _VerifiedToken(claims, algorithm, header.get("kid"), key)

    async def _key(self, algorithm: str, key_id: object) -> Any:
        if algorithm == "HS256" and self._secret is not None:
            return self._secret.get_secret_value()
        if algorithm in _PUBLISHED and self._keys is not None:
            found = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
            if found is not None:
                return found.key
        raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED)
