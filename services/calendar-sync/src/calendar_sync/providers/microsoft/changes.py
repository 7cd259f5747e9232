"""Reading changes out of Outlook calendars.

Sources: https://learn.microsoft.com/graph/delta-query-events, https://learn.microsoft.com/graph/delta-query-overview
and https://learn.microsoft.com/graph/api/resources/event

A round of changes is tied to the window that it began with; its links are opaque. It brings series as a master, which
is no event itself, with occurrences that say hardly more than when they are, and with exceptions that say all
(microsoftgraph/microsoft-graph-docs-contrib#34). What was removed may only have left the window.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from contracts.values.enums import CalendarProvider
from contracts.values.text import email_key

from calendar_sync.providers import parsing
from calendar_sync.providers.errors import CallFailedError, NotFoundError
from calendar_sync.providers.external_event import ChangesPage, Window
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.items import (
    Mailbox,
    id_of_master,
    is_bare,
    is_invitation,
    is_master,
    is_removed,
    lacks_zone,
    may_be_ours,
    read_item,
)
from calendar_sync.providers.microsoft.writer import DEPLOYMENT, MARKER, calendar_path, read_marker
from calendar_sync.providers.parsing import Json
from calendar_sync.providers.ports import CalendarAccess
from calendar_sync.providers.time_zones import iana_zone_name, zone_of_bias

_PAGE = "odata.maxpagesize=200"


_FEW = 4


_ADDRESSES = {"$select": "mail,userPrincipalName,proxyAddresses"}


_SMTP = "smtp:"


_MARKS = {"$select": "id", "$expand": MARKER}


class MicrosoftChanges:
    """What is new in Outlook calendars; a series comes as its occurrences."""

    def __init__(self, client: GraphClient, *, deployment: str) -> None:
        """``deployment``: whose markers are to be believed."""
        self._client = client
        self._deployment = deployment

    async def fetch_page(
        self, access: CalendarAccess, *, sync_token: str | None, page: str | None, window: Window
    ) -> ChangesPage:
        with parsing.full_sync_on_expired_token(sync_token, page):
            answer = await self._answer(access, page or sync_token, window)
        items = [item for item in parsing.items_of(answer) if isinstance(item, dict)]
        masters = await self._masters(access, items)
        marks = await self._marks(access, items)
        whole = [*masters.values(), *(item for item in items if not is_bare(item) and not is_removed(item))]
        own_zone = await self._mailbox_zone(access) if any(map(lacks_zone, whole)) else None
        own = await self._own_addresses(access) if any(map(is_invitation, whole)) else frozenset()
        mailbox = Mailbox(own_zone, own)
        found = parsing.read_items(
            CalendarProvider.OUTLOOK, answer, lambda item: read_item(item, masters, marks, mailbox)
        )
        found.series.extend(str(item.get("id")) for item in items if is_master(item) or is_removed(item))
        return parsing.with_continuation(found, answer.get("@odata.nextLink"), answer.get("@odata.deltaLink"))

    async def exists(self, access: CalendarAccess, event_id: str) -> bool:
        try:
            path = f"/me/events/{quote(event_id, safe='=')}"
            await self._client.call("GET", path, access.token, params={"$select": "id"})
        except NotFoundError:
            return False
        return True

    async def _answer(self, access: CalendarAccess, link: str | None, window: Window) -> Json:
        if link is not None:
            return await self._client.follow(link, access.token, prefer=_PAGE)
        within = {"startDateTime": window.begins.isoformat(), "endDateTime": window.ends.isoformat()}
        path = f"/me{calendar_path(access)}/calendarView/delta"
        return await self._client.call("GET", path, access.token, prefer=_PAGE, params=within)

    async def _masters(self, access: CalendarAccess, items: Sequence[Json]) -> dict[str, Json]:
        """What bare items leave out, by ``id_of_master``: most masters come beside them, the others are fetched."""
        masters = {str(item.get("id")): item for item in items if is_master(item)}
        wanted = {id_of_master(item) for item in items if is_bare(item)} - masters.keys() - {""}
        for master_id in sorted(wanted):
            if (master := await self._look(access, master_id)) is not None:
                masters[master_id] = master
        return masters

    async def _marks(self, access: CalendarAccess, items: Sequence[Json]) -> dict[str, str]:
        """The meetings whose new copies the items are, by event id.

        Changes come without extended properties, and each look at these is a request. So only those events are looked
        at that were made lately, with a transaction id like ours; later the link of a copy knows its event.
        """
        likely = [item["id"] for item in items if may_be_ours(item)]
        if len(likely) > _FEW:
            return await self._all_marks(access)
        marks: dict[str, str] = {}
        for event_id in likely:
            if (event := await self._look(access, event_id, params=_MARKS)) is not None:
                marks |= self._mark(event)
        return marks

    async def _mailbox_zone(self, access: CalendarAccess) -> str | None:
        """The IANA zone of the mailbox; None when it has none that we know, or does not let us see it."""
        try:
            settings = await self._client.call("GET", "/me/mailboxSettings", access.token)
        except NotFoundError:
            return None
        except CallFailedError as error:
            if error.failure.retryable:
                raise
            return None
        custom = parsing.dict_at(parsing.dict_at(settings, "workingHours"), "timeZone")
        return iana_zone_name(settings.get("timeZone")) or zone_of_bias(custom.get("bias"))

    async def _own_addresses(self, access: CalendarAccess) -> frozenset[str]:
        """What the owner may be invited as, by ``email_key``: their mailbox may have further addresses than its own."""
        try:
            person = await self._client.call("GET", "/me", access.token, params=_ADDRESSES)
        except NotFoundError:
            return frozenset()
        except CallFailedError as error:
            if error.failure.retryable:
                raise
            return frozenset()
        listed = person.get("proxyAddresses")
        proxies = [str(proxy) for proxy in listed] if isinstance(listed, list) else []
        further = [proxy[len(_SMTP) :] for proxy in proxies if proxy.casefold().startswith(_SMTP)]
        found = map(parsing.email_or_none, (person.get("mail"), person.get("userPrincipalName"), *further))
        return frozenset(email_key(email) for email in found if email is not None)

    async def _look(self, access: CalendarAccess, event_id: str, **options: Any) -> Json | None:
        """The event; None when it is not there any more, or is refused: that must not end the round."""
        try:
            return await self._client.call("GET", f"/me/events/{quote(event_id, safe='=')}", access.token, **options)
        except NotFoundError:
            return None
        except CallFailedError as error:
            if error.failure.retryable:
                raise
            return None

    async def _all_marks(self, access: CalendarAccess) -> dict[str, str]:
        ours = f"singleValueExtendedProperties/Any(ep: ep/id eq '{DEPLOYMENT}' and ep/value eq '{self._deployment}')"
        options = _MARKS | {"$filter": ours, "$top": "500"}
        answer = await self._client.call("GET", "/me/events", access.token, params=options)
        marks: dict[str, str] = {}
        while True:
            for event in parsing.dicts_in(answer.get("value")):
                marks |= self._mark(event)
            link = answer.get("@odata.nextLink")
            if not link:
                return marks
            answer = await self._client.follow(link, access.token)

    def _mark(self, event: Json) -> dict[str, str]:
        meeting_uuid, deployment = read_marker(event)
        return {event["id"]: meeting_uuid} if meeting_uuid and deployment == self._deployment else {}
