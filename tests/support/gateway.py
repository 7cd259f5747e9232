"""The gateway in this process, with stand-ins for what is behind it: the bus, the directory, the queries."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
import jwt
from api_gateway.adapters.http.authentication import Authenticator
from api_gateway.adapters.tokens import TokenVerifier
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.calendar import CalendarConnections
from api_gateway.application.guests import Guests
from api_gateway.application.meetings import MeetingCommands
from api_gateway.bootstrap import create_app
from api_gateway.domain.caller import Caller, ClaimNames
from api_gateway.settings import Settings
from chassis.http.internal_queries import QueryClient
from chassis.http.rate_limit import RateLimiter
from chassis.kafka.command_client import CommandClient
from chassis.telemetry.health import Health
from contracts.api.queries import InternalQuery
from contracts.messages.calendar_commands import CalendarCommand
from contracts.messages.command import Actor, Command
from contracts.messages.replies import Outcome, Reply
from contracts.model import Contract
from contracts.rsvp_tokens import RsvpKeys
from contracts.values.enums import ParticipantType
from contracts.values.meeting import Invitee
from fastapi import FastAPI
from pydantic import SecretStr

SECRET = "the secret that the login and the gateway share, long enough for SHA-512"
DOCS_SITE = "https://docs.example.com/meetings/"
RSVP_TOKEN_KEYS = "cnN2cCB0b2tlbiBrZXkgb2YgdGhlIHRlc3RzLCAyNTYgYml0cw"
NAMES = ClaimNames(tenant="tenantUuid", user="userUuid", email="username", user_type="userType", partner="partnerUuid")
CLAIMS = {
    "tenantUuid": "T019A16FF372A70B5A9307B00CE85E4DA",
    "userUuid": "TS019C06688AA57248B9EA5325DBDFC48E",
    "username": "valentina.rojas@andes.example.com",
    "userType": "TENANT_STAFF",
}
HEADERS = {
    "x-tenant-uuid": CLAIMS["tenantUuid"],
    "x-user-id": CLAIMS["userUuid"],
    "x-user-email": CLAIMS["username"],
    "x-user-type": CLAIMS["userType"],
}


def signed(claims: dict[str, Any] | None = None, *, secret: str = SECRET, algorithm: str = "HS256", **more: Any) -> str:
    """A token that is good for an hour, unless the claims say otherwise."""
    given = {"exp": time.time() + 3600} | CLAIMS | (claims or {})
    return jwt.encode({name: value for name, value in given.items() if value is not None}, secret, algorithm, **more)


class StandInBus(CommandClient):
    """Keeps the commands and gives each the same outcome: a reply, none in time, or an error."""

    def __init__(self) -> None:
        self.commands: list[Any] = []
        self.outcome: Reply | Exception | None = Reply(outcome=Outcome.OK, version=1, data={})

    async def request(self, command: Contract, *, key: str) -> Reply | None:
        if isinstance(command, CalendarCommand):
            assert key == command.actor.user_id
        else:
            assert isinstance(command, Command)
            assert key == command.meeting_uuid
        self.commands.append(command)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class StandInDirectory:
    """Knows everybody."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def people(self, caller: Caller, contact_ids: Sequence[str], staff_ids: Sequence[str]) -> list[Invitee]:
        self.asked += [*contact_ids, *staff_ids]
        kinds = {"C": ParticipantType.CONTACT, "T": ParticipantType.TENANT_STAFF, "P": ParticipantType.PARTNER_STAFF}
        return [
            Invitee(participant_type=kinds[one[0]], participant_entity_uuid=one, email=f"{one.lower()}@example.com")
            for one in (*contact_ids, *staff_ids)
        ]

    async def staff(self, caller: Caller, staff_ids: Sequence[str]) -> list[Invitee | None]:
        """Only tenant staff."""
        self.asked += staff_ids
        kind = ParticipantType.TENANT_STAFF
        return [
            Invitee(participant_type=kind, participant_entity_uuid=staff_id) if staff_id.startswith("TS") else None
            for staff_id in staff_ids
        ]

    async def actor(self, caller: Caller) -> Actor:
        return caller.actor("Valentina Rojas")


class StandInCore(QueryClient):
    """Keeps the questions and gives each the same answer."""

    def __init__(self) -> None:
        self.queries: list[Any] = []
        self.outcome: Reply | Exception = Reply(outcome=Outcome.OK, version=1, data={})

    async def ask(self, query: InternalQuery) -> Reply:
        self.queries.append(query)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Gateway:
    """The application, a client of it that is logged in, and what stands behind it."""

    def __init__(self, client: httpx.AsyncClient, bus: StandInBus, core: StandInCore, directory: StandInDirectory):
        self.client = client
        self.bus = bus
        self.core = core
        self.directory = directory

    async def create(self, **changes: Any) -> httpx.Response:
        """Create a meeting from a valid body, changed as asked; a field set to ``...`` is left out."""
        return await self.client.post("/api/v1/meetings", json=body(**changes))

    async def details(self, **changes: Any) -> list[str]:
        """What is wrong with such a body; an empty list when it is accepted."""
        answer = await self.create(**changes)
        if answer.status_code == 201:
            return []
        assert answer.status_code == 400, answer.text
        error = answer.json()
        assert (error["errorCode"], error["message"]) == ("BE0201", "Validation failed")
        details: list[str] = error["details"]
        return details


def body(**changes: Any) -> dict[str, Any]:
    """A valid body of a new meeting, changed as asked; a field set to ``...`` is left out."""
    given = {
        "startDateTime": "2026-06-15T15:00:00",
        "endDateTime": "2026-06-15T15:45:00",
        "timezone": "America/Santiago",
        "locationType": "ONLINE",
    } | changes
    return {name: value for name, value in given.items() if value is not ...}


@cache
def _application(other_browser: Any) -> FastAPI:
    """Made once: its routes stay the same, what is behind them is each test's own."""
    settings = Settings(
        jwt_hs256_secret=SecretStr(SECRET),
        internal_token=SecretStr("internal"),
        rsvp_token_keys=SecretStr(RSVP_TOKEN_KEYS),
        docs_site_url=DOCS_SITE,
        oauth_other_browser=other_browser,
    )
    return create_app(settings, Health())


@asynccontextmanager
async def gateway(
    *,
    token_required: bool = False,
    per_guest: int = 1000,
    per_address: int = 1000,
    per_user: int = 0,
    other_browser: str = "ask",
    clients_may_ask: bool = False,
) -> AsyncIterator[Gateway]:
    """The gateway without its lifespan: no broker, no directory, no other service."""
    app = _application(other_browser)
    bus, core, directory = StandInBus(), StandInCore(), StandInDirectory()
    verifier = TokenVerifier(secret=SecretStr(SECRET), keys=None, issuer=None, audience=None, leeway=0)
    services = app.state.services
    services.authenticator = Authenticator(verifier, NAMES)
    services.core = core
    services.meetings = MeetingCommands(bus, directory)
    services.availability = AvailabilityChecks(directory, core, clients_may_ask=clients_may_ask)
    services.calendar = CalendarConnections(bus, directory, core, core)
    keys = RsvpKeys.parse(RSVP_TOKEN_KEYS)
    services.guests = Guests(bus, core, keys, token_required=token_required, limiter=RateLimiter(per_guest))
    services.user_limiter = RateLimiter(per_user)
    services.address_limiter = RateLimiter(per_address)
    services.anonymous_limiter = RateLimiter(per_address)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {signed()}", **HEADERS}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        yield Gateway(client, bus, core, directory)
