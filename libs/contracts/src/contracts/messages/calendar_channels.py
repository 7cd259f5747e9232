"""Push channels of Google and Microsoft whose notifications webhook-ingest accepts."""

import hashlib
import hmac

from pydantic import Field

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import CALENDAR_CHANNELS
from contracts.values.enums import CalendarProvider
from contracts.values.personal import Credential, PersonId
from contracts.values.times import Instant


@message("calendar.channel.activated.v1", CALENDAR_CHANNELS)
class ChannelActivated(Contract):
    """webhook-ingest accepts notifications of this channel, or Graph subscription, that carry its secret.

    It is published, and acknowledged, before the provider is asked to watch: the first notification may be faster than
    the provider's answer.
    """

    channel_id: str = Field(description="Google's channel id, or the key in a subscription's clientState")
    provider: CalendarProvider
    connection_id: PersonId
    secret_hash: Credential = Field(description="SHA-256 of the secret as hex digits; the secret itself never travels")
    expires_at: Instant

    def verify_secret(self, secret: str) -> bool:
        """Whether this is the channel's secret, compared in constant time."""
        return hmac.compare_digest(secret_hash(secret), self.secret_hash)


@message("calendar.channel.deactivated.v1", CALENDAR_CHANNELS)
class ChannelDeactivated(Contract):
    """webhook-ingest no longer accepts notifications of this channel."""

    channel_id: str


def secret_hash(secret: str) -> str:
    """What of a channel's secret may travel."""
    return hashlib.sha256(secret.encode()).hexdigest()
