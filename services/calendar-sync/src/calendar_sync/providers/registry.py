"""One entry for each calendar provider: client, OAuth, writer, changes, channels."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from contracts.api.webhooks import WEBHOOKS_PATH
from contracts.values.enums import CalendarProvider

from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.channels import GoogleChannels
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.google.oauth import GoogleOAuth
from calendar_sync.providers.google.writer import GoogleCalendarWriter
from calendar_sync.providers.http import ONE_USE
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.channels import MicrosoftSubscriptions
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.oauth import MicrosoftOAuth
from calendar_sync.providers.microsoft.writer import MicrosoftCalendarWriter
from calendar_sync.providers.oauth import OAuthClients
from calendar_sync.providers.ports import CalendarWriter, EventChangesSource, NotificationChannels
from calendar_sync.settings import Settings

_CALLBACK = "/api/v1/calendar/callback"


@dataclass(frozen=True, slots=True)
class Clients:
    """How the providers' calendar APIs are called, for whatever purpose."""

    google: GoogleClient
    graph: GraphClient


async def calendar_clients(settings: Settings, started: AsyncExitStack) -> Clients:
    """The clients of the calendar APIs; ``started`` closes them."""
    at_once = settings.outbound_concurrency + settings.inbound_concurrency
    google = GoogleClient(api_url=settings.google_api_url, timeout=settings.calendar_timeout, threads=at_once)
    started.callback(google.close)
    limits = httpx.Limits(max_connections=at_once)
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.calendar_timeout, limits=limits))
    return Clients(google, GraphClient(http, graph_url=settings.microsoft_graph_url))


def calendars(clients: Clients) -> dict[CalendarProvider, CalendarWriter]:
    """The calendars that are written."""
    return {
        CalendarProvider.GOOGLE: GoogleCalendarWriter(clients.google),
        CalendarProvider.OUTLOOK: MicrosoftCalendarWriter(clients.graph),
    }


def changes(settings: Settings, clients: Clients) -> dict[CalendarProvider, EventChangesSource]:
    """The calendars that are read."""
    return {
        CalendarProvider.GOOGLE: GoogleChanges(clients.google, deployment=settings.deployment),
        CalendarProvider.OUTLOOK: MicrosoftChanges(clients.graph, deployment=settings.deployment),
    }


def notification_channels(settings: Settings, clients: Clients) -> dict[CalendarProvider, NotificationChannels]:
    """How the providers tell of changes."""
    return {
        CalendarProvider.GOOGLE: GoogleChannels(
            clients.google, address=f"{settings.webhook_base_url}{WEBHOOKS_PATH}/google"
        ),
        CalendarProvider.OUTLOOK: MicrosoftSubscriptions(
            clients.graph, address=f"{settings.webhook_base_url}{WEBHOOKS_PATH}/outlook"
        ),
    }


async def oauth_clients(settings: Settings, started: AsyncExitStack) -> OAuthClients:
    """The providers' logins; ``started`` closes them."""
    http = await started.enter_async_context(httpx.AsyncClient(timeout=settings.oauth_timeout, limits=ONE_USE))
    google = GoogleOAuth(
        http,
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{_CALLBACK}/google",
        accounts_url=settings.google_accounts_url,
        oauth_url=settings.google_oauth_url,
        api_url=settings.google_api_url,
        timeout=settings.oauth_timeout,
    )
    started.callback(google.close)
    microsoft = MicrosoftOAuth(
        http,
        client_id=settings.microsoft_client_id,
        client_secret=settings.microsoft_client_secret,
        redirect_uri=f"{settings.oauth_redirect_base_url}{_CALLBACK}/outlook",
        login_url=settings.microsoft_login_url,
        graph_url=settings.microsoft_graph_url,
        authority=settings.microsoft_authority,
        timeout=settings.oauth_timeout,
    )
    started.callback(microsoft.close)
    return {CalendarProvider.GOOGLE: google, CalendarProvider.OUTLOOK: microsoft}
