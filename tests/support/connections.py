"""One process of calendar-sync, as far as connections go, with a real database and simulated providers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiokafka.errors import KafkaConnectionError
from calendar_sync.connections.access_tokens import AccessTokenProvider
from calendar_sync.connections.authorization import AuthorizationService
from calendar_sync.connections.connection_service import ConnectionService
from calendar_sync.connections.model import Connection
from calendar_sync.connections.repository import REVOCATION, MongoConnectionRepository, to_connection
from calendar_sync.connections.revocation import GrantRevoker
from calendar_sync.connections.vault import AesGcmTokenVault
from calendar_sync.providers.accounts import Account
from calendar_sync.providers.oauth import OAuthClients
from calendar_sync.settings import Settings
from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import OutgoingRecord
from chassis.mongo.database import Collection, Document
from chassis.mongo.outbox import Outbox
from contracts.api.calendar import AuthorizationOutcome, AuthorizationResult, CompleteAuthorization, StartAuthorization
from contracts.messages.calendar_commands import DisconnectCalendar
from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged
from contracts.messages.command import Actor
from contracts.messages.replies import Reply
from contracts.transport.envelope import Envelope
from contracts.transport.registry import type_of
from contracts.values.enums import CalendarProvider, UserType
from contracts.values.ids import uuid7_hex
from pydantic import SecretStr
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import Consents

EMAIL = "host@example.com"
KEY = "dG9rZW4ga2V5IG9mIHRoZSB0ZXN0cywgMjU2IGJpdHM="
OTHER_KEY = "YW5vdGhlciB0b2tlbiBrZXksIGFsc28gMjU2IGJpdHM="


class StandInPublisher(Publisher):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []

    async def publish(self, outgoing: OutgoingRecord) -> None:
        self.records.append(outgoing)


class UnreliablePublisher(StandInPublisher):
    """Loses its broker when it is told to."""

    is_away = False

    async def publish(self, outgoing: OutgoingRecord) -> None:
        if self.is_away:
            raise KafkaConnectionError
        await super().publish(outgoing)


@dataclass
class ConnectionsHarness:
    """One process of calendar-sync, as far as connections go; ``twin`` is another one with the same database."""

    settings: Settings
    documents: Collection
    publisher: StandInPublisher
    outbox: Outbox
    connections: MongoConnectionRepository
    providers: OAuthClients
    vault: AesGcmTokenVault
    woken: list[bool] = field(default_factory=list)

    @property
    def accounts(self) -> AccessTokenProvider:
        return AccessTokenProvider(self.connections, self.providers, self.vault)

    @property
    def connection_service(self) -> ConnectionService:
        return ConnectionService(self.connections, wake_revocation=lambda: self.woken.append(True))

    def connecting(self, *, authorization_lifetime: timedelta = timedelta(minutes=10)) -> AuthorizationService:
        return AuthorizationService(
            self.connections,
            self.providers,
            self.vault,
            authorization_lifetime=authorization_lifetime,
            wake_revocation=lambda: self.woken.append(True),
        )

    def leaving(self) -> WorkerPool:
        leaving = GrantRevoker(self.connections, self.providers, self.vault, None, to_connection)
        return WorkerPool(JobQueue(self.documents, REVOCATION, seconds=5), leaving.work, concurrency=2, poll=0.05)

    def with_keys(self, *keys: str) -> "ConnectionsHarness":
        """The same process after a rotation of keys."""
        vault = AesGcmTokenVault.parse(",".join(keys))
        return ConnectionsHarness(
            self.settings, self.documents, self.publisher, self.outbox, self.connections, self.providers, vault
        )

    # --- what users do ------------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, provider: CalendarProvider, request_id: str | None = None) -> str:
        """The address that the user is sent to."""
        query = StartAuthorization(actor=actor, provider=provider, request_id=request_id or uuid7_hex())
        reply = await self.connecting().start(query)
        url: str = reply.data.authorization_url
        return url

    async def come_back(self, provider: CalendarProvider, query: dict[str, str]) -> AuthorizationResult:
        """What becomes of the consent when the browser is sent back with this query."""
        question = CompleteAuthorization(
            provider=provider, state=query["state"], code=query.get("code"), error=query.get("error")
        )
        reply = await self.connecting().complete(question)
        return AuthorizationOutcome.model_validate(reply.data).result

    async def connect(self, actor: Actor, consents: Consents, email: str = EMAIL) -> Account:
        """An account that the user has connected."""
        url = await self.begin(actor, consents.provider)
        assert await self.come_back(consents.provider, consents.agree(url, email)) is AuthorizationResult.CONNECTED
        account = await self.accounts.connected(actor.tenant_uuid, actor.user_id)
        assert account is not None
        return account

    async def disconnect(self, actor: Actor, command_id: str | None = None) -> Reply:
        command = DisconnectCalendar(command_id=command_id or uuid7_hex(), fingerprint="", actor=actor)
        return await self.connection_service.execute(command)

    # --- what is there afterwards -------------------------------------------------------------------------------

    async def connection(self, actor: Actor) -> Connection:
        found = await self.connections.find(actor.tenant_uuid, actor.user_id)
        assert found is not None
        return found

    async def document(self, actor: Actor) -> Document:
        found = await self.documents.find_one({"_id": f"{actor.tenant_uuid}:{actor.user_id}"})
        assert found is not None
        return found

    def told(self) -> list[ConnectionChanged]:
        return [
            ConnectionChanged.model_validate_json(record.value)
            for record in self.publisher.records
            if Envelope.from_headers(record.headers).type == type_of(ConnectionChanged).name
        ]

    def coverage(self) -> list[tuple[datetime | None, datetime | None]]:
        """What was told of how much is known, oldest first."""
        told = [
            CalendarCoverageChanged.model_validate_json(record.value)
            for record in self.publisher.records
            if Envelope.from_headers(record.headers).type == type_of(CalendarCoverageChanged).name
        ]
        return [(one.known_from, one.known_until) for one in told]


def new_actor(**changes: Any) -> Actor:
    given: dict[str, Any] = {
        "tenant_uuid": "T019A16FF372A70B5A9307B00CE85E4DA",
        "user_id": f"TS{uuid7_hex()}",
        "user_type": UserType.TENANT_STAFF,
        "email": EMAIL,
    }
    return Actor(**given | changes)


def settings_for(mongodb_uri: str, google: Google, microsoft: Microsoft) -> Settings:
    return Settings(
        mongodb_uri=mongodb_uri,
        mongodb_database=f"calendar_sync_{uuid7_hex()}",
        internal_token=SecretStr("internal"),
        token_encryption_keys=SecretStr(KEY),
        oauth_redirect_base_url="http://127.0.0.1:1",
        webhook_base_url="http://127.0.0.1:1",
        oauth_timeout=5,
        google_client_id=google.settings.google_client_id,
        google_client_secret=SecretStr(google.settings.google_client_secret),
        google_accounts_url=google.url,
        google_oauth_url=google.url,
        google_api_url=google.url,
        microsoft_client_id=microsoft.settings.microsoft_client_id,
        microsoft_client_secret=SecretStr(microsoft.settings.microsoft_client_secret),
        microsoft_login_url=microsoft.url,
        microsoft_graph_url=microsoft.url,
    )
