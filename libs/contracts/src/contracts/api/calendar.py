"""Queries and views of a user's calendar connection and its OAuth authorization."""

from enum import StrEnum

from pydantic import ConfigDict, Field

from contracts.api.queries import ActorQuery, InternalQuery
from contracts.model import Contract
from contracts.values.enums import CalendarProvider, ConnectionStatus, FirstTimeModalPreference, SyncFailureCode
from contracts.values.personal import MailAddress, PersonId, PersonName
from contracts.values.times import Instant


class StartAuthorization(ActorQuery):
    """The actor wants to connect a calendar; answered with an ``Authorization``.

    ``request_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``): a repeat gets the
    same answer while that is good.
    """

    name = "start-authorization"
    provider: CalendarProvider
    request_id: str
    firm: str | None = Field(default=None, description="what the actor's firm is called, for the user to recognise")


class Authorization(Contract):
    """Where the user's browser goes to consent."""

    authorization_url: str = Field(examples=["https://accounts.google.com/o/oauth2/v2/auth?…"])


class ConnectionView(Contract):
    """A user's calendar connection, as the user sees it."""

    provider: CalendarProvider | None = Field(default=None, description="the latest one; null when never connected")
    status: ConnectionStatus = ConnectionStatus.NONE
    calendar_email: MailAddress | None = Field(default=None, examples=["adviser@example.com"])
    connected_at: Instant | None = None
    last_synced_at: Instant | None = Field(default=None, description="when changes were last pulled")
    first_time_modal_pref: FirstTimeModalPreference = FirstTimeModalPreference.SHOW_ALWAYS
    last_error_code: SyncFailureCode | None = None
    last_error_reason: str | None = Field(default=None, description="the same in words")


class SyncRunStatus(StrEnum):
    """``IN_PROGRESS``: the pull goes on, its outcome is not known yet."""

    COMPLETED = "COMPLETED"
    IN_PROGRESS = "IN_PROGRESS"


class CalendarSyncResult(Contract):
    """What pulling from the external calendar did; the counts are null while it goes on."""

    status: SyncRunStatus
    imported: int | None = Field(default=None, description="meetings that are new here")
    updated: int | None = None
    removed: int | None = None


class GetConnection(ActorQuery):
    """The actor's connection; answered with a ``ConnectionView``."""

    name = "get-connection"


class ResyncCalendar(InternalQuery):
    """An operator wants all of a user's calendar read anew; answered with a ``CalendarSyncResult`` at its end."""

    name = "resync-calendar"
    tenant_uuid: str
    user_id: PersonId

    @property
    def tenant(self) -> str:
        return self.tenant_uuid


class ReencryptSecrets(InternalQuery):
    """An operator wants what providers gave us sealed with the first key; answered with ``ReencryptedPage``.

    A page of connections at a time: ``after`` is the last one of the page before, empty at the beginning.
    """

    name = "reencrypt-secrets"
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


class ReencryptedPage(Contract):
    """One page of connections whose secrets are sealed with the first key."""

    total: int = Field(description="connections that there are")
    seen: int = Field(description="of them in this page")
    reencrypted: int = Field(description="secrets in this page that another key had sealed")
    unreadable: int = Field(description="secrets in this page that no known key opens; they are left as they are")
    last: str | None = Field(description="where the next page begins; null when this is the last one")


class AuthorizationResult(StrEnum):
    """How a consent ended, for the page that says so."""

    CONNECTED = "connected"
    DECLINED = "declined"
    """The user said no."""
    INCOMPLETE = "incomplete"
    """The user did not grant everything that is needed."""
    EXPIRED = "expired"
    """The state is unknown, used up, too old, or another provider's."""
    ALREADY_CONNECTED = "already-connected"
    UNCONFIRMED = "unconfirmed"
    """The user granted access in another browser than the one that began, and is asked whether they meant it."""
    OTHER_BROWSER = "other-browser"
    """The user came back in another browser than the one that began."""
    REFUSED = "refused"
    """The provider refuses, for a reason that only an administrator can put right."""
    UNAVAILABLE = "unavailable"
    """Something is away; trying again may help."""


class Confirmation(Contract):
    """What a user is asked who granted access in another browser: whose meetings are to be in which mailbox."""

    model_config = ConfigDict(hide_input_in_errors=True)

    token: str = Field(repr=False)
    """Proof that who answers was asked; good once, for some minutes."""
    user_name: PersonName | None = None
    user_email: MailAddress
    firm: str
    calendar_email: MailAddress


class AuthorizationOutcome(Contract):
    """The answer to ``CompleteAuthorization`` and ``ConfirmAuthorization``."""

    result: AuthorizationResult
    calendar_email: MailAddress | None = Field(default=None, description="the mailbox that is connected")
    confirmation: Confirmation | None = Field(default=None, description="of an `unconfirmed` one")


class CompleteAuthorization(InternalQuery):
    """The provider sent the user's browser back; answered with a ``AuthorizationOutcome``.

    Sent without an actor: ``state`` proves who started. It does not prove that the browser is theirs: they
    could have sent the provider's address to somebody else. Unless ``same_browser``, nothing is connected, and
    the answer is a ``Confirmation``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    name = "complete-authorization"
    provider: CalendarProvider
    state: str = Field(repr=False)
    code: str | None = Field(default=None, repr=False)
    error: str | None = None
    same_browser: bool = Field(default=True, description="it is the browser that began")


class ConfirmAuthorization(InternalQuery):
    """The user says whether they meant to connect their mailbox; answered with an ``AuthorizationOutcome``."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name = "confirm-authorization"
    provider: CalendarProvider
    token: str = Field(repr=False)
    allowed: bool
