"""Subscriptions of Microsoft Graph to the events of a mailbox.

Source: https://learn.microsoft.com/graph/api/resources/subscription

There can be one like ours for each mailbox. While one is being made, Graph calls both of its addresses.
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from contracts.values.times import format_instant, parse_instant

from calendar_sync.providers.errors import CallFailedError, unavailable_failure
from calendar_sync.providers.microsoft.client import GraphClient, Json
from calendar_sync.providers.ports import CalendarAccess, CreatedChannel

_MOST_PAGES = 20


class MicrosoftSubscriptions:
    """Subscriptions to all calendars of a mailbox: Graph documents none to a single one."""

    is_remote_id_of_calendar = False

    def __init__(self, client: GraphClient, *, address: str) -> None:
        """``address``: the public URL that notifications and lifecycle notifications go to."""
        self._client = client
        self._address = address

    async def create(
        self, access: CalendarAccess, channel_id: str, secret: str, expires_at: datetime
    ) -> CreatedChannel:
        body = {
            "changeType": "created,updated,deleted",
            "resource": "me/events",
            "notificationUrl": self._address,
            "lifecycleNotificationUrl": self._address,
            "clientState": f"{channel_id}.{secret}",
            "expirationDateTime": format_instant(expires_at),
            "latestSupportedTlsVersion": "v1_2",
        }
        return _created_channel(await self._client.call("POST", "/subscriptions", access.token, json=body))

    async def renew(self, access: CalendarAccess, remote_id: str, expires_at: datetime) -> CreatedChannel | None:
        body = {"expirationDateTime": format_instant(expires_at)}
        return _created_channel(await self._client.call("PATCH", _path(remote_id), access.token, json=body))

    async def stop(self, access: CalendarAccess, _channel_id: str, remote_id: str) -> None:
        await self._client.call("DELETE", _path(remote_id), access.token)

    async def list_own(self, access: CalendarAccess) -> Sequence[str]:
        found: list[str] = []
        answer = await self._client.call("GET", "/subscriptions", access.token)
        for _ in range(_MOST_PAGES):
            listed = answer.get("value")
            found += (
                [str(subscription["id"]) for subscription in listed if self._is_ours(subscription)]
                if isinstance(listed, list)
                else []
            )
            link = answer.get("@odata.nextLink")
            if not link:
                break
            answer = await self._client.follow(str(link), access.token)
        return found

    def _is_ours(self, subscription: object) -> bool:
        return (
            isinstance(subscription, dict)
            and subscription.get("notificationUrl") == self._address
            and bool(subscription.get("id"))
        )


def _path(remote_id: str) -> str:
    return f"/subscriptions/{quote(remote_id, safe='')}"


def _created_channel(answer: Json) -> CreatedChannel:
    """Raises CallFailedError when the answer is not what Graph documents."""
    try:
        return CreatedChannel(str(answer["id"]), parse_instant(answer["expirationDateTime"]))
    except (KeyError, TypeError, ValueError):
        raise CallFailedError(unavailable_failure("unreadable answer")) from None
