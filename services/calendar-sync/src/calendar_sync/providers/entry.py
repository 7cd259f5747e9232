"""What calendar-sync needs of one calendar provider."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from calendar_sync.providers.oauth import OAuthClient
from calendar_sync.providers.ports import CalendarWriter, EventChangesSource, NotificationChannels
from calendar_sync.providers.rate_limit import RateLimit
from calendar_sync.settings import Settings

CALLBACK_PATH = "/api/v1/calendar/callback"


WEBHOOK_PATH = "/api/v1/webhooks"


@dataclass(frozen=True, slots=True)
class CalendarApi:
    """A provider's calendar API, by what it is used for."""

    writer: CalendarWriter
    changes: EventChangesSource
    channels: NotificationChannels


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """One provider. What its two functions open is closed by the stack that they are given."""

    job: str
    """The field of outbound jobs in mirrored meetings, which is also their name in metrics and logs."""
    rate_limit: RateLimit
    """What one account can bear."""
    open_oauth: Callable[[Settings, AsyncExitStack], Awaitable[OAuthClient]]
    open_calendar: Callable[[Settings, AsyncExitStack], Awaitable[CalendarApi]]
