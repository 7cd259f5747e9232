"""Starts what connects accounts, uses their tokens and revokes them."""

from dataclasses import dataclass
from datetime import timedelta

from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.mongo.database import Collection

from calendar_sync.connections.access_tokens import AccessTokenProvider
from calendar_sync.connections.authorization import AuthorizationService
from calendar_sync.connections.connection_service import ConnectionService
from calendar_sync.connections.ports import ChannelStopper
from calendar_sync.connections.repository import INDEXES, REVOCATION, MongoConnectionRepository, to_connection
from calendar_sync.connections.revocation import GrantRevoker
from calendar_sync.connections.vault import AesGcmTokenVault
from calendar_sync.providers.oauth import OAuthClients
from calendar_sync.runtime import Runtime

_REVOCATIONS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of all users, and the access tokens of their accounts."""

    documents: Collection
    repository: MongoConnectionRepository
    oauth: OAuthClients
    vault: AesGcmTokenVault
    accounts: AccessTokenProvider


async def start_connections(runtime: Runtime, oauth: OAuthClients) -> Connections:
    """On leaving, token refreshes that are under way end first."""
    documents = await runtime.collection("connections", INDEXES)
    repository = MongoConnectionRepository(documents, await runtime.outbox(documents))
    vault = AesGcmTokenVault.parse(runtime.settings.token_encryption_keys.get_secret_value())
    accounts = AccessTokenProvider(repository, oauth, vault)
    await runtime.started.enter_async_context(accounts.draining())
    return Connections(documents, repository, oauth, vault, accounts)


@dataclass(frozen=True, slots=True)
class ConnectionServices:
    """What users do with connections."""

    authorization: AuthorizationService
    connection: ConnectionService


async def start_connection_services(
    runtime: Runtime, connections: Connections, channels: ChannelStopper
) -> ConnectionServices:
    """Starts the workers that revoke grants, too; they stop ``channels`` first."""
    settings = runtime.settings
    revoker = GrantRevoker(connections.repository, connections.oauth, connections.vault, channels, to_connection)
    workers = WorkerPool(
        JobQueue(connections.documents, REVOCATION, seconds=settings.revocation_lease),
        revoker.work,
        concurrency=_REVOCATIONS_AT_ONCE,
        drain=runtime.drain,
    )
    await runtime.started.enter_async_context(workers.running())
    authorization = AuthorizationService(
        connections.repository,
        connections.oauth,
        connections.vault,
        authorization_lifetime=timedelta(seconds=settings.authorization_lifetime),
        wake_revocation=workers.wake,
    )
    return ConnectionServices(authorization, ConnectionService(connections.repository, wake_revocation=workers.wake))
