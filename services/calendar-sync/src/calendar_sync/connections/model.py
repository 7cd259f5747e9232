"""A user's calendar connection: its state and what may happen to it. Pure: no clock, no database, no provider.

Methods that change the state return the event to publish, where other services must know, and raise an ``ApiError``
where the state forbids the change. Secrets are stored encrypted only.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.api.calendar import ConnectionView
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import CalendarCommand
from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged
from contracts.messages.command import Actor
from contracts.model import StoredModel
from contracts.transport.idempotency import CommandRecord, ProcessedCommands
from contracts.values.enums import (
    CalendarProvider,
    ConnectionStatus,
    FirstTimeModalPreference,
    SyncFailureCode,
    UserType,
)
from contracts.values.personal import Credential, MailAddress, PersonId, PersonName
from contracts.values.times import Instant
from pydantic import Field

from calendar_sync.connections.pending_authorizations import PendingAuthorization, PendingAuthorizations
from calendar_sync.connections.representations import change_of, coverage_of, view_of
from calendar_sync.providers.external_event import Window

_MAX_WITH_KEY = 1_000
"""Commands with an ``Idempotency-Key`` that one user's connection remembers of a day at most."""


_IDEMPOTENCY_RETENTION = timedelta(days=1)


class PendingRevocation(StoredModel):
    """A grant that is no longer used: to be revoked, then forgotten."""

    provider: CalendarProvider
    calendar_email: MailAddress
    subject: PersonId
    generation: int
    encrypted_tokens: Credential


