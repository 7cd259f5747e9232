"""The connection of the caller's external calendar."""

from contracts.api.calendar import Authorization, CalendarSyncResult, ConnectionView
from contracts.values.enums import CalendarProvider

from meetings_client.transport import Transport

_CALENDAR = "/api/v1/calendar"


class CalendarClient:
    """Connect, read and disconnect the caller's calendar; it raises what ``MeetingsClient`` raises."""

    def __init__(self, transport: Transport) -> None:
        """``transport`` is that of the caller whose calendar it is."""
        self._transport = transport

    async def connection(self) -> ConnectionView:
        """How the connection is."""
        response = await self._transport.query("GET", f"{_CALENDAR}/connection")
        return ConnectionView.model_validate_json(response.content)

    async def connect(self, provider: CalendarProvider) -> Authorization:
        """Begin to connect: the caller's browser goes to the ``authorization_url`` to consent."""
        response = await self._transport.command("POST", f"{_CALENDAR}/connect/{provider.value.lower()}")
        return Authorization.model_validate_json(response.content)

    async def sync(self) -> CalendarSyncResult:
        """Read what changed in the calendar; ``IN_PROGRESS`` when that goes on longer than the request."""
        response = await self._transport.command("POST", f"{_CALENDAR}/sync")
        return CalendarSyncResult.model_validate_json(response.content)

    async def disconnect(self) -> ConnectionView:
        """Disconnect: nothing further is written or read, and access is given back."""
        response = await self._transport.command("POST", f"{_CALENDAR}/disconnect")
        return ConnectionView.model_validate_json(response.content)
