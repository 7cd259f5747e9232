"""The open channels, and which notifications they make believable. Pure; the table is replayed from the bus."""

from datetime import datetime

from contracts.channels import CalendarHinted, ChannelClosed, ChannelOpened
from contracts.enums import CalendarProvider, HintKind
from contracts.model import Contract


class Channels:
    """Every channel that was opened and not closed, by its id."""

    def __init__(self) -> None:
        self._open: dict[str, ChannelOpened] = {}

    def note(self, message: Contract) -> None:
        """Take note of a channel that was opened or closed."""
        match message:
            case ChannelOpened():
                self._open[message.channel_id] = message
            case ChannelClosed():
                self._open.pop(message.channel_id, None)

    def hint(
        self, channel_id: str, secret: str, provider: CalendarProvider, kind: HintKind, now: datetime
    ) -> CalendarHinted | None:
        """What a notification hints at; None when its channel is unknown here or over, or its secret is wrong."""
        channel = self._open.get(channel_id)
        if channel is None or channel.provider is not provider or not channel.admits(secret):
            return None
        if channel.expires_at <= now:
            return None
        return CalendarHinted(channel_id=channel_id, connection_id=channel.connection_id, provider=provider, kind=kind)
