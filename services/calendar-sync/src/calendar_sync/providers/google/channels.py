"""Push channels of Google Calendar. Source: https://developers.google.com/workspace/calendar/api/guides/push

They cannot be renewed or listed, and messages may come before the answer to the request that opens them. To stop one
takes its own id and that of what is watched (``resourceId``), which is the same for all channels on one calendar.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from calendar_sync.providers.errors import CallFailedError, unavailable_failure
from calendar_sync.providers.google.client import GoogleClient, Json
from calendar_sync.providers.ports import CalendarAccess, CreatedChannel


class GoogleChannels:
    """Channels on a calendar's events."""

    is_remote_id_of_calendar = True

    def __init__(self, client: GoogleClient, *, address: str) -> None:
        """``address``: the public URL that messages go to."""
        self._client = client
        self._address = address

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime
    ) -> CreatedChannel:
        body = {
            "id": channel_id,
            "token": secret,
            "type": "web_hook",
            "address": self._address,
            "expiration": str(int(expires_at.timestamp() * 1000)),
        }
        answer = await self._client.call("events.watch", access.token, calendarId=access.calendar_id, body=body)
        return _created_channel(answer, expires_at)

    async def renew(self, _access: CalendarAccess, _remote_id: str, _expires_at: datetime) -> CreatedChannel | None:
        return None

    async def stop(self, access: CalendarAccess, channel_id: str, remote_id: str) -> None:
        await self._client.call("channels.stop", access.token, body={"id": channel_id, "resourceId": remote_id})

    async def list_own(self, _access: CalendarAccess) -> Sequence[str]:
        return []


def _created_channel(answer: Json, asked: datetime) -> CreatedChannel:
    """Raises CallFailedError when the answer is not what Google documents. ``expiration``, in ms, may be missing."""
    try:
        remote_id, expiration = answer["resourceId"], answer.get("expiration")
        expires_at = asked if expiration is None else datetime.fromtimestamp(int(expiration) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise CallFailedError(unavailable_failure("unreadable answer")) from None
    return CreatedChannel(str(remote_id), expires_at)
