"""The records of the simulator. Wall times are naive and belong to the zone beside them; instants are aware, in UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from simulators.microsoft.state import ids

_ADDRESS = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\".]+")

NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""Graph's ``0001-01-01T00:00:00Z``: nobody has answered yet."""


class Person(BaseModel):
    """A name and an address, as in Graph's ``emailAddress``."""

    name: str
    address: str


class Attendee(Person):
    """A guest of an event with the answer that the organiser's mailbox knows."""

    kind: str = "required"
    response: str = "none"
    answered_at: datetime = NEVER


class ChangedOccurrence(BaseModel):
    """An exception of a series: other wall times, or other properties, than the series gives."""

    start: datetime
    end: datetime
    properties: dict[str, Any] = Field(default_factory=dict)


class Timing(BaseModel):
    """When an event happens; a series has a recurrence, keyed by the original dates of its occurrences."""

    start: datetime
    end: datetime
    start_zone: str
    end_zone: str
    all_day: bool = False
    recurrence: dict[str, Any] | None = None
    changed: dict[str, ChangedOccurrence] = Field(default_factory=dict)
    cancelled: set[str] = Field(default_factory=set)


class FormerTiming(BaseModel):
    """A timing that stopped being true with mailbox change ``until``; tells delta which occurrences are gone."""

    until: int
    timing: Timing


class Departure(BaseModel):
    """The event left a calendar with mailbox change ``change``, where it was known as ``item_id``."""

    change: int
    calendar_id: str
    item_id: str


class Event(BaseModel):
    """A single event or the master of a series. A deleted one stays as a tombstone for delta."""

    immutable_id: str = Field(default_factory=ids.new_immutable_id)
    item_id: str = Field(default_factory=ids.new_item_id)
    calendar_id: str
    created_change: int
    latest_change: int
    deleted: bool = False
    created_at: datetime
    modified_at: datetime
    version: int = 1
    ical_uid: str | None = Field(default_factory=ids.new_ical_uid)
    transaction_id: str | None = None
    timing: Timing
    former_timings: list[FormerTiming] = Field(default_factory=list)
    departures: list[Departure] = Field(default_factory=list)
    properties: dict[str, Any] = Field(default_factory=dict)
    extended: dict[str, str] = Field(default_factory=dict)
    zone_label: str | None = Field(
        default=None, description="What originalStartTimeZone says where it is no supported zone, like a custom one."
    )
    organizer: Person
    is_organizer: bool = True
    attendees: list[Attendee] = Field(default_factory=list)
    response: str = "organizer"
    answered_at: datetime = NEVER
    cancelled: bool = False


class Calendar(BaseModel):
    """A calendar folder of a mailbox."""

    calendar_id: str = Field(default_factory=ids.new_calendar_id)
    name: str
    is_default: bool = False


class Mail(BaseModel):
    """A message that Exchange sent on its own: ``invitation``, ``update``, ``cancellation`` or ``response``."""

    at: datetime
    to: str
    kind: str
    subject: str | None
    ical_uid: str | None


class SyncRefusal(BaseModel):
    """How Graph refuses a delta token of an earlier generation."""

    status: int = 410
    code: str = "SyncStateNotFound"


Role = Literal["reader", "editor"]


