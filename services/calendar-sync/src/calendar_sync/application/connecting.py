"""Connecting and disconnecting a user's calendar."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from chassis.context import current_context, working_on
from contracts.api.calendar import (
    Authorization,
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    ConnectionView,
    GetConnection,
    StartAuthorization,
)
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import DisconnectCalendar, SetModalPreference
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.values.enums import SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.application.consents import (
    Begun,
    Connections,
    ConsentFailedError,
    Effects,
    Granted,
    Providers,
    Vault,
    VaultError,
)
from calendar_sync.application.ports import ProviderUnavailableError
from calendar_sync.domain.connection import Connection, Consent

log = structlog.get_logger()

_STATE_BYTES = 32
_POLL = 0.05
_HOLD = timedelta(minutes=2)
_LONGEST_WAIT = timedelta(seconds=10)

_TROUBLE = {
    AuthorizationResult.DECLINED: (SyncFailureCode.PERMISSION_DENIED, "Access to the calendar was declined."),
    AuthorizationResult.INCOMPLETE: (
        SyncFailureCode.PERMISSION_DENIED,
        "Not every permission that is needed was granted.",
    ),
    AuthorizationResult.REFUSED: (SyncFailureCode.INVALID_REQUEST, "The calendar provider refused the connection."),
    AuthorizationResult.UNAVAILABLE: (
        SyncFailureCode.PROVIDER_UNAVAILABLE,
        "The calendar provider could not be reached.",
    ),
}
"""What a consent that failed leaves behind for the user to read."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A consent that came back: nobody else gets it."""

    connection: Connection
    consent: Consent


