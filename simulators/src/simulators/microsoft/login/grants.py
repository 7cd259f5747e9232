"""Consents and the tokens they become.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow,
https://learn.microsoft.com/entra/identity-platform/refresh-tokens.
"""

import base64
import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from simulators.common.clock import Clock
from simulators.microsoft.login.errors import REFUSALS, LoginError, refused
from simulators.microsoft.state.records import AccessToken, Account, AuthorizationCode, Grant, RefreshToken, State

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE = timedelta(seconds=3600)
REFRESH_LIFE = timedelta(days=90)

OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_GRAPH = "https://graph.microsoft.com/"
_SCOPE = re.compile(r"[A-Za-z]+(?:\.[A-Za-z]+)+")


@dataclass(frozen=True)
class Credential:
    """A code or a refresh token that holds good, and the grant it belongs to."""

    grant: Grant
    record: AuthorizationCode | RefreshToken

    @property
    def nonce(self) -> str | None:
        """What the id token must repeat."""
        return self.record.nonce if isinstance(self.record, AuthorizationCode) else None


class Grants:
    """Every grant of every account."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def consent(
        self,
        account: Account,
        client_id: str,
        scopes: list[str],
        *,
        redirect_uri: str,
        nonce: str | None,
        challenge: str | None,
    ) -> str:
        """The user agreed: a code for the client."""
        grant = Grant(grant_id=str(uuid.uuid4()), email=account.email, client_id=client_id, scopes=scopes)
        self._state.grants[grant.grant_id] = grant
        code = f"1.A{secrets.token_urlsafe(96)}"
        self._state.codes[_digest(code)] = AuthorizationCode(
            grant_id=grant.grant_id,
            redirect_uri=redirect_uri,
            nonce=nonce,
            challenge=challenge,
            issued_at=self._clock.now(),
        )
        self._state.changes += 1
        return code

    def of_code(self, client_id: str, code: str, redirect_uri: str, verifier: str | None) -> Credential:
        """What a code stands for. Raises LoginError."""
        found = self._state.codes.get(_digest(code))
        grant = self._state.grants.get(found.grant_id) if found else None
        if found is None or grant is None or grant.client_id != client_id:
            raise refused("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        if found.redeemed:
            text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code."
            raise refused("invalid_grant", 54005, text)
        if found.issued_at + CODE_LIFE <= self._clock.now():
            text = "The provided authorization code or refresh token has expired due to inactivity."
            raise refused("invalid_grant", 70008, text)
        if found.redirect_uri != redirect_uri:
            text = "The reply address does not match the reply address provided when requesting the authorization code."
            raise refused("invalid_grant", 500112, text)
        if found.challenge is not None and not (verifier and secrets.compare_digest(found.challenge, s256(verifier))):
            text = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
            raise refused("invalid_grant", 501481, text)
        return Credential(grant, found)

    def of_refresh_token(self, client_id: str, token: str) -> Credential:
        """What a refresh token stands for; it stays valid until its own 90 days are over. Raises LoginError."""
        found = self._state.refresh_tokens.get(_digest(token))
        grant = self._state.grants.get(found.grant_id) if found else None
        if found is None or grant is None or grant.client_id != client_id:
            raise refused("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        if grant.refused is not None:
            raise LoginError(REFUSALS[grant.refused])
        if found.issued_at + REFRESH_LIFE <= self._clock.now():
            raise LoginError(REFUSALS["inactive"])
        if found.replaced and self._state.revoke_replaced_tokens:
            raise LoginError(REFUSALS["revoked"])
        return Credential(grant, found)

    def spend(self, credential: Credential) -> None:
        """Tokens are being issued for it: a code is used up, a refresh token has a successor."""
        if isinstance(credential.record, AuthorizationCode):
            credential.record.redeemed = True
        else:
            credential.record.replaced = True
        self._state.changes += 1

    def access_token(self, grant: Grant) -> str:
        """A new bearer token for Graph."""
        token = f"EwB{secrets.token_urlsafe(120)}"
        now = self._clock.now()
        for old in [digest for digest, entry in self._state.access_tokens.items() if entry.expires_at <= now]:
            del self._state.access_tokens[old]
        entry = AccessToken(grant_id=grant.grant_id, expires_at=now + ACCESS_LIFE)
        self._state.access_tokens[_digest(token)] = entry
        self._state.changes += 1
        return token

    def refresh_token(self, grant: Grant) -> str:
        """A new refresh token of a grant."""
        token = f"1.A{secrets.token_urlsafe(150)}"
        entry = RefreshToken(grant_id=grant.grant_id, issued_at=self._clock.now())
        self._state.refresh_tokens[_digest(token)] = entry
        self._state.changes += 1
        return token

    def bearer(self, token: str) -> tuple[Account, Grant] | None:
        """Whose token this is, None when it is unknown or has expired."""
        found = self._state.access_tokens.get(_digest(token))
        if found is None or found.expires_at <= self._clock.now():
            return None
        grant = self._state.grants[found.grant_id]
        return self._state.accounts[grant.email], grant

    def refuse(self, account: Account, reason: str, *, access_tokens: bool) -> int:
        """Let every refresh token of an account fail from now on; the number of grants that died."""
        mine = (grant for grant in self._state.grants.values() if grant.email == account.email)
        dead = [grant for grant in mine if grant.refused is None]
        for grant in dead:
            grant.refused = reason
        if access_tokens:
            ids = {grant.grant_id for grant in dead}
            kept = {digest: entry for digest, entry in self._state.access_tokens.items() if entry.grant_id not in ids}
            self._state.access_tokens = kept
        self._state.changes += 1
        return len(dead)


def read_scopes(text: str) -> list[str]:
    """The scopes of a request, Graph's without their prefix. Raises LoginError for one that does not exist."""
    scopes = [scope.removeprefix(_GRAPH) for scope in text.split()]
    for scope in scopes:
        if scope not in OPENID_SCOPES and scope != ".default" and not _SCOPE.fullmatch(scope):
            text = f"The provided value for the input parameter 'scope' is not valid: {scope}."
            raise refused("invalid_scope", 70011, text)
    if not scopes:
        text = "The request body must contain the following parameter: 'scope'."
        raise refused("invalid_request", 900144, text)
    return list(dict.fromkeys(scopes))


def s256(verifier: str) -> str:
    """The PKCE challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
