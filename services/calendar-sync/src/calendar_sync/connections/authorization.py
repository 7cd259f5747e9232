"""The OAuth authorization flow: the user's browser goes to the provider, comes back, and the calendar is connected."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog
from chassis.telemetry.context import current_context, use_context
from contracts.api.calendar import (
    Authorization,
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    Confirmation,
    ConfirmAuthorization,
    StartAuthorization,
)
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.replies import Outcome, Reply
from contracts.values.times import utc_now

from calendar_sync.connections.authorization_store import (
    AuthorizationStore,
    ClaimedAuthorization,
    hash_of_confirmation,
    hash_of_state,
)
from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository, TokenVault
from calendar_sync.connections.revocation_hold import hold_revocations
from calendar_sync.providers.accounts import ProviderUnavailableError
from calendar_sync.providers.oauth import AuthorizationFailedError, OAuthClients, TokenGrant

log = structlog.get_logger()

_STATE_BYTES = 32
_REVOCATION_HOLD = timedelta(minutes=2)
_MAX_WAIT_TO_START = timedelta(seconds=3)
_MAX_WAIT_TO_CONNECT = timedelta(seconds=10)
_CONFIRMATION = timedelta(minutes=10)
"""How long a user may take to confirm; the access token that is kept meanwhile lasts longer."""


class AuthorizationService:
    """Lets users connect a calendar."""

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
        self._store = AuthorizationStore(connections, vault)
        self._providers = providers
        self._authorization_lifetime = authorization_lifetime
        self._wake_revocation = wake_revocation

    async def start(self, query: StartAuthorization) -> Reply:
        """The address at the provider to which the user's browser goes.

        Raises:
            ApiError: 409 while a calendar is connected, 503 while the provider is away, or revokes an earlier grant.
        """
        actor = query.actor
        connection = await self._connections.find(actor.tenant_uuid, actor.user_id)
        if connection is not None:
            connection.may_connect()
            before = connection.pending_authorizations.started_by(query.request_id, utc_now())
            if before is not None and (request := self._store.request_of(before, connection)) is not None:
                return _ok(Authorization(authorization_url=request.authorization_url))
            hold = self._authorization_lifetime + _REVOCATION_HOLD
            if connection.pending_revocations and not await hold_revocations(
                self._connections, connection, hold, give_up_after=_MAX_WAIT_TO_START
            ):
                raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)
        state = secrets.token_urlsafe(_STATE_BYTES)
        try:
            request = await self._providers[query.provider].start_authorization(state=state, login_hint=actor.email)
        except ProviderUnavailableError as error:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE) from error
        await self._store.start(query, state, request, lifetime=self._authorization_lifetime)
        return _ok(Authorization(authorization_url=request.authorization_url))

    async def complete(self, query: CompleteAuthorization) -> Reply:
        """The browser came back: exchange its code, once, and connect the calendar."""
        claimed = await self._store.claim(hash_of_state(query.state), query.provider)
        if claimed is None:
            return _ok(AuthorizationOutcome(result=AuthorizationResult.EXPIRED))

        async def complete() -> AuthorizationOutcome:
            grant = await self._exchange_code(query, claimed)
            if not query.same_browser:
                return await self._ask_for_confirmation(claimed, grant)
            return await self._connect(claimed, grant)

        return _ok(await self._outcome(claimed, complete))

    async def confirm(self, query: ConfirmAuthorization) -> Reply:
        """The user was asked whether they meant to connect, and answers: connect, or revoke the grant."""
        claimed = await self._store.claim(hash_of_confirmation(query.token), query.provider)
        if claimed is None:
            return _ok(AuthorizationOutcome(result=AuthorizationResult.EXPIRED))

        async def confirm() -> AuthorizationOutcome:
            grant = self._store.grant_of(claimed)
            if not query.allowed:
                await self._store.schedule_revocation(claimed, grant)
                self._wake_revocation()
                raise AuthorizationFailedError(AuthorizationResult.DECLINED)
            await self._wait_for_revocations(claimed.connection)
            return await self._connect(claimed, grant)

        return _ok(await self._outcome(claimed, confirm))

    async def _outcome(
        self, claimed: ClaimedAuthorization, end: Callable[[], Awaitable[AuthorizationOutcome]]
    ) -> AuthorizationOutcome:
        connection = claimed.connection
        with use_context(replace(current_context(), tenant=connection.tenant_uuid)):
            try:
                outcome = await end()
            except AuthorizationFailedError as failed:
                outcome = AuthorizationOutcome(result=failed.result)
                await self._store.record_failure(connection, failed.result)
            log.info("authorization ended", provider=claimed.authorization.provider, result=outcome.result.value)
        return outcome

    async def _ask_for_confirmation(self, claimed: ClaimedAuthorization, grant: TokenGrant) -> AuthorizationOutcome:
        await self._wait_for_revocations(claimed.connection, hold=_CONFIRMATION + _REVOCATION_HOLD)
        token = secrets.token_urlsafe(_STATE_BYTES)
        await self._store.await_confirmation(claimed, grant, token, lifetime=_CONFIRMATION)
        confirmation = Confirmation(
            token=token,
            user_name=claimed.connection.owner_name,
            user_email=claimed.authorization.user_email,
            firm=claimed.authorization.firm,
            calendar_email=grant.email,
        )
        return AuthorizationOutcome(result=AuthorizationResult.UNCONFIRMED, confirmation=confirmation)

    async def _exchange_code(self, query: CompleteAuthorization, claimed: ClaimedAuthorization) -> TokenGrant:
        """Raises AuthorizationFailedError."""
        if claimed.connection.is_connected:
            raise AuthorizationFailedError(AuthorizationResult.ALREADY_CONNECTED)
        if query.code is None or query.error is not None:
            declined = query.error == "access_denied"  # RFC 6749 section 4.1.2.1
            raise AuthorizationFailedError(AuthorizationResult.DECLINED if declined else AuthorizationResult.REFUSED)
        request = self._store.request_of(claimed.authorization, claimed.connection)
        if request is None:
            raise AuthorizationFailedError(AuthorizationResult.EXPIRED)
        await self._wait_for_revocations(claimed.connection)
        provider = self._providers[query.provider]
        try:
            return await provider.exchange_code(code=query.code, flow_state=request.flow_state)
        except ProviderUnavailableError as error:
            raise AuthorizationFailedError(AuthorizationResult.UNAVAILABLE) from error

    async def _wait_for_revocations(self, connection: Connection, *, hold: timedelta = _REVOCATION_HOLD) -> None:
        """Raises AuthorizationFailedError when a grant of this user is being revoked for too long."""
        if not await hold_revocations(self._connections, connection, hold, give_up_after=_MAX_WAIT_TO_CONNECT):
            raise AuthorizationFailedError(AuthorizationResult.UNAVAILABLE)

    async def _connect(self, claimed: ClaimedAuthorization, grant: TokenGrant) -> AuthorizationOutcome:
        """Raises AuthorizationFailedError when another authorization was faster."""
        await self._store.connect(claimed, grant)
        self._wake_revocation()
        return AuthorizationOutcome(result=AuthorizationResult.CONNECTED, calendar_email=grant.email)


def _ok(data: Authorization | AuthorizationOutcome) -> Reply:
    return Reply(outcome=Outcome.OK, data=data)
