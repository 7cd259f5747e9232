"""Access tokens: signature, algorithm, expiry. HS256 with the shared secret, RS256/ES256 with keys from a JWKS URL."""

from typing import Any

import jwt
from contracts.api.errors import ApiError, ErrorCode
from pydantic import SecretStr

from api_gateway.adapters.jwks import JwksCache

_PUBLISHED = ("RS256", "ES256")
"""Algorithms whose keys the login publishes."""


class TokenVerifier:
    """Verifies access tokens.

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
        if algorithm in _PUBLISHED and self._keys is not None:
            found = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
            if found is not None:
                return found.key
        raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED)
