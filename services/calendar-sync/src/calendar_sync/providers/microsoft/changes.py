"""Reading changes out of Outlook calendars.

Sources: https://learn.microsoft.com/graph/delta-query-events, https://learn.microsoft.com/graph/delta-query-overview
and https://learn.microsoft.com/graph/api/resources/event

A round of changes is tied to the window that it began with; its links are opaque. It brings series as a master, which
is no event itself, with occurrences that say hardly more than when they are, and with exceptions that say all
(microsoftgraph/microsoft-graph-docs-contrib#34). What was removed may only have left the window.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from contracts.values.enums import CalendarProvider, RsvpStatus
from contracts.values.text import email_key
from contracts.values.times import parse_instant, utc_now

from calendar_sync.providers import parsing
from calendar_sync.providers.errors import CallFailedError, NotFoundError
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.external_event import (
    Attendee,
    ChangesPage,
    DeletedEvent,
    EventChange,
    ExternalEvent,
    Window,
)
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.ical_uids import ical_uid_from_global_object_id, occurrence_date
from calendar_sync.providers.microsoft.writer import DEPLOYMENT, MARKER, calendar_path, read_content, read_marker
from calendar_sync.providers.parsing import Json
from calendar_sync.providers.ports import CalendarAccess
from calendar_sync.providers.time_zones import iana_zone_name, zone_of_bias

_PAGE = "odata.maxpagesize=200"


_PRIVATE = frozenset({"private", "confidential"})


_NOT_BUSY = frozenset({"free", "workingElsewhere"})


_TENTATIVELY = "tentativelyAccepted"


_ANSWERS = {"accepted": RsvpStatus.ACCEPTED, "declined": RsvpStatus.DECLINED}


_OURS = re.compile(r"[0-9a-f]{32}")
"""What the transaction id of a copy of ours looks like."""


_OCCURRING = frozenset({"occurrence", "exception"})


_UTC = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "Etc/UCT", "GMT", "UCT"})


_NEW = timedelta(days=1)


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
        whole = [*masters.values(), *(item for item in items if not _is_bare(item) and not _is_removed(item))]
        own_zone = await self._mailbox_zone(access) if any(map(_lacks_zone, whole)) else None
        own = await self._own_addresses(access) if any(map(_is_invitation, whole)) else frozenset()
        mailbox = _Mailbox(own_zone, own)
        found = parsing.read_items(CalendarProvider.OUTLOOK, answer, lambda item: _read(item, masters, marks, mailbox))
        found.series.extend(str(item.get("id")) for item in items if _is_master(item) or _is_removed(item))
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
        """What bare items leave out, by ``_master_id``: most masters come beside them, the others are fetched."""
        masters = {str(item.get("id")): item for item in items if _is_master(item)}
        wanted = {_master_id(item) for item in items if _is_bare(item)} - masters.keys() - {""}
        for master_id in sorted(wanted):
            if (master := await self._look(access, master_id)) is not None:
                masters[master_id] = master
        return masters

    async def _marks(self, access: CalendarAccess, items: Sequence[Json]) -> dict[str, str]:
        """The meetings whose new copies the items are, by event id.

        Changes come without extended properties, and each look at these is a request. So only those events are looked
        at that were made lately, with a transaction id like ours; later the link of a copy knows its event.
        """
        likely = [item["id"] for item in items if _may_be_ours(item)]
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


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """Its IANA zone, if it is known, and its addresses, where they were asked for."""

    zone: str | None
    addresses: frozenset[str]


def _read(item: Json, masters: dict[str, Json], marks: dict[str, str], mailbox: _Mailbox) -> EventChange | None:
    """What an item is; None for the master of a series."""
    if _is_removed(item):
        return DeletedEvent(item["id"])
    if _is_master(item):
        return None
    event = _whole(item, masters)
    if event.get("isCancelled"):
        return DeletedEvent(event["id"])
    content = read_content(event)
    zone = (mailbox.zone if _lacks_zone(event) else None) or _zone(event)
    organizer = parsing.dict_at(parsing.dict_at(event, "organizer"), "emailAddress")
    by_owner = bool(event.get("isOrganizer")) or not organizer
    uid = parsing.ical_uid(event.get("iCalUId"))
    return ExternalEvent(
        event_id=event["id"],
        etag=str(event.get("@odata.etag") or ""),
        ical_uid=None if uid is None else ical_uid_from_global_object_id(uid),
        original_start=_original_start(event, content, zone),
        series_id=str(event.get("seriesMasterId") or ""),
        content=parsing.in_zone(content, zone),
        meeting_link=parsing.first_web_link(
            parsing.dict_at(event, "onlineMeeting").get("joinUrl"), event.get("onlineMeetingUrl")
        ),
        private=event.get("sensitivity") in _PRIVATE,
        opaque=event.get("showAs") not in _NOT_BUSY,
        imported=parsing.has_duration(content),
        organizer_email=parsing.email_or_none(organizer.get("address")),
        organizer_name=parsing.person_name(organizer.get("name")),
        organized_by_owner=by_owner,
        answer=RsvpStatus.UNKNOWN if by_owner else _answer(event.get("responseStatus")),
        answered=not by_owner and parsing.dict_at(event, "responseStatus").get("response") in (*_ANSWERS, _TENTATIVELY),
        attendees=tuple(_attendees(event, parsing.email_or_none(organizer.get("address")) or "", mailbox.addresses)),
        guests_hidden=event.get("hideAttendees") is True,
        marked_meeting=marks.get(event["id"]),
    )


def _is_invitation(event: Json) -> bool:
    """Whether somebody else has invited the owner."""
    return not event.get("isOrganizer") and bool(event.get("attendees"))


def _is_removed(item: Json) -> bool:
    """What it was is not said: an event, an occurrence, or a whole series."""
    return "@removed" in item


def _is_master(item: Json) -> bool:
    return item.get("type") == "seriesMaster" and not _is_removed(item)


def _is_bare(item: Json) -> bool:
    """Whether it is an occurrence that says no more than when it is, and perhaps whose."""
    occurs = bool(item.get("seriesMasterId")) or item.get("type") in _OCCURRING
    return occurs and "subject" not in item and not _is_removed(item)


def _master_id(item: Json) -> str:
    """Where the rest of a bare item is: in its master, or, where it does not name one, in the occurrence itself."""
    found = item.get("seriesMasterId") or item.get("id")
    return found if isinstance(found, str) else ""


def _may_be_ours(item: Json) -> bool:
    """Whether it was made lately with a transaction id like those of our copies."""
    transaction, event_id, made = item.get("transactionId"), item.get("id"), item.get("createdDateTime")
    if not isinstance(transaction, str) or not isinstance(event_id, str) or not _OURS.fullmatch(transaction):
        return False
    try:
        return utc_now() - parse_instant(made) < _NEW
    except ValueError:
        return True


def _whole(item: Json, masters: dict[str, Json]) -> Json:
    """The event that an item is, with what a bare occurrence leaves out. Raises KeyError when that is not known."""
    return masters[_master_id(item)] | item if _is_bare(item) else item


def _zone(event: Json) -> str | None:
    """The IANA zone in which the event was made."""
    return iana_zone_name(event.get("originalStartTimeZone"))


def _lacks_zone(event: Json) -> bool:
    """Whether the event does not say where it is: then it is where its mailbox is.

    A whole day that an API client made is often labelled UTC, and yet means a day of the mailbox's owner.
    """
    zone = _zone(event)
    return zone is None or (bool(event.get("isAllDay")) and zone in _UTC)


def _original_start(event: Json, content: EventContent, zone: str | None) -> str:
    """Which occurrence it is. An exception says when it was to begin; any other begins as it was to.

    Who was invited to one occurrence alone has no series: only the UID says so, with the day.
    """
    if not event.get("seriesMasterId"):
        return _day_of_lone_occurrence(event, content, zone)
    original = event.get("originalStart")
    begins = content.when.starts_at if original is None else parse_instant(original)
    if not content.when.all_day:
        return parsing.recurrence_id(begins)
    # The instant is midnight where the event was made; an all-day time as such stands for its day in UTC.
    return (begins if original is None or zone is None else begins.astimezone(ZoneInfo(zone))).date().isoformat()


def _day_of_lone_occurrence(event: Json, content: EventContent, zone: str | None) -> str:
    """Empty for a single event. The same as for the organizer's occurrence, unless its time of day was changed."""
    day = occurrence_date(str(event.get("iCalUId") or ""))
    if day is None:
        return ""
    begins = content.when.starts_at
    is_unmoved = not content.when.all_day and begins.astimezone(ZoneInfo(zone or "UTC")).date() == day
    return parsing.recurrence_id(begins) if is_unmoved else day.isoformat()


def _attendees(event: Json, organizer: str, own: frozenset[str]) -> list[Attendee]:
    listed = list(parsing.dicts_in(event.get("attendees")))[: parsing.MAX_ATTENDEES]
    found = [
        (attendee, parsing.dict_at(attendee, "emailAddress"))
        for attendee in listed
        if attendee.get("type") != "resource"
    ]
    return [
        Attendee(
            email=email,
            name=parsing.person_name(who.get("name")),
            answer=_answer(attendee.get("status")),
            is_owner=email_key(email) in own,
            is_organizer=email.casefold() == organizer.casefold(),
        )
        for attendee, who in found
        if (email := parsing.email_or_none(who.get("address"))) is not None
    ]


def _answer(status: object) -> RsvpStatus:
    return parsing.rsvp_status(_ANSWERS, status.get("response")) if isinstance(status, dict) else RsvpStatus.UNKNOWN
