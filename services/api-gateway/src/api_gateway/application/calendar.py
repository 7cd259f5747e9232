"""What callers can do with their calendar connection.

Consent is begun and completed over HTTP, because it carries what must never lie on the bus: a state, a code. The rest
are commands.
"""

from chassis.kafka.requests import Requests
from chassis.queries import QueryClient, QueryUnavailableError
from contracts.calendar import (
    BeginConsent,
    CalendarCommand,
    CompleteConsent,
    ConsentOutcome,
    ConsentResult,
    DisconnectCalendar,
    GetConnection,
    PreferModal,
    SyncCalendar,
)
from contracts.enums import CalendarProvider, FirstTimeModalPreference
from contracts.replies import Reply

from api_gateway.application.meetings import Directory
from api_gateway.application.wishes import Wish
from api_gateway.domain.caller import Caller


class CalendarConnections:
    """Asks calendar-sync about connections and has them changed."""

    def __init__(self, requests: Requests, directory: Directory, owner: QueryClient, consents: QueryClient) -> None:
        """``owner`` is calendar-sync; ``consents`` is too, but waits as long as a provider may take."""
        self._requests = requests
        self._directory = directory
        self._owner = owner
        self._consents = consents

    async def connection(self, caller: Caller) -> Reply:
        return await self._owner.ask(GetConnection(actor=caller.actor()))

    async def begin(self, wish: Wish, provider: CalendarProvider) -> Reply:
        """Where the caller's browser goes to consent. Their name will stand in the meetings of their calendar."""
        actor = wish.caller.actor(await self._directory.name_of(wish.caller))
        return await self._consents.ask(BeginConsent(actor=actor, provider=provider, request_id=wish.command_id))

    async def complete(
        self, provider: CalendarProvider, *, state: str | None, code: str | None, error: str | None
    ) -> ConsentResult:
        """What became of a consent, now that the provider has sent the browser back."""
        if state is None:
            return ConsentResult.EXPIRED
        question = CompleteConsent(provider=provider, state=state, code=code, error=error)
        try:
            reply = await self._consents.ask(question)
        except QueryUnavailableError:
            return ConsentResult.UNAVAILABLE
        return ConsentOutcome.model_validate(reply.data).result

    async def disconnect(self, wish: Wish) -> Reply | None:
        return await self._send(
            DisconnectCalendar(command_id=wish.command_id, fingerprint="", actor=wish.caller.actor())
        )

    async def sync(self, wish: Wish) -> Reply | None:
        """The outcome of the pull; None while it goes on."""
        return await self._send(SyncCalendar(command_id=wish.command_id, fingerprint="", actor=wish.caller.actor()))

    async def prefer(self, wish: Wish, action: FirstTimeModalPreference) -> Reply | None:
        return await self._send(
            PreferModal(command_id=wish.command_id, fingerprint=action, actor=wish.caller.actor(), action=action)
        )

    async def _send(self, command: CalendarCommand) -> Reply | None:
        return await self._requests.request(command, key=command.actor.user_id)