class Connection(StoredModel):
    """The aggregate, one per user. ``version`` is that of the stored document, 0 for one that is not stored."""

    tenant_uuid: str
    user_id: PersonId
    owner_type: UserType = UserType.TENANT_STAFF
    owner_name: PersonName | None = None
    """As the user was called when they last began to connect."""
    version: int = 0
    status: ConnectionStatus = ConnectionStatus.NONE
    provider: CalendarProvider | None = None
    calendar_email: MailAddress | None = None
    subject: PersonId | None = None
    """The provider's id of the account, by which it is the same when its address changes."""
    generation: int = 0
    """How often the user has connected; what was written in one generation may be in another calendar than now."""
    scopes: list[str] = Field(default_factory=list)
    encrypted_tokens: Credential | None = None
    token_version: int = 0
    """Rises whenever the tokens are replaced."""
    connected_at: Instant | None = None
    last_synced_at: Instant | None = None
    known_from: Instant | None = None
    """The period whose events are known since the last sync; null while the calendar cannot be read."""
    known_until: Instant | None = None
    ended_because: SyncFailureCode | None = None
    """Why the connection ended, unless the user ended it; an attempt to connect again that fails does not change it."""
    last_error_code: SyncFailureCode | None = None
    last_error_reason: str | None = None
    first_time_modal_pref: FirstTimeModalPreference = FirstTimeModalPreference.SHOW_ALWAYS
    pending_authorizations: PendingAuthorizations = Field(default_factory=PendingAuthorizations)
    pending_revocations: list[PendingRevocation] = Field(default_factory=list)
    processed_commands: ProcessedCommands = Field(default_factory=ProcessedCommands)

    @property
    def connection_id(self) -> str:
        return connection_id(self.tenant_uuid, self.user_id)

    @property
    def is_connected(self) -> bool:
        return self.status is ConnectionStatus.CONNECTED

    def may_connect(self) -> None:
        """Raises ApiError while a calendar is connected."""
        if self.is_connected:
            raise ApiError(ErrorCode.CALENDAR_ALREADY_CONNECTED)

    def start(self, authorization: PendingAuthorization, actor: Actor, now: datetime) -> None:
        """Record an authorization that the user started."""
        self.may_connect()
        self.owner_type, self.owner_name = actor.user_type, actor.name
        self.pending_authorizations.add(authorization, now)

    def schedule_revocation(
        self, provider: CalendarProvider, *, subject: str, email: str, encrypted_tokens: str
    ) -> None:
        """Keep an encrypted grant that is no longer used until it is revoked."""
        revocation = PendingRevocation(
            provider=provider,
            calendar_email=email,
            subject=subject,
            generation=self.generation,
            encrypted_tokens=encrypted_tokens,
        )
        self.pending_revocations = [*self.pending_revocations, revocation]

    def connect(
        self,
        provider: CalendarProvider,
        *,
        subject: str,
        email: str,
        scopes: list[str],
        encrypted_tokens: str,
        now: datetime,
    ) -> ConnectionChanged:
        """The provider granted access to the calendar of ``email``; ``encrypted_tokens`` are its tokens."""
        self.may_connect()
        self.status = ConnectionStatus.CONNECTED
        self.provider, self.subject, self.calendar_email, self.scopes = provider, subject, email, scopes
        self.generation += 1
        self.replace_tokens(encrypted_tokens)
        self.connected_at, self.last_synced_at, self.ended_because = now, None, None
        self.known_from = self.known_until = None
        self.pending_authorizations.clear()
        # Revoking an old grant of the same account now would take the new one with it.
        self.pending_revocations = [
            pending
            for pending in self.pending_revocations
            if (pending.provider, pending.subject) != (provider, subject)
        ]
        self.record_error(None, None)
        return change_of(self, provider, now)

    def record_synced(self, at: datetime, window: Window) -> CalendarCoverageChanged:
        """All of the calendar's window is known as it was at the UTC instant ``at``; earlier errors are over."""
        self.last_synced_at, self.known_from, self.known_until = at, window.begins, window.ends
        self.record_error(None, None)
        return self.coverage()

    def record_unreadable(self, code: SyncFailureCode, reason: str) -> CalendarCoverageChanged | None:
        """The calendar cannot be read, so nothing is known of it; None when that was so before."""
        self.record_error(code, reason)
        if self.known_from is None:
            return None
        self.known_from = self.known_until = None
        return self.coverage()

    def coverage(self) -> CalendarCoverageChanged:
        """The event that says how much of the calendar is known."""
        return coverage_of(self)

    def record_error(self, code: SyncFailureCode | None, reason: str | None) -> None:
        """Show the user this error; None: there is no error."""
        self.last_error_code, self.last_error_reason = code, reason

    def reencrypt(self, reencrypt: Callable[[str], str], now: datetime) -> None:
        """Encrypt every secret with another key.

        The token version stays, because the tokens are the same: a refresh that is under way still replaces them.
        """
        self.encrypted_tokens = self.encrypted_tokens and reencrypt(self.encrypted_tokens)
        self.pending_revocations = [
            pending.model_copy(update={"encrypted_tokens": reencrypt(pending.encrypted_tokens)})
            for pending in self.pending_revocations
        ]
        self.pending_authorizations.reencrypt(reencrypt, now)

    def revocable_at(self, now: datetime) -> datetime:
        """The UTC instant from which grants may be revoked: after the last open authorization.

        Google ends with one grant all that the account has granted since, also what is still to be confirmed.
        """
        return self.pending_authorizations.end_of_last(now)

    def replace_tokens(self, encrypted_tokens: str | None) -> None:
        self.encrypted_tokens = encrypted_tokens
        self.token_version += 1

    def disconnect(self, now: datetime) -> ConnectionChanged:
        """The user ends the connection; its grant is to be revoked. A connection that was lost has no grant any more.

        Raises:
            ApiError: no calendar is connected.
        """
        if self.ended_because is not None and self.provider is not None:
            self.ended_because = None
            self.record_error(None, None)
            return change_of(self, self.provider, now)
        if not self.is_connected or self.provider is None or self.subject is None or self.encrypted_tokens is None:
            raise ApiError(ErrorCode.CALENDAR_NOT_CONNECTED)
        self.schedule_revocation(
            self.provider,
            subject=self.subject,
            email=self.calendar_email or "",
            encrypted_tokens=self.encrypted_tokens,
        )
        self.record_error(None, None)
        return self._end(self.provider, now)

    def invalidate(self, reason: str, now: datetime) -> ConnectionChanged | None:
        """The provider has ended the connection; the user is shown the ``reason``. None: it had ended before."""
        if not self.is_connected or self.provider is None:
            return None
        self.ended_because = SyncFailureCode.TOKEN_REVOKED
        self.record_error(self.ended_because, reason)
        return self._end(self.provider, now)

    def _end(self, provider: CalendarProvider, now: datetime) -> ConnectionChanged:
        self.status = ConnectionStatus.DISCONNECTED
        self.scopes = []
        self.replace_tokens(None)
        return change_of(self, provider, now)

    def current_event(self, now: datetime) -> ConnectionChanged | None:
        """The event that says how the connection is now; None for one that was never made."""
        return None if self.provider is None else change_of(self, self.provider, now)

    def has_processed(self, command: CalendarCommand) -> bool:
        """Whether this very command was carried out here before.

        Raises:
            ApiError: it was refused before, or its id was used for a different request.
        """
        return self.processed_commands.has(command)

    def record_processed(self, command: CalendarCommand, refusal: ApiError | None, now: datetime) -> None:
        """Keep what was decided, under an ``Idempotency-Key`` for a day."""
        record = CommandRecord.of(command, refusal, at=now)
        self.processed_commands.add(record)
        self.processed_commands.take_overflow(now, retention=_IDEMPOTENCY_RETENTION, limit=_MAX_WITH_KEY)

    def view(self) -> ConnectionView:
        """The connection as its user sees it."""
        return view_of(self)


def connection_id(tenant_uuid: str, user_id: str) -> str:
    """The id of a user's connection; ids of the platform have no colon."""
    return f"{tenant_uuid}:{user_id}"
