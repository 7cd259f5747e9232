"""The connection of a user's external calendar: what callers want of it, what it looks like, what happened to it.

Authorization codes, tokens and the state of a consent are in no record: consent is begun and completed over the
internal HTTP API, where nothing is kept.
"""

from enum import StrEnum

from pydantic import ConfigDict, Field

from contracts.commands import Actor
from contracts.enums import CalendarProvider, ConnectionStatus, FirstTimeModalPreference, SyncFailureCode
from contracts.model import Contract
from contracts.queries import Query, Question
from contracts.registry import message
from contracts.times import Instant
from contracts.topics import CALENDAR_COMMANDS, CALENDAR_EVENTS


class CalendarCommand(Contract):
    """A command about the actor's own connection.

    ``command_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``), ``fingerprint``
    tells a repeat from another request under the same key.
    """

    command_id: str
    fingerprint: str
    actor: Actor


@message("calendar.connection.disconnect.v1", CALENDAR_COMMANDS)
class DisconnectCalendar(CalendarCommand):
    """Disconnect; answered with a ``Connection``."""


@message("calendar.connection.sync.v1", CALENDAR_COMMANDS)
class SyncCalendar(CalendarCommand):
    """Pull what changed in the calendar; answered with a ``CalendarPull`` when that is done."""


@message("calendar.connection.prefer.v1", CALENDAR_COMMANDS)
class PreferModal(CalendarCommand):
    """Set the first-time modal preference; answered with a ``Connection``."""

    action: FirstTimeModalPreference


class BeginConsent(Query):
    """The actor wants to connect a calendar; answered with an ``Authorization``.

    ``request_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``): a repeat gets the
    same answer while that is good.
    """

    name = "begin-consent"
    provider: CalendarProvider
    request_id: str


class Authorization(Contract):
    """Where the user's browser goes to consent."""

    authorization_url: str = Field(examples=["https://accounts.google.com/o/oauth2/v2/auth?…"])


class Connection(Contract):
    """A user's calendar connection, as the user sees it."""

    provider: CalendarProvider | None = Field(default=None, description="the latest one; null when never connected")
    status: ConnectionStatus = ConnectionStatus.NONE
    calendar_email: str | None = Field(default=None, examples=["adviser@example.com"])
    connected_at: Instant | None = None
    last_synced_at: Instant | None = Field(default=None, description="when changes were last pulled")
    first_time_modal_pref: FirstTimeModalPreference = FirstTimeModalPreference.SHOW_ALWAYS
    last_error_code: SyncFailureCode | None = None
    last_error_reason: str | None = Field(default=None, description="the same in words")


class PullStatus(StrEnum):
    """``IN_PROGRESS``: the pull goes on, its outcome is not known yet."""

    COMPLETED = "COMPLETED"
    IN_PROGRESS = "IN_PROGRESS"


class CalendarPull(Contract):
    """What pulling from the external calendar did; the counts are null while it goes on."""

    status: PullStatus
    imported: int | None = Field(default=None, description="meetings that are new here")
    updated: int | None = None
    removed: int | None = None


class GetConnection(Query):
    """The actor's connection; answered with a ``Connection``."""

    name = "get-connection"


class ResyncCalendar(Question):
    """An operator wants all of a user's calendar read anew; answered with a ``CalendarPull`` when that is done."""

    name = "resync-calendar"
    tenant_uuid: str
    user_id: str

    @property
    def tenant(self) -> str:
        return self.tenant_uuid


class ResealSecrets(Question):
    """An operator wants what providers gave us sealed with the first key; answered with ``Resealed``.

    A page of connections at a time: ``after`` is the last one of the page before, empty at the beginning.
    """

    name = "reseal-secrets"
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


class Resealed(Contract):
    """One page of connections whose secrets are sealed with the first key."""

    total: int = Field(description="connections that there are")
    seen: int = Field(description="of them in this page")
    resealed: int = Field(description="secrets in this page that another key had sealed")
    unreadable: int = Field(description="secrets in this page that no known key opens; they are left as they are")
    last: str | None = Field(description="where the next page begins; null when this is the last one")


class ConsentResult(StrEnum):
    """How a consent ended, for the page that says so."""

    CONNECTED = "connected"
    DECLINED = "declined"
    """The user said no."""
    INCOMPLETE = "incomplete"
    """The user did not grant everything that is needed."""
    EXPIRED = "expired"
    """The state is unknown, used up, too old, or another provider's."""
    ALREADY_CONNECTED = "already-connected"
    REFUSED = "refused"
    """The provider refuses, for a reason that only an administrator can put right."""
    UNAVAILABLE = "unavailable"
    """Something is away; trying again may help."""


class ConsentOutcome(Contract):
    """The answer to ``CompleteConsent``."""

    result: ConsentResult


class CompleteConsent(Question):
    """The provider sent the user's browser back; answered with a ``ConsentOutcome``.

    Asked without an actor: who consented is what ``state`` proves.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    name = "complete-consent"
    provider: CalendarProvider
    state: str = Field(repr=False)
    code: str | None = Field(default=None, repr=False)
    error: str | None = None


@message("calendar.connection.changed.v1", CALENDAR_EVENTS)
class ConnectionChanged(Contract):
    """A user's connection was made or has ended. Keyed by userId; a user's events are in order.

    ``ce_sequence`` is the connection's version: whoever has seen a higher one ignores it. While ``status`` is
    CONNECTED, ``generation`` counts how often this user has connected so far.
    """

    tenant_uuid: str
    user_id: str
    provider: CalendarProvider
    status: ConnectionStatus
    generation: int
    at: Instant
    error_code: SyncFailureCode | None = Field(default=None, description="why it ended, unless the user ended it")
