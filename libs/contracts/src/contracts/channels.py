"""Push channels: which notifications of Google and Microsoft are to be believed, and what they hint at.

A notification is only a hint that a calendar changed; neither provider says in it what changed.
"""

import hashlib
import hmac

from pydantic import Field

from contracts.enums import CalendarProvider, HintKind
from contracts.model import Contract
from contracts.registry import message
from contracts.times import Instant
from contracts.topics import CALENDAR_CHANNELS, CALENDAR_NOTIFICATIONS


@message("calendar.channel.opened.v1", CALENDAR_CHANNELS)
class ChannelOpened(Contract):
    """Notifications of this channel, or Graph subscription, are to be believed when they carry its secret.

    It is published, and acknowledged, before the provider is asked to watch: the first notification may be faster than
    the provider's answer.
    """

    channel_id: str = Field(description="Google's channel id, or the key that stands in a subscription's clientState")
    provider: CalendarProvider
    connection_id: str
    secret_hash: str = Field(description="SHA-256 of the secret as hex digits; the secret itself never travels")
    expires_at: Instant

    def admits(self, secret: str) -> bool:
        """Whether this is the channel's secret, compared in constant time."""
        return hmac.compare_digest(secret_hash(secret), self.secret_hash)


@message("calendar.channel.closed.v1", CALENDAR_CHANNELS)
class ChannelClosed(Contract):
    """Notifications of this channel are not to be believed any more."""

    channel_id: str


@message("calendar.notification.received.v1", CALENDAR_NOTIFICATIONS)
class CalendarHinted(Contract):
    """A provider hinted, believably, that something about a connected calendar is new."""

    channel_id: str
    connection_id: str
    provider: CalendarProvider
    kind: HintKind = HintKind.CHANGED


def secret_hash(secret: str) -> str:
    """What of a channel's secret may travel."""
    return hashlib.sha256(secret.encode()).hexdigest()