class Account(BaseModel):
    """A person with a mailbox. ``change`` counts the changes of the mailbox; delta tokens remember a value of it."""

    email: str
    name: str
    first_email: str = Field(default="", description="The address that the account was made with, if it had another.")
    principal_name: str = Field(default="", description="What the user signs in with, where that is not the address.")
    has_mail: bool = Field(
        default=True, description="Whether ``/me`` tells the address; personal accounts may lack it."
    )
    time_zone: str = "UTC"
    custom_bias: int | None = Field(
        default=None, description="Minutes from local time to UTC, where the mailbox has a zone of its own making."
    )
    shares: dict[str, Role] = Field(default_factory=dict, description="What others may do here, by their address.")
    calendars: list[Calendar]
    events: dict[str, Event] = Field(default_factory=dict)
    mails: list[Mail] = Field(default_factory=list)
    change: int = 0
    sync_generation: int = 1
    sync_refusal: SyncRefusal = Field(default_factory=SyncRefusal)

    @property
    def user_id(self) -> str:
        """Object id of the user, which stays when the address changes."""
        return ids.user_id(self.first_email or self.email)

    @property
    def names(self) -> frozenset[str]:
        """What ``/users/{name}`` may call the user, in lower case."""
        return frozenset({self.user_id, self.email, (self.principal_name or self.email).lower()})

    @property
    def tenant_id(self) -> str:
        """Tenant of the user."""
        return ids.tenant_id(self.email)

    @property
    def personal(self) -> bool:
        """Whether this is a personal Microsoft account (no getSchedule)."""
        return self.tenant_id == ids.CONSUMER_TENANT

    @property
    def default_calendar(self) -> Calendar:
        """The calendar behind ``/me/calendar`` and ``/me/events``."""
        return next(calendar for calendar in self.calendars if calendar.is_default)


class Grant(BaseModel):
    """A user's consent to a client. ``refused`` names the reason why its refresh tokens no longer work."""

    grant_id: str
    email: str
    client_id: str
    scopes: list[str]
    refused: str | None = None


class AuthorizationCode(BaseModel):
    """A code on its way from the sign-in page to the token endpoint; usable once, for ten minutes."""

    grant_id: str
    redirect_uri: str
    nonce: str | None
    challenge: str | None
    issued_at: datetime
    redeemed: bool = False


class RefreshToken(BaseModel):
    """Lives 90 days from its own issue; each use brings a new one (entra refresh-tokens page)."""

    grant_id: str
    issued_at: datetime
    replaced: bool = False


class AccessToken(BaseModel):
    """What the bearer may do until when."""

    grant_id: str
    expires_at: datetime


class Subscription(BaseModel):
    """A change notification subscription on the events of a mailbox."""

    subscription_id: str
    email: str
    client_id: str
    change_types: list[str]
    resource: str
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    expires_at: datetime
    immutable_ids: bool
    tls_version: str
    reauthorization_asked: bool = False


class State(BaseModel):
    """Everything. Tokens are kept as SHA-256 digests, so the file holds no secret that opens anything."""

    changes: int = 0
    signing_key: str = ""
    accounts: dict[str, Account] = Field(default_factory=dict)
    grants: dict[str, Grant] = Field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = Field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = Field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = Field(default_factory=dict)
    subscriptions: dict[str, Subscription] = Field(default_factory=dict)
    transaction_window: timedelta = timedelta(days=1)
    revoke_replaced_tokens: bool = False

    def rename(self, account: Account, email: str) -> None:
        """Give the account another address, wherever the old one stood."""
        old, email = account.email, email.strip().lower()
        self.accounts[email] = self.accounts.pop(old)
        account.first_email, account.email = account.first_email or old, email
        for grant in self.grants.values():
            grant.email = email if grant.email == old else grant.email
        for subscription in self.subscriptions.values():
            subscription.email = email if subscription.email == old else subscription.email
        for mailbox in self.accounts.values():
            for event in mailbox.events.values():
                for person in [event.organizer, *event.attendees]:
                    person.address = email if person.address == old else person.address
        self.changes += 1

    def account(self, email: str) -> Account:
        """The account of an address, made on first use. Raises ValueError for what is no address."""
        email = email.strip().lower()
        if email not in self.accounts:
            if len(email) > 254 or not _ADDRESS.fullmatch(email):
                raise ValueError("that is not an e-mail address")
            name = email.partition("@")[0].replace(".", " ").title()
            calendars = [Calendar(name="Calendar", is_default=True)]
            self.accounts[email] = Account(email=email, name=name, calendars=calendars)
            self.changes += 1
        return self.accounts[email]
