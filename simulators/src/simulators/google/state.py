"""Everything the simulator remembers, as plain data that survives a restart."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from simulators.google.calendar.editor import Editor

Json = dict[str, Any]
Role = Literal["freeBusyReader", "reader", "writer", "owner"]


class Account(BaseModel):
    """A Google account. ``sub`` is the stable id in id tokens; ``time_zone`` an IANA name."""

    email: str
    name: str
    sub: str
    time_zone: str = "UTC"


class Calendar(BaseModel):
    """A calendar; the primary one has its owner's e-mail as id."""

    id: str
    owner: str
    summary: str
    time_zone: str
    description: str | None = None
    primary: bool = False
    app: str | None = Field(default=None, description="OAuth client that made it (scope calendar.app.created).")
    shares: dict[str, Role] = Field(default_factory=dict)
    sync_epoch: int = 0
    bare_gone: bool = False


class Event(BaseModel):
    """One event on one calendar, deleted ones (tombstones) included.

    ``resource`` holds the writable fields in the API's own form, with every ``dateTime`` in UTC; what depends on the
    viewer (etag, zone, ``self``) is added when it is shown. ``revision`` counts all changes of the simulator.
    """

    calendar_id: str
    resource: Json
    revision: int
    born: int
    vanished: dict[str, int] = Field(
        default_factory=dict, description="Instances a changed rule dropped: id to revision."
    )

    @property
    def id(self) -> str:
        return str(self.resource["id"])

    @property
    def cancelled(self) -> bool:
        return bool(self.resource["status"] == "cancelled")

    @property
    def recurring(self) -> bool:
        return bool(self.resource.get("recurrence"))

    @property
    def series_id(self) -> str | None:
        """The recurring event this is an instance of, if any."""
        return self.resource.get("recurringEventId")


class Code(BaseModel):
    """An authorization code: good once, for ten minutes at most."""

    account: str
    client_id: str
    redirect_uri: str
    scopes: list[str]
    challenge: str | None
    challenge_method: str | None
    offline: bool
    nonce: str | None
    expires_at: datetime


class RefreshToken(BaseModel):
    """A refresh token in force; instants are simulated time, UTC."""

    account: str
    client_id: str
    scopes: list[str]
    issued_at: datetime
    used_at: datetime


class AccessToken(BaseModel):
    """An access token in force."""

    account: str
    client_id: str
    scopes: list[str]
    expires_at: datetime


class Channel(BaseModel):
    """A notification channel on one calendar's events; ``expires_at`` is simulated time, UTC."""

    id: str
    account: str
    client_id: str
    calendar_id: str
    address: str
    token: str | None
    resource_id: str
    resource_uri: str
    expires_at: datetime
    messages: int = 0


class Mail(BaseModel):
    """A mail that Google would have sent to a guest."""

    at: datetime
    to: str
    about: Literal["invitation", "update", "cancellation"]
    calendar_id: str
    event_id: str


class State(BaseModel):
    """The whole of it."""

    accounts: dict[str, Account] = Field(default_factory=dict)
    calendars: dict[str, Calendar] = Field(default_factory=dict)
    events: dict[str, dict[str, Event]] = Field(default_factory=dict)
    consents: dict[str, list[str]] = Field(default_factory=dict, description="'client account' to the scopes granted.")
    codes: dict[str, Code] = Field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = Field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = Field(default_factory=dict)
    channels: dict[str, Channel] = Field(default_factory=dict)
    mails: list[Mail] = Field(default_factory=list)
    editor: Editor = Field(default="html", description="How the calendar pages store descriptions.")
    revision: int = 0
    clock_offset_seconds: float = 0.0
