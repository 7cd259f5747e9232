"""Access tokens: signed with the shared secret, or with a key whose public half stands in the JWKS."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from simulators.platform.people import Contact, Staff, Tenant

Algorithm = Literal["HS256", "RS256", "ES256"]

LIFETIME = timedelta(days=1)
ISSUER = "simulated-platform"


class Tokens:
    """Issues and reads access tokens. The key pairs are made when first needed and live as long as the process."""

    def __init__(self, secret: str) -> None:
        """`secret` signs HS256 tokens and is shared with the gateway."""
        self._secret = secret
        start = secrets.token_hex(4)  # key ids are never used again for another key
        self._rsa_id, self._ec_id = f"rsa-{start}", f"ec-{start}"

    def issue(self, person: Contact | Staff, tenant: Tenant, algorithm: Algorithm) -> str:
        """A token that is good for a day and carries who the person is in the claims that the gateway reads."""
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "sub": person.uuid,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_hex(16),
            "tenantUuid": tenant.tenant_uuid,
            "tenantCode": tenant.tenant_code,
            "userUuid": person.uuid,
            "username": person.username,
            "userType": person.user_type,
        }
        if person.partner:
            claims["partnerUuid"] = person.partner
        if algorithm == "RS256":
            return jwt.encode(claims, self._rsa, algorithm, headers={"kid": self._rsa_id})
        if algorithm == "ES256":
            return jwt.encode(claims, self._ec, algorithm, headers={"kid": self._ec_id})
        return jwt.encode(claims, self._secret, algorithm)

    def read(self, token: str) -> dict[str, Any]:
        """The claims of one of our own tokens. Raises `jwt.InvalidTokenError` for any other, and for an expired one.

        The algorithm belongs to the key, never to the token's header (RFC 8725, section 3.1).
        """
        kid = jwt.get_unverified_header(token).get("kid")
        options: Any = {"require": ["exp", "tenantUuid", "userUuid", "username", "userType"]}
        if kid == self._rsa_id:
            return jwt.decode(token, self._rsa.public_key(), ["RS256"], options=options, issuer=ISSUER)
        if kid == self._ec_id:
            return jwt.decode(token, self._ec.public_key(), ["ES256"], options=options, issuer=ISSUER)
        return jwt.decode(token, self._secret, ["HS256"], options=options, issuer=ISSUER)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517)."""
        return {
            "keys": [
                RSAAlgorithm.to_jwk(self._rsa.public_key(), as_dict=True)
                | {"kid": self._rsa_id, "alg": "RS256", "use": "sig"},
                ECAlgorithm.to_jwk(self._ec.public_key(), as_dict=True)
                | {"kid": self._ec_id, "alg": "ES256", "use": "sig"},
            ]
        }

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def _ec(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())
