"""Connected accounts and their access tokens, as callers of provider APIs use them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.values.enums import (
    CalendarProvider,
    SyncFailureCode,
    UserType,
)
from contracts.values.ids import uuid8_hex

from calendar_sync.providers.external_event import Window


@dataclass(frozen=True, slots=True)
class Account:
    """A calendar that somebody has connected.

    ``generation`` rises each time this user connects: what was written or watched in an earlier one may be in another
    calendar. ``calendar_id`` is the provider's, ``primary`` for the main one. ``subject`` is the provider's id of the
    account, which stays when its address changes (OpenID Connect ``sub``, Graph ``id``).
    """

    connection_id: str
    tenant_uuid: str
    user_id: str
    provider: CalendarProvider
    calendar_id: str
    calendar_email: str
    generation: int
    subject: str
    owner_type: UserType = UserType.TENANT_STAFF
    owner_name: str | None = None

    @property
    def key(self) -> str:
        """Names the account in documents; the same whoever connects it, however often, under whatever address."""
        return account_key(self.provider, self.subject)


class GrantRevokedError(Exception):
    """The account's grant is gone, or the account is not connected any more: wait until the user connects again."""


class ProviderUnavailableError(Exception):
    """The provider cannot answer now. ``retry_after`` is when to ask again, in seconds, if it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Accounts(Protocol):
    """The connected accounts, and the right to use them."""

    async def connected(self, tenant_uuid: str, user_id: str) -> Account | None:
        """The account that this user has connected now."""

    async def access_token(self, account: Account, *, refused: str | None = None) -> str:
        """A bearer token that is good for another minute at least; refreshed when it is not.

        ``refused`` is a token that the provider has just answered with 401: another one is wanted, whatever its age.

        Raises:
            GrantRevokedError: the connection has been turned DISCONNECTED with a reason, or was before.
            ProviderUnavailableError: the token endpoint is away; the connection stands.
        """

    async def record_synced(self, account: Account, at: datetime, window: Window) -> None:
        """All that is in the window was pulled as it was at the UTC instant ``at``; earlier trouble is over."""

    async def record_unreadable(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        """As ``record_error``, and what is in the calendar is not known while it lasts."""

    async def record_error(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        """Tell the user what stands in the way; the connection stays."""


PRIMARY = "primary"
"""The account's main calendar, by the name that both providers' clients here understand."""


def account_key(provider: CalendarProvider, subject: str) -> str:
    """Names an account at a provider by the provider's id of it."""
    return uuid8_hex("calendar account", provider, subject)
