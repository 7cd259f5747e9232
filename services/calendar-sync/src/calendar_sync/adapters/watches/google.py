"""Push channels of Google Calendar. Source: https://developers.google.com/workspace/calendar/api/guides/push

They cannot be renewed or listed, and messages may come before the answer to the request that opens them. To stop one
takes its own id and that of what is watched (``resourceId``), which is the same for all channels on one calendar.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from calendar_sync.adapters.clients.google import GoogleClient, Json
from calendar_sync.application.watching import Opened
from calendar_sync.application.writing import Access
from calendar_sync.domain.failures import CallFailedError, unavailable


class GoogleBell:
    """Channels on a calendar's events."""

    names_calendar = True

    def __init__(self, client: GoogleClient, *, address: str) -> None:
        """``address``: the public URL that messages go to."""
        self._client = client
        self._address = address

    async def open(self, access: Access, channel_id: str, secret: str, expires_at: datetime) -> Opened:
        body = {
            "id": channel_id,
            "token": secret,
            "type": "web_hook",
            "address": self._address,
            "expiration": str(int(expires_at.timestamp() * 1000)),
        }
        answer = await self._client.call("events.watch", access.token, calendarId=access.calendar_id, body=body)
        return _opened(answer, expires_at)

    async def renew(self, _access: Access, _remote_id: str, _expires_at: datetime) -> Opened | None:
        return None

    async def close(self, access: Access, channel_id: str, remote_id: str) -> None:
        await self._client.call("channels.stop", access.token, body={"id": channel_id, "resourceId": remote_id})

    async def ours(self, _access: Access) -> Sequence[str]:
        return []


def _opened(answer: Json, asked: datetime) -> Opened:
    """Raises CallFailedError when the answer is not what Google documents. ``expiration``, in ms, may be missing."""
    try:
        remote_id, expiration = answer["resourceId"], answer.get("expiration")
        expires_at = asked if expiration is None else datetime.fromtimestamp(int(expiration) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise CallFailedError(unavailable("unreadable answer")) from None
    return Opened(str(remote_id), expires_at)
