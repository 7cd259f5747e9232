"""Connecting and disconnecting a user's calendar."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from chassis.telemetry.context import current_context, use_context
from contracts.api.calendar import (
    Authorization,
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    Confirmation,
    ConfirmAuthorization,
    ConnectionView,
    GetConnection,
    StartAuthorization,
)
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import DisconnectCalendar, SetModalPreference
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.values.enums import CalendarProvider, SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection, PendingAuthorization
from calendar_sync.connections.ports import ConnectionRepository, ConnectionUpdate, TokenVault, VaultError
from calendar_sync.providers.accounts import ProviderUnavailableError
from calendar_sync.providers.oauth import (
    AuthorizationFailedError,
    AuthorizationRequest,
    OAuthClients,
    TokenGrant,
    TokenSet,
)

log = structlog.get_logger()


_STATE_BYTES = 32


_POLL = 0.05


_REVOCATION_HOLD = timedelta(minutes=2)


_MAX_WAIT_TO_START = timedelta(seconds=3)


_MAX_WAIT_TO_CONNECT = timedelta(seconds=10)


_CONFIRMATION = timedelta(minutes=10)
"""How long a user may take to confirm; the access token that is kept meanwhile lasts longer."""


_ERRORS = {
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
"""What the user reads after an authorization that failed."""


@dataclass(frozen=True, slots=True)
class _ClaimedAuthorization:
    """An authorization whose browser came back: no other request gets it."""

    connection: Connection
    authorization: PendingAuthorization


class AuthorizationService:
    """Lets users connect a calendar, look at the connection and end it."""

    def __init__(
        self,
        connections: ConnectionRepository,
        providers: OAuthClients,
        vault: TokenVault,
        *,
        authorization_lifetime: timedelta,
        wake_revocation: Callable[[], None],
    ) -> None:
        """``authorization_lifetime``: how long a user may take. ``wake_revocation``: called to revoke a grant."""
        self._connections = connections
        self._providers = providers
        self._vault = vault
        self._authorization_lifetime = authorization_lifetime
        self._wake_revocation = wake_revocation

    async def get(self, query: GetConnection) -> Reply:
        """The connection, which is there for everybody: one that was never made is NONE."""
        actor = query.actor
        found = await self._connections.find(actor.tenant_uuid, actor.user_id)
        return _ok(ConnectionView() if found is None else found.view())

    # --- consent ------------------------------------------------------------------------------------------------

    async def start(self, query: StartAuthorization) -> Reply:
        """Where the user's browser goes to consent.

        Raises:
            ApiError: 409 while a calendar is connected, 503 while the provider is away, or revokes an earlier grant.
        """
        actor = query.actor
        connection = await self._connections.find(actor.tenant_uuid, actor.user_id)
        if connection is not None:
            connection.may_connect()
            before = connection.started_by(query.request_id, utc_now())
            if before is not None and (request := self._started_before(before, connection)) is not None:
                return _ok(Authorization(authorization_url=request.authorization_url))
            if connection.pending_revocations and not await self._revocation_held(
                connection, self._authorization_lifetime + _REVOCATION_HOLD, patience=_MAX_WAIT_TO_START
            ):
                raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)
        state = secrets.token_urlsafe(_STATE_BYTES)
        try:
            request = await self._providers[query.provider].start_authorization(state=state, login_hint=actor.email)
        except ProviderUnavailableError as error:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE) from error

        def change(connection: Connection) -> ConnectionUpdate:
            now = utc_now()
            encrypted = json.dumps([request.authorization_url, request.flow_state])
            authorization = PendingAuthorization(
                request_id=query.request_id,
                provider=query.provider,
                state_hash=_hashed(state),
                encrypted=self._vault.encrypt(encrypted, connection.connection_id),
                expires_at=now + self._authorization_lifetime,
                user_email=actor.email,
                firm=query.firm or actor.tenant_uuid,
            )
            connection.start(authorization, actor, now)
            return ConnectionUpdate()

        await self._connections.change(actor.tenant_uuid, actor.user_id, change)
        return _ok(Authorization(authorization_url=request.authorization_url))

    async def complete(self, query: CompleteAuthorization) -> Reply:
        """The browser came back: redeem its code, once, and be connected."""
        claimed = await self._claim(_hashed(query.state), query.provider)
        if claimed is None:
            return _ok(AuthorizationOutcome(result=AuthorizationResult.EXPIRED))

        async def complete() -> AuthorizationOutcome:
            grant = await self._exchange_code(query, claimed)
            if not query.same_browser:
                return await self._unconfirmed(claimed, grant)
            return await self._connected(claimed, grant)

        return _ok(await self._outcome(claimed, complete))

    async def confirm(self, query: ConfirmAuthorization) -> Reply:
        """The user was asked whether they meant to connect, and answers: connect, or give the grant back."""
        claimed = await self._claim(_hashed_confirmation(query.token), query.provider)
        if claimed is None:
            return _ok(AuthorizationOutcome(result=AuthorizationResult.EXPIRED))

        async def confirm() -> AuthorizationOutcome:
            grant = self._granted_before(claimed)
            if not query.allowed:
                await self._schedule_revocation(claimed, grant)
                raise AuthorizationFailedError(AuthorizationResult.DECLINED)
            await self._wait_for_revocations(claimed.connection)
            return await self._connected(claimed, grant)

        return _ok(await self._outcome(claimed, confirm))

    async def _outcome(
        self, claimed: _ClaimedAuthorization, end: Callable[[], Awaitable[AuthorizationOutcome]]
    ) -> AuthorizationOutcome:
        connection = claimed.connection
        with use_context(replace(current_context(), tenant=connection.tenant_uuid)):
            try:
                outcome = await end()
            except AuthorizationFailedError as failed:
                outcome = AuthorizationOutcome(result=failed.result)
                await self._not_connected(connection, failed.result)
            log.info("consent ended", provider=claimed.authorization.provider, result=outcome.result.value)
        return outcome

    async def _unconfirmed(self, claimed: _ClaimedAuthorization, grant: TokenGrant) -> AuthorizationOutcome:
        """Keep what was granted, encrypted, until the user has said whether they meant it."""
        await self._wait_for_revocations(claimed.connection, hold=_CONFIRMATION + _REVOCATION_HOLD)
        token = secrets.token_urlsafe(_STATE_BYTES)

        def change(connection: Connection) -> ConnectionUpdate:
            now = utc_now()
            encrypted = self._vault.encrypt(_serialize(grant), connection.connection_id)
            confirmation = {
                "request_id": "",  # no repeat of the request finds it
                "state_hash": _hashed_confirmation(token),
                "encrypted": encrypted,
                "expires_at": now + _CONFIRMATION,
            }
            connection.await_confirmation(claimed.authorization.model_copy(update=confirmation), now)
            return ConnectionUpdate()

        connection = claimed.connection
        await self._connections.change(connection.tenant_uuid, connection.user_id, change)
        asked = Confirmation(
            token=token,
            user_name=connection.owner_name,
            user_email=claimed.authorization.user_email,
            firm=claimed.authorization.firm,
            calendar_email=grant.email,
        )
        return AuthorizationOutcome(result=AuthorizationResult.UNCONFIRMED, confirmation=asked)

    def _granted_before(self, claimed: _ClaimedAuthorization) -> TokenGrant:
        """Raises AuthorizationFailedError when the key that it was sealed with is gone."""
        try:
            return _deserialize(self._vault.decrypt(claimed.authorization.encrypted, claimed.connection.connection_id))
        except VaultError as error:
            raise AuthorizationFailedError(AuthorizationResult.EXPIRED) from error

    async def _schedule_revocation(self, claimed: _ClaimedAuthorization, grant: TokenGrant) -> None:
        def change(connection: Connection) -> ConnectionUpdate:
            encrypted_tokens = self._vault.encrypt_tokens(grant.token_set, connection.connection_id)
            connection.schedule_revocation(
                claimed.authorization.provider,
                subject=grant.subject,
                email=grant.email,
                encrypted_tokens=encrypted_tokens,
            )
            return ConnectionUpdate(revoke=True)

        connection = claimed.connection
        await self._connections.change(connection.tenant_uuid, connection.user_id, change)
        self._wake_revocation()

    async def _claim(self, state_hash: str, provider: CalendarProvider) -> _ClaimedAuthorization | None:
        found = await self._connections.find_by_state(state_hash)
        if found is None:
            return None
        claimed: list[PendingAuthorization] = []

        def change(connection: Connection) -> ConnectionUpdate:
            authorization = connection.claim(state_hash, provider, utc_now())
            claimed[:] = [] if authorization is None else [authorization]
            return ConnectionUpdate()

        connection = await self._connections.change(found.tenant_uuid, found.user_id, change)
        return _ClaimedAuthorization(connection, claimed[0]) if claimed else None

    async def _exchange_code(self, query: CompleteAuthorization, claimed: _ClaimedAuthorization) -> TokenGrant:
        """Raises AuthorizationFailedError."""
        if claimed.connection.is_connected:
            raise AuthorizationFailedError(AuthorizationResult.ALREADY_CONNECTED)
        if query.code is None or query.error is not None:
            declined = query.error == "access_denied"  # RFC 6749 section 4.1.2.1
            raise AuthorizationFailedError(AuthorizationResult.DECLINED if declined else AuthorizationResult.REFUSED)
        request = self._started_before(claimed.authorization, claimed.connection)
        if request is None:
            raise AuthorizationFailedError(AuthorizationResult.EXPIRED)
        await self._wait_for_revocations(claimed.connection)
        provider = self._providers[query.provider]
        try:
            return await provider.exchange_code(code=query.code, flow_state=request.flow_state)
        except ProviderUnavailableError as error:
            raise AuthorizationFailedError(AuthorizationResult.UNAVAILABLE) from error

    async def _wait_for_revocations(self, connection: Connection, *, hold: timedelta = _REVOCATION_HOLD) -> None:
        """Raises AuthorizationFailedError when something of this user's is being revoked for too long."""
        if not await self._revocation_held(connection, hold, patience=_MAX_WAIT_TO_CONNECT):
            raise AuthorizationFailedError(AuthorizationResult.UNAVAILABLE)

    async def _revocation_held(self, connection: Connection, hold: timedelta, *, patience: timedelta) -> bool:
        """Wait until no grant of the user is being revoked, and put revocations off; False when that takes too long.

        A revocation can take a new grant of the same account with it, and the code that is to become one.
        """
        until = utc_now() + patience
        while not await self._connections.defer_revocation(connection.connection_id, utc_now() + hold):
            if utc_now() > until:
                return False
            await asyncio.sleep(_POLL)
        return True

    async def _connected(self, claimed: _ClaimedAuthorization, grant: TokenGrant) -> AuthorizationOutcome:
        """Raises AuthorizationFailedError when another authorization was faster."""

        def change(connection: Connection) -> ConnectionUpdate:
            event = connection.connect(
                claimed.authorization.provider,
                subject=grant.subject,
                email=grant.email,
                scopes=grant.scopes,
                encrypted_tokens=self._vault.encrypt_tokens(grant.token_set, connection.connection_id),
                now=utc_now(),
            )
            return ConnectionUpdate(event, revoke=bool(connection.pending_revocations))

        connection = claimed.connection
        try:
            await self._connections.change(connection.tenant_uuid, connection.user_id, change)
        except ApiError as refusal:
            raise AuthorizationFailedError(AuthorizationResult.ALREADY_CONNECTED) from refusal
        self._wake_revocation()
        return AuthorizationOutcome(result=AuthorizationResult.CONNECTED, calendar_email=grant.email)

    async def _not_connected(self, connection: Connection, result: AuthorizationResult) -> None:
        error = _ERRORS.get(result)

        def change(connection: Connection) -> ConnectionUpdate | None:
            if error is None or connection.is_connected:
                return None
            connection.record_error(*error)
            return ConnectionUpdate(revoke=bool(connection.pending_revocations))

        await self._connections.change(connection.tenant_uuid, connection.user_id, change)

    def _started_before(
        self, authorization: PendingAuthorization, connection: Connection
    ) -> AuthorizationRequest | None:
        """What was kept of a consent; None when the key it was sealed with is gone."""
        try:
            return AuthorizationRequest(
                *json.loads(self._vault.decrypt(authorization.encrypted, connection.connection_id))
            )
        except VaultError:
            log.exception("an authorization cannot be decrypted; is a key missing in TOKEN_ENCRYPTION_KEYS?")
            return None

    # --- commands -----------------------------------------------------------------------------------------------

    async def execute(self, command: DisconnectCalendar | SetModalPreference) -> Reply:
        """Idempotent: what was decided before is only answered again."""
        refused: list[ApiError] = []

        def change(connection: Connection) -> ConnectionUpdate | None:
            refused.clear()
            try:
                if connection.has_processed(command):
                    return None
            except ApiError as refusal:
                refused.append(refusal)
                return None
            update = ConnectionUpdate()
            try:
                if isinstance(command, SetModalPreference):
                    connection.first_time_modal_pref = command.action
                else:
                    update = ConnectionUpdate(connection.disconnect(utc_now()), revoke=True)
            except ApiError as refusal:
                refused.append(refusal)
            connection.record_processed(command, refused[0] if refused else None, utc_now())
            return update

        actor = command.actor
        connection = await self._connections.change(actor.tenant_uuid, actor.user_id, change)
        self._wake_revocation()
        if refused:
            return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refused[0]))
        return _ok(connection.view())


def _ok(data: Authorization | AuthorizationOutcome | ConnectionView) -> Reply:
    return Reply(outcome=Outcome.OK, data=data)


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _hashed_confirmation(token: str) -> str:
    """Never that of a state: neither can be used in place of the other."""
    return _hashed(f"confirmation {token}")


def _serialize(grant: TokenGrant) -> str:
    token_set = grant.token_set
    secrets_of_it = token_set.access_token, token_set.expires_at.isoformat(), token_set.refresh_credential
    return json.dumps([grant.subject, grant.email, grant.scopes, *secrets_of_it])


def _deserialize(text: str) -> TokenGrant:
    subject, email, scopes, access_token, expires_at, refresh_credential = json.loads(text)
    return TokenGrant(
        TokenSet(access_token, datetime.fromisoformat(expires_at), refresh_credential), subject, email, scopes
    )
