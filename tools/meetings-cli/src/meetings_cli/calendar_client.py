"""Calls to calendar-sync's internal API, the only place that operators may write to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from chassis.http.internal_queries import QueryClient, open_query_client
from contracts.api.calendar import CalendarSyncResult, ReencryptedPage, ReencryptSecrets, ResyncCalendar
from contracts.api.queries import InternalQuery
from contracts.model import Contract
from contracts.transport.topics import CALENDAR_SYNC

from meetings_cli.problem import Problem, service_errors
from meetings_cli.settings import Settings

Answer = TypeVar("Answer", bound=Contract)
_TIMEOUT = 120.0
"""Seconds; reading a calendar may take long."""
_PAGE = 100


class CalendarClient:
    """Asks one replica of calendar-sync; any will do. Every method raises a Problem when that does not do it."""

    def __init__(self, client: QueryClient, url: str) -> None:
        self._client = client
        self._url = url

    async def resync(self, tenant_uuid: str, user_id: str) -> CalendarSyncResult:
        """Have all of a user's calendar read anew; what that came to, or that it goes on."""
        return await self._ask(ResyncCalendar(tenant_uuid=tenant_uuid, user_id=user_id), CalendarSyncResult)

    async def reseal(self) -> AsyncIterator[ReencryptedPage]:
        """Have every secret sealed with the first key, a page at a time."""
        after: str | None = ""
        while after is not None:
            page = await self._ask(ReencryptSecrets(after=after, limit=_PAGE), ReencryptedPage)
            yield page
            after = page.last

    async def _ask(self, question: InternalQuery, answer: type[Answer]) -> Answer:
        with service_errors(CALENDAR_SYNC, self._url):
            reply = await self._client.ask(question)
            if reply.error is not None:
                raise Problem(f"{CALENDAR_SYNC} refuses: {reply.error.message} ({reply.error.code})")
            return answer.model_validate(reply.data)


@asynccontextmanager
async def open_calendar_client(settings: Settings) -> AsyncIterator[CalendarClient]:
    """calendar-sync, where the settings say it is."""
    url = settings.calendar_sync_url
    async with open_query_client(settings, url, read_timeout=_TIMEOUT) as client:
        yield CalendarClient(client, url)
