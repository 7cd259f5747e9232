"""Authorizations that users have started and not ended. Pure."""

from collections.abc import Callable
from datetime import datetime

from contracts.model import StoredModel
from contracts.values.enums import CalendarProvider
from contracts.values.personal import Credential, MailAddress
from contracts.values.times import Instant
from pydantic import Field, RootModel

MAX_PENDING_AUTHORIZATIONS = 5


class PendingAuthorization(StoredModel):
    """An authorization that was started: the browser is at the provider, or shows what the user is to confirm."""

    request_id: str
    provider: CalendarProvider
    state_hash: Credential
    encrypted: Credential
    """The address that the browser was sent to, and what exchanging the code takes (the PKCE verifier). Once it is to
    be confirmed: what the provider granted."""
    expires_at: Instant
    user_email: MailAddress = ""
    firm: str = ""


class PendingAuthorizations(RootModel[list[PendingAuthorization]]):
    """One user's pending authorizations, oldest first. Instants are UTC."""

    root: list[PendingAuthorization] = Field(default_factory=list)

    def open_at(self, now: datetime) -> list[PendingAuthorization]:
        """Those that have not expired."""
        return [pending for pending in self.root if pending.expires_at > now]

    def started_by(self, request_id: str, now: datetime) -> PendingAuthorization | None:
        """The open authorization that this request started."""
        return next((pending for pending in self.open_at(now) if pending.request_id == request_id), None)

    def add(self, authorization: PendingAuthorization, now: datetime) -> None:
        """The latest few attempts stay open, for a user with several windows."""
        self.root = [*self.open_at(now), authorization][-MAX_PENDING_AUTHORIZATIONS:]

    def claim(self, state_hash: str, provider: CalendarProvider, now: datetime) -> PendingAuthorization | None:
        """The authorization of this state, which no request can claim again; None when it is not open."""
        claimed = [pending for pending in self.open_at(now) if pending.state_hash == state_hash]
        self.root = [pending for pending in self.root if pending.state_hash != state_hash]
        return next((pending for pending in claimed if pending.provider is provider), None)

    def end_of_last(self, now: datetime) -> datetime:
        """When the last open one expires; ``now`` without any."""
        return max((pending.expires_at for pending in self.open_at(now)), default=now)

    def reencrypt(self, reencrypt: Callable[[str], str], now: datetime) -> None:
        """Encrypt the secrets of the open ones with another key, and forget the others."""
        self.root = [
            pending.model_copy(update={"encrypted": reencrypt(pending.encrypted)}) for pending in self.open_at(now)
        ]

    def clear(self) -> None:
        self.root = []
