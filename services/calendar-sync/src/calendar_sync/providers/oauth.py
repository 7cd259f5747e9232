"""OAuth 2.0 of a provider (RFC 6749, 7636, 7009): authorization requests, token sets, revocation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from contracts.api.calendar import AuthorizationResult
from contracts.values.enums import CalendarProvider

_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """Secrets, which never show in a repr. ``expires_at`` (UTC) is when the access token ends."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_credential: str = field(repr=False)
    """What gets the next access token: Google's refresh token, or MSAL's serialized token cache."""

    def is_usable(self, now: datetime, *, refused: str | None = None) -> bool:
        """Whether the access token is good for another minute, and is not the one that was refused."""
        return self.expires_at - now > _MARGIN and self.access_token != refused


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where the user's browser goes, and what is needed again when it comes back (the PKCE verifier)."""

    authorization_url: str = field(repr=False)
    flow_state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What a user has granted us."""

    token_set: TokenSet
    subject: str
    """The provider's id of the account."""
    email: str
    scopes: list[str]


class AuthorizationFailedError(Exception):
    """The consent did not end in a grant that suffices; ``result`` says why."""

    def __init__(self, result: AuthorizationResult) -> None:
        super().__init__(result.value)
        self.result = result


class OAuthClient(Protocol):
    """One provider's OAuth 2.0.

    Every method may raise ProviderUnavailableError: the provider is away, or refuses our own credentials. No error
    carries a token, a code or a secret.
    """

    async def start_authorization(self, *, state: str, login_hint: str) -> AuthorizationRequest:
        """Prepare a consent. ``state`` comes back with the browser; ``login_hint`` is the account to suggest."""

    async def exchange_code(self, *, code: str, flow_state: str) -> TokenGrant:
        """Turn the code that the browser brought into a grant.

        Raises:
            AuthorizationFailedError: the code does not hold, or not everything that is needed was granted.
        """

    async def refresh(self, token_set: TokenSet) -> TokenSet:
        """A grant with a fresh access token.

        Raises:
            GrantRevokedError: there is none any more; the message says why, in words for the user.
        """

    async def revoke(self, token_set: TokenSet) -> None:
        """Give the grant back, if this provider knows how; one that is gone already is fine."""


OAuthClients = Mapping[CalendarProvider, OAuthClient]
