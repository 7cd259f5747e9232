"""The steps of an authorization, stored in the user's connection. What must stay secret is stored encrypted."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from contracts.api.calendar import AuthorizationResult, StartAuthorization
from contracts.api.errors import ApiError
from contracts.values.enums import CalendarProvider, SyncFailureCode
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.pending_authorizations import PendingAuthorization
from calendar_sync.connections.ports import Change, ConnectionRepository, ConnectionUpdate, TokenVault, VaultError
from calendar_sync.providers.oauth import AuthorizationFailedError, AuthorizationRequest, TokenGrant, TokenSet

log = structlog.get_logger()

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
class ClaimedAuthorization:
    """An authorization whose browser came back: no other request gets it."""

    connection: Connection
    authorization: PendingAuthorization


class AuthorizationStore:
    """Stores what happens in authorizations."""

    def __init__(self, connections: ConnectionRepository, vault: TokenVault) -> None:
        self._connections = connections
        self._vault = vault

    async def start(
        self, query: StartAuthorization, state: str, request: AuthorizationRequest, *, lifetime: timedelta
    ) -> None:
        """Raises ApiError while a calendar is connected."""
        actor = query.actor

        def change(connection: Connection) -> ConnectionUpdate:
            now = utc_now()
            encrypted = json.dumps([request.authorization_url, request.flow_state])
            authorization = PendingAuthorization(
                request_id=query.request_id,
                provider=query.provider,
                state_hash=hash_of_state(state),
                encrypted=self._vault.encrypt(encrypted, connection.connection_id),
                expires_at=now + lifetime,
                user_email=actor.email,
                firm=query.firm or actor.tenant_uuid,
            )
            connection.start(authorization, actor, now)
            return ConnectionUpdate()

        await self._connections.change(actor.tenant_uuid, actor.user_id, change)

    async def claim(self, state_hash: str, provider: CalendarProvider) -> ClaimedAuthorization | None:
        """The pending authorization of this state, which no request can claim again."""
        found = await self._connections.find_by_state(state_hash)
        if found is None:
            return None
        claimed: list[PendingAuthorization] = []

        def change(connection: Connection) -> ConnectionUpdate:
            authorization = connection.pending_authorizations.claim(state_hash, provider, utc_now())
            claimed[:] = [] if authorization is None else [authorization]
            return ConnectionUpdate()

        connection = await self._change(found, change)
        return ClaimedAuthorization(connection, claimed[0]) if claimed else None

    def request_of(self, authorization: PendingAuthorization, connection: Connection) -> AuthorizationRequest | None:
        """The request that started it; None when the key that it was encrypted with is gone."""
        try:
            return AuthorizationRequest(
                *json.loads(self._vault.decrypt(authorization.encrypted, connection.connection_id))
            )
        except VaultError:
            log.exception("an authorization cannot be decrypted; is a key missing in TOKEN_ENCRYPTION_KEYS?")
            return None

    def grant_of(self, claimed: ClaimedAuthorization) -> TokenGrant:
        """The grant that was to be confirmed.

        Raises:
            AuthorizationFailedError: the key that it was encrypted with is gone.
        """
        try:
            return _deserialize(self._vault.decrypt(claimed.authorization.encrypted, claimed.connection.connection_id))
        except VaultError as error:
            raise AuthorizationFailedError(AuthorizationResult.EXPIRED) from error

    async def await_confirmation(
        self, claimed: ClaimedAuthorization, grant: TokenGrant, token: str, *, lifetime: timedelta
    ) -> None:
        """Keep what was granted, encrypted, until the user has said whether they meant it."""

        def change(connection: Connection) -> ConnectionUpdate:
            now = utc_now()
            confirmation = {
                "request_id": "",  # no repeat of the request finds it
                "state_hash": hash_of_confirmation(token),
                "encrypted": self._vault.encrypt(_serialize(grant), connection.connection_id),
                "expires_at": now + lifetime,
            }
            connection.pending_authorizations.add(claimed.authorization.model_copy(update=confirmation), now)
            return ConnectionUpdate()

        await self._change(claimed.connection, change)

    async def connect(self, claimed: ClaimedAuthorization, grant: TokenGrant) -> None:
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

        try:
            await self._change(claimed.connection, change)
        except ApiError as refusal:
            raise AuthorizationFailedError(AuthorizationResult.ALREADY_CONNECTED) from refusal

    async def schedule_revocation(self, claimed: ClaimedAuthorization, grant: TokenGrant) -> None:
        """The user did not mean it: the grant is to be revoked."""

        def change(connection: Connection) -> ConnectionUpdate:
            connection.schedule_revocation(
                claimed.authorization.provider,
                subject=grant.subject,
                email=grant.email,
                encrypted_tokens=self._vault.encrypt_tokens(grant.token_set, connection.connection_id),
            )
            return ConnectionUpdate(revoke=True)

        await self._change(claimed.connection, change)

    async def record_failure(self, connection: Connection, result: AuthorizationResult) -> None:
        """Show the user why the authorization failed, unless they are connected by another one."""
        error = _ERRORS.get(result)

        def change(connection: Connection) -> ConnectionUpdate | None:
            if error is None or connection.is_connected:
                return None
            connection.record_error(*error)
            return ConnectionUpdate(revoke=bool(connection.pending_revocations))

        await self._change(connection, change)

    async def _change(self, connection: Connection, change: Change) -> Connection:
        return await self._connections.change(connection.tenant_uuid, connection.user_id, change)


def hash_of_state(state: str) -> str:
    """By which a pending authorization is found; the state itself is not stored."""
    return hashlib.sha256(state.encode()).hexdigest()


def hash_of_confirmation(token: str) -> str:
    """Never that of a state: neither can be used in place of the other."""
    return hash_of_state(f"confirmation {token}")


def _serialize(grant: TokenGrant) -> str:
    token_set = grant.token_set
    tokens = token_set.access_token, token_set.expires_at.isoformat(), token_set.refresh_credential
    return json.dumps([grant.subject, grant.email, grant.scopes, *tokens])


def _deserialize(text: str) -> TokenGrant:
    subject, email, scopes, access_token, expires_at, refresh_credential = json.loads(text)
    return TokenGrant(
        TokenSet(access_token, datetime.fromisoformat(expires_at), refresh_credential), subject, email, scopes
    )