class Connecting:
    """Lets users connect a calendar, look at the connection and end it."""

    def __init__(
        self,
        connections: Connections,
        providers: Providers,
        vault: Vault,
        *,
        consent_lifetime: timedelta,
        wake_leaving: Callable[[], None],
    ) -> None:
        """``consent_lifetime``: how long the user may take. ``wake_leaving``: called to have a grant revoked."""
        self._connections = connections
        self._providers = providers
        self._vault = vault
        self._consent_lifetime = consent_lifetime
        self._wake_leaving = wake_leaving

    async def get(self, query: GetConnection) -> Reply:
        """The connection, which is there for everybody: one that was never made is NONE."""
        actor = query.actor
        found = await self._connections.find(actor.tenant_uuid, actor.user_id)
        return _ok(ConnectionView() if found is None else found.view())

    # --- consent ------------------------------------------------------------------------------------------------

    async def begin(self, query: StartAuthorization) -> Reply:
        """Where the user's browser goes to consent.

        Raises:
            ApiError: 409 while a calendar is connected, 503 while the provider is away.
        """
        actor = query.actor
        connection = await self._connections.find(actor.tenant_uuid, actor.user_id)
        if connection is not None:
            connection.may_connect()
            before = connection.begun(query.request_id, utc_now())
            if before is not None and (begun := self._begun_before(before, connection)) is not None:
                return _ok(Authorization(authorization_url=begun.authorization_url))
        state = secrets.token_urlsafe(_STATE_BYTES)
        try:
            begun = await self._providers[query.provider].begin(state=state, login_hint=actor.email)
        except ProviderUnavailableError as error:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE) from error

        def change(connection: Connection) -> Effects:
            now = utc_now()
            sealed = json.dumps([begun.authorization_url, begun.kept])
            consent = Consent(
                request_id=query.request_id,
                provider=query.provider,
                state_hash=_hashed(state),
                sealed=self._vault.seal(sealed, connection.connection_id),
                expires_at=now + self._consent_lifetime,
            )
            connection.begin(consent, actor, now)
            return Effects()

        await self._connections.change(actor.tenant_uuid, actor.user_id, change)
        return _ok(Authorization(authorization_url=begun.authorization_url))

    async def complete(self, question: CompleteAuthorization) -> Reply:
        """The browser came back: redeem its code, once, and be connected."""
        claimed = await self._claim(question)
        if claimed is None:
            return _ok(AuthorizationOutcome(result=AuthorizationResult.EXPIRED))
        connection = claimed.connection
        with working_on(replace(current_context(), tenant=connection.tenant_uuid)):
            try:
                granted = await self._redeemed(question, claimed)
                await self._connected(claimed, granted)
                result = AuthorizationResult.CONNECTED
            except ConsentFailedError as failed:
                result = failed.result
                await self._not_connected(connection, result)
            log.info("consent ended", provider=question.provider, result=result.value)
        return _ok(AuthorizationOutcome(result=result))

    async def _claim(self, question: CompleteAuthorization) -> _Claimed | None:
        state_hash = _hashed(question.state)
        found = await self._connections.find_by_state(state_hash)
        if found is None:
            return None
        claimed: list[Consent] = []

        def change(connection: Connection) -> Effects:
            consent = connection.claim(state_hash, question.provider, utc_now())
            claimed[:] = [] if consent is None else [consent]
            return Effects()

        connection = await self._connections.change(found.tenant_uuid, found.user_id, change)
        return _Claimed(connection, claimed[0]) if claimed else None

    async def _redeemed(self, question: CompleteAuthorization, claimed: _Claimed) -> Granted:
        """Raises ConsentFailedError."""
        if claimed.connection.is_connected:
            raise ConsentFailedError(AuthorizationResult.ALREADY_CONNECTED)
        if question.code is None or question.error is not None:
            declined = question.error == "access_denied"  # RFC 6749 section 4.1.2.1
            raise ConsentFailedError(AuthorizationResult.DECLINED if declined else AuthorizationResult.REFUSED)
        begun = self._begun_before(claimed.consent, claimed.connection)
        if begun is None:
            raise ConsentFailedError(AuthorizationResult.EXPIRED)
        await self._settle(claimed.connection)
        provider = self._providers[question.provider]
        try:
            return await provider.redeem(code=question.code, kept=begun.kept)
        except ProviderUnavailableError as error:
            raise ConsentFailedError(AuthorizationResult.UNAVAILABLE) from error

    async def _settle(self, connection: Connection) -> None:
        """Wait until nothing of this user's is being revoked: that could take the new grant with it.

        Raises ConsentFailedError when that takes too long.
        """
        until = utc_now() + _LONGEST_WAIT
        while not await self._connections.hold_leaving(connection.connection_id, utc_now() + _HOLD):
            if utc_now() > until:
                raise ConsentFailedError(AuthorizationResult.UNAVAILABLE)
            await asyncio.sleep(_POLL)

    async def _connected(self, claimed: _Claimed, granted: Granted) -> None:
        """Raises ConsentFailedError when another consent was faster."""

        def change(connection: Connection) -> Effects:
            event = connection.connect(
                claimed.consent.provider,
                subject=granted.subject,
                email=granted.email,
                scopes=granted.scopes,
                grant=self._vault.seal_grant(granted.grant, connection.connection_id),
                now=utc_now(),
            )
            return Effects(event, leave=bool(connection.leaving))

        connection = claimed.connection
        try:
            await self._connections.change(connection.tenant_uuid, connection.user_id, change)
        except ApiError as refusal:
            raise ConsentFailedError(AuthorizationResult.ALREADY_CONNECTED) from refusal
        self._wake_leaving()

    async def _not_connected(self, connection: Connection, result: AuthorizationResult) -> None:
        trouble = _TROUBLE.get(result)

        def change(connection: Connection) -> Effects | None:
            if trouble is None or connection.is_connected:
                return None
            connection.trouble(*trouble)
            return Effects(leave=bool(connection.leaving))

        await self._connections.change(connection.tenant_uuid, connection.user_id, change)

    def _begun_before(self, consent: Consent, connection: Connection) -> Begun | None:
        """What was kept of a consent; None when the key it was sealed with is gone."""
        try:
            return Begun(*json.loads(self._vault.open(consent.sealed, connection.connection_id)))
        except VaultError:
            log.exception("a consent cannot be opened; is a key missing in TOKEN_ENCRYPTION_KEYS?")
            return None

    # --- commands -----------------------------------------------------------------------------------------------

    async def carry_out(self, command: DisconnectCalendar | SetModalPreference) -> Reply:
        """Idempotent: what was decided before is only answered again."""
        refused: list[ApiError] = []

        def change(connection: Connection) -> Effects | None:
            refused.clear()
            try:
                if connection.has_decided(command):
                    return None
            except ApiError as refusal:
                refused.append(refusal)
                return None
            effects = Effects()
            try:
                if isinstance(command, SetModalPreference):
                    connection.first_time_modal_pref = command.action
                else:
                    effects = Effects(connection.disconnect(utc_now()), leave=True)
            except ApiError as refusal:
                refused.append(refusal)
            connection.remember(command, refused[0] if refused else None, utc_now())
            return effects

        actor = command.actor
        connection = await self._connections.change(actor.tenant_uuid, actor.user_id, change)
        self._wake_leaving()
        if refused:
            return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refused[0]))
        return _ok(connection.view())


def _ok(data: Authorization | AuthorizationOutcome | ConnectionView) -> Reply:
    return Reply(outcome=Outcome.OK, data=data)


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
