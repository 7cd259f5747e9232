"""A grant: what a provider gave us so that we may use an account."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Grant:
    """Secrets, which never show in a repr. ``expires_at`` (UTC) is when the access token ends."""

    access_token: str = field(repr=False)
    expires_at: datetime
    renewal: str = field(repr=False)
    """What gets the next access token: Google's refresh token, or MSAL's serialized token cache."""

    def serves(self, now: datetime, *, refused: str | None = None) -> bool:
        """Whether the access token is good for another minute, and is not the one that was refused."""
        return self.expires_at - now > _MARGIN and self.access_token != refused
