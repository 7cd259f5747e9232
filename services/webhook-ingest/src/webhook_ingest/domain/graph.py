"""Microsoft Graph's notifications, as they are posted.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks and
https://learn.microsoft.com/graph/change-notifications-lifecycle-events
"""

from typing import Any

from contracts.model import Contract
from contracts.values.enums import NotificationKind
from pydantic import Field

_LIFECYCLE = {
    "reauthorizationRequired": NotificationKind.RENEW,
    "subscriptionRemoved": NotificationKind.REMOVED,
    "missed": NotificationKind.MISSED,
}


class GraphNotification(Contract):
    """One item: a change or a lifecycle event of a subscription. ``clientState``: our channel id, a dot, its secret."""

    client_state: str = ""
    lifecycle_event: str | None = None

    @property
    def channel_id(self) -> str:
        return self.client_state.partition(".")[0]

    @property
    def secret(self) -> str:
        return self.client_state.partition(".")[2]

    @property
    def kind(self) -> NotificationKind:
        """A lifecycle event that is not known yet is worth a pull, like a change."""
        return _LIFECYCLE.get(self.lifecycle_event or "", NotificationKind.CHANGED)


class GraphNotifications(Contract):
    """A post: items of several subscriptions may come together. What is no item is kept apart, not refused."""

    value: list[Any] = Field(default_factory=list)
