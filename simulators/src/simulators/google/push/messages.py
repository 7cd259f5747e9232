"""The messages that a channel carries: headers only, no body."""

from email.utils import format_datetime
from typing import TYPE_CHECKING

from simulators.common.delivery import Notification
from simulators.google.state import Channel

if TYPE_CHECKING:
    from simulators.google.world import World

MAX_STEP = 40


def message(world: "World", channel: Channel, resource_state: str) -> Notification:
    """The next message of a channel: ``sync`` is number 1, later ones rise by any step (push guide)."""
    step = 1 if channel.messages == 0 else world.faults.random.randint(1, MAX_STEP)
    channel.messages += step
    headers = {
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Channel-Expiration": format_datetime(channel.expires_at, usegmt=True),
        "X-Goog-Message-Number": str(channel.messages),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-State": resource_state,
        "X-Goog-Resource-URI": channel.resource_uri,
        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
    }
    if channel.token is not None:
        headers["X-Goog-Channel-Token"] = channel.token
    return Notification(stream=channel.id, account=channel.account, url=channel.address, headers=headers)


def announce(world: "World", calendar_id: str) -> None:
    """Tell every live channel of a calendar that something changed; not what."""
    now = world.clock.now()
    for channel in world.state.channels.values():
        if channel.calendar_id == calendar_id and now < channel.expires_at:
            world.sender.post(message(world, channel, "exists"))
