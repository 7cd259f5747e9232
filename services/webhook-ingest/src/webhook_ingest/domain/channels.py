"""The open channels, and which notifications they make believable. Pure; the table is replayed from the bus."""

from datetime import datetime

from contracts.messages.calendar_channels import ChannelActivated, ChannelDeactivated
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.model import Contract
from contracts.values.enums import CalendarProvider, NotificationKind


class Channels:
    """Every channel that was opened and not closed, by its id."""

    def __init__(self) -> None:
        self._open: dict[str, ChannelActivated] = {}

    def note(self, message: Contract) -> None:
        """Take note of a channel that was opened or closed."""
        match message:
            case ChannelActivated():
                self._open[message.channel_id] = message
            case ChannelDeactivated():
                self._open.pop(message.channel_id, None)

    def hint(
        self, channel_id: str, secret: str, provider: CalendarProvider, kind: NotificationKind, now: datetime
    ) -> CalendarNotificationReceived | None:
        """What a notification hints at; None when its channel is unknown here or over, or its secret is wrong."""
        channel = self._open.get(channel_id)
        if channel is None or channel.provider is not provider or not channel.admits(secret):
            return None
        if channel.expires_at <= now:
            return None
        return CalendarNotificationReceived(
            channel_id=channel_id, connection_id=channel.connection_id, provider=provider, kind=kind
        )
