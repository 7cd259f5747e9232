"""Google's entry in the registry of providers."""

from contextlib import AsyncExitStack

import httpx

from calendar_sync.providers.entry import CALLBACK_PATH, WEBHOOK_PATH, CalendarApi, ProviderEntry
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.channels import GoogleChannels
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.google.oauth import GoogleOAuth
from calendar_sync.providers.google.writer import GoogleCalendarWriter
from calendar_sync.providers.http import ONE_USE
from calendar_sync.providers.rate_limit import RateLimit
from calendar_sync.settings import Settings


async def _open_oauth(settings: Settings, started: AsyncExitStack) -> GoogleOAuth:
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.oauth_timeout, limits=ONE_USE))
    oauth = GoogleOAuth(
        http,
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{CALLBACK_PATH}/google",
        accounts_url=settings.google_accounts_url,
        oauth_url=settings.google_oauth_url,
        api_url=settings.google_api_url,
        timeout=settings.oauth_timeout,
    )
    started.callback(oauth.close)
    return oauth


async def _open_calendar(settings: Settings, started: AsyncExitStack) -> CalendarApi:
    concurrency = settings.outbound_concurrency + settings.inbound_concurrency
    client = GoogleClient(api_url=settings.google_api_url, timeout=settings.calendar_timeout, threads=concurrency)
    started.callback(client.close)
    return CalendarApi(
        GoogleCalendarWriter(client),
        GoogleChanges(client, deployment=settings.deployment),
        GoogleChannels(client, address=f"{settings.webhook_base_url}{WEBHOOK_PATH}/google"),
    )


GOOGLE = ProviderEntry(
    job="google",
    rate_limit=RateLimit(burst=200, per_second=6, concurrency=4),  # at most 560 in any minute; 600 are allowed
    open_oauth=_open_oauth,
    open_calendar=_open_calendar,
)
