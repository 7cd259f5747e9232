"""What callers can do with their calendar connection.

Consent is begun and completed over HTTP, because it carries what must never lie on the bus: a state, a code. The rest
are commands.
"""

from chassis.http.internal_queries import QueryClient, QueryUnavailableError
from chassis.kafka.command_client import CommandClient
from contracts.api.calendar import (
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    ConfirmAuthorization,
    GetConnection,
    StartAuthorization,
)
from contracts.messages.calendar_commands import CalendarCommand, DisconnectCalendar, SetModalPreference, SyncCalendar
from contracts.messages.replies import Reply
from contracts.values.enums import CalendarProvider, FirstTimeModalPreference

from api_gateway.application.meetings import Directory
from api_gateway.application.requests import CommandRequest
from api_gateway.domain.caller import Caller


class CalendarConnections:
    """Asks calendar-sync about connections and has them changed."""

    def __init__(
        self, commands: CommandClient, directory: Directory, owner: QueryClient, consents: QueryClient
    ) -> None:
        """``owner`` is calendar-sync; ``consents`` is too, but waits as long as a provider may take."""
        self._commands = commands
        self._directory = directory
        self._owner = owner
        self._consents = consents

    async def connection(self, caller: Caller) -> Reply:
        return await self._owner.ask(GetConnection(actor=caller.actor()))

    async def begin(self, request: CommandRequest, provider: CalendarProvider) -> Reply:
        """Where the caller's browser goes to consent. Their name will stand in the meetings of their calendar."""
        actor = await self._directory.actor(request.caller)
        query = StartAuthorization(
            actor=actor, provider=provider, request_id=request.command_id, firm=request.caller.firm
        )
        return await self._consents.ask(query)

    async def complete(
        self,
        provider: CalendarProvider,
        *,
        state: str | None,
        code: str | None,
        error: str | None,
        same_browser: bool,
    ) -> AuthorizationOutcome:
        """What became of a consent, now that the provider has sent the browser back."""
        if state is None:
            return AuthorizationOutcome(result=AuthorizationResult.EXPIRED)
        return await self._outcome(
            CompleteAuthorization(provider=provider, state=state, code=code, error=error, same_browser=same_browser)
        )

    async def confirm(self, provider: CalendarProvider, token: str, *, allowed: bool) -> AuthorizationOutcome:
        """What became of a consent, now that the user has said whether they meant it."""
        return await self._outcome(ConfirmAuthorization(provider=provider, token=token, allowed=allowed))

    async def _outcome(self, query: CompleteAuthorization | ConfirmAuthorization) -> AuthorizationOutcome:
        try:
            reply = await self._consents.ask(query)
        except QueryUnavailableError:
            return AuthorizationOutcome(result=AuthorizationResult.UNAVAILABLE)
        return AuthorizationOutcome.model_validate(reply.data)

    async def disconnect(self, request: CommandRequest) -> Reply | None:
        return await self._send(
            DisconnectCalendar(command_id=request.command_id, fingerprint="", actor=request.caller.actor())
        )

    async def sync(self, request: CommandRequest) -> Reply | None:
        """The outcome of the pull; None while it goes on."""
        return await self._send(
            SyncCalendar(command_id=request.command_id, fingerprint="", actor=request.caller.actor())
        )

    async def prefer(self, request: CommandRequest, action: FirstTimeModalPreference) -> Reply | None:
        return await self._send(
            SetModalPreference(
                command_id=request.command_id, fingerprint=action, actor=request.caller.actor(), action=action
            )
        )

    async def _send(self, command: CalendarCommand) -> Reply | None:
        return await self._commands.request(command, key=command.actor.user_id)
