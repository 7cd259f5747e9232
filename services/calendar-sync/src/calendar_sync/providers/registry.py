"""All calendar providers: one entry each. Nothing else in this service lists them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from contracts.values.enums import CalendarProvider

from calendar_sync.providers.entry import CalendarApi, ProviderEntry
from calendar_sync.providers.google.entry import GOOGLE
from calendar_sync.providers.microsoft.entry import MICROSOFT
from calendar_sync.providers.oauth import OAuthClients
from calendar_sync.settings import Settings

Providers = Mapping[CalendarProvider, ProviderEntry]


CalendarApis = Mapping[CalendarProvider, CalendarApi]


PROVIDERS: Providers = {CalendarProvider.GOOGLE: GOOGLE, CalendarProvider.OUTLOOK: MICROSOFT}


RATE_LIMITS = {provider: entry.rate_limit for provider, entry in PROVIDERS.items()}


async def oauth_clients(settings: Settings, started: AsyncExitStack, providers: Providers = PROVIDERS) -> OAuthClients:
    """The providers' logins; ``started`` closes them."""
    return {provider: await entry.open_oauth(settings, started) for provider, entry in providers.items()}


async def calendar_apis(settings: Settings, started: AsyncExitStack, providers: Providers = PROVIDERS) -> CalendarApis:
    """The providers' calendar APIs; ``started`` closes them."""
    return {provider: await entry.open_calendar(settings, started) for provider, entry in providers.items()}
