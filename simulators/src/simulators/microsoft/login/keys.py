"""The signing key of id tokens and what is written with it."""

import base64
import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from simulators.common.clock import Clock
from simulators.microsoft.state.records import Account, Grant, State

JsonObject = dict[str, Any]

LOGIN = "https://login.microsoftonline.com"
_LIFE = timedelta(hours=1)


class SigningKey:
    """One RSA key, kept in the state so that a restart keeps it."""

    def __init__(self, state: State) -> None:
        self._state = state

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        if not self._state.signing_key:
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self._state.signing_key = made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
            self._state.changes += 1
            return made
        loaded = serialization.load_pem_private_key(self._state.signing_key.encode(), password=None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise TypeError("the state holds a signing key that is not RSA")
        return loaded

    @cached_property
    def _key_id(self) -> str:
        numbers = self._key.public_key().public_numbers()
        return hashlib.sha256(str(numbers.n).encode()).hexdigest()[:27]

    def jwks(self) -> JsonObject:
        """The public key (discovery/v2.0/keys)."""
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "use": "sig", "kid": self._key_id, "alg": "RS256"}]}

    def id_token(self, account: Account, grant: Grant, nonce: str | None, clock: Clock) -> str:
        """Who signed in (https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference)."""
        now = clock.now()
        subject = hashlib.sha256(f"{account.user_id}/{grant.client_id}".encode()).digest()
        claims: JsonObject = {
            "aud": grant.client_id,
            "iss": f"{LOGIN}/{account.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + _LIFE,
            "sub": base64.urlsafe_b64encode(subject).decode().rstrip("="),
            "oid": account.user_id,
            "tid": account.tenant_id,
            "ver": "2.0",
        }
        if "profile" in grant.scopes:
            claims |= {"name": account.name, "preferred_username": account.principal_name or account.email}
        if "email" in grant.scopes:
            claims["email"] = account.email
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})


def client_info(account: Account) -> str:
    """What MSAL makes the account's key of."""
    text = json.dumps({"uid": account.user_id, "utid": account.tenant_id})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
