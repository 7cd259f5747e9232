"""The active notification channels, by which notifications are authenticated. Pure; replayed from Kafka at start."""

from datetime import datetime

from contracts.messages.calendar_channels import ChannelActivated, ChannelDeactivated
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.model import Contract
from contracts.values.enums import CalendarProvider, NotificationKind


class ChannelRegistry:
    """Every active channel, by its id."""

    def __init__(self) -> None:
        self._active: dict[str, ChannelActivated] = {}

    def apply(self, event: Contract) -> None:
        """Apply the activation or deactivation of a channel."""
        match event:
            case ChannelActivated():
                self._active[event.channel_id] = event
            case ChannelDeactivated():
                self._active.pop(event.channel_id, None)

    def authenticate(
        self, channel_id: str, secret: str, provider: CalendarProvider, kind: NotificationKind, now: datetime
    ) -> CalendarNotificationReceived | None:
        """The notification to publish; None when the channel is unknown or expired, or the secret is wrong."""
        channel = self._active.get(channel_id)
        if channel is None or channel.provider is not provider or not channel.verify_secret(secret):
            return None
        if channel.expires_at <= now:
            return None
        return CalendarNotificationReceived(
            channel_id=channel_id, connection_id=channel.connection_id, provider=provider, kind=kind
        )
