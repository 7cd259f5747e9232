"""Microsoft's entry in the registry of providers."""

from contextlib import AsyncExitStack

import httpx

from calendar_sync.providers.entry import CALLBACK_PATH, WEBHOOK_PATH, CalendarApi, ProviderEntry
from calendar_sync.providers.http import ONE_USE
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.channels import MicrosoftSubscriptions
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.oauth import MicrosoftOAuth
from calendar_sync.providers.microsoft.writer import MicrosoftCalendarWriter
from calendar_sync.providers.rate_limit import RateLimit
from calendar_sync.settings import Settings


async def _open_oauth(settings: Settings, started: AsyncExitStack) -> MicrosoftOAuth:
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.oauth_timeout, limits=ONE_USE))
    oauth = MicrosoftOAuth(
        http,
        client_id=settings.microsoft_client_id,
        client_secret=settings.microsoft_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{CALLBACK_PATH}/outlook",
        login_url=settings.microsoft_login_url,
        graph_url=settings.microsoft_graph_url,
        authority=settings.microsoft_authority,
        timeout=settings.oauth_timeout,
    )
    started.callback(oauth.close)
    return oauth


async def _open_calendar(settings: Settings, started: AsyncExitStack) -> CalendarApi:
    limits = httpx.Limits(max_connections=settings.outbound_concurrency + settings.inbound_concurrency)
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.calendar_timeout, limits=limits))
    client = GraphClient(http, graph_url=settings.microsoft_graph_url)
    return CalendarApi(
        MicrosoftCalendarWriter(client),
        MicrosoftChanges(client, deployment=settings.deployment),
        MicrosoftSubscriptions(client, address=f"{settings.webhook_base_url}{WEBHOOK_PATH}/outlook"),
    )


MICROSOFT = ProviderEntry(
    job="outlook",
    rate_limit=RateLimit(burst=2_000, per_second=12, concurrency=4),  # at most 9,200 in any ten minutes, of 10,000
    open_oauth=_open_oauth,
    open_calendar=_open_calendar,
)
