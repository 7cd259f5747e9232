"""What the items of Graph's lists of changes say. Pure.

Source: https://learn.microsoft.com/graph/api/resources/event
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from contracts.values.enums import RsvpStatus
from contracts.values.text import email_key
from contracts.values.times import parse_instant, utc_now

from calendar_sync.providers import parsing
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.external_event import Attendee, DeletedEvent, EventChange, ExternalEvent
from calendar_sync.providers.microsoft.ical_uids import ical_uid_from_global_object_id, occurrence_date
from calendar_sync.providers.microsoft.writer import read_content
from calendar_sync.providers.parsing import Json
from calendar_sync.providers.time_zones import iana_zone_name

_PRIVATE = frozenset({"private", "confidential"})


_NOT_BUSY = frozenset({"free", "workingElsewhere"})


_TENTATIVELY = "tentativelyAccepted"


_ANSWERS = {"accepted": RsvpStatus.ACCEPTED, "declined": RsvpStatus.DECLINED}


_OURS = re.compile(r"[0-9a-f]{32}")
"""What the transaction id of a copy of ours looks like."""


_OCCURRING = frozenset({"occurrence", "exception"})


_UTC = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "Etc/UCT", "GMT", "UCT"})


_NEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Its IANA zone, if it is known, and its addresses, where they were asked for."""

    zone: str | None
    addresses: frozenset[str]


def read_item(item: Json, masters: dict[str, Json], marks: dict[str, str], mailbox: Mailbox) -> EventChange | None:
    """What an item is; None for the master of a series."""
    if is_removed(item):
        return DeletedEvent(item["id"])
    if is_master(item):
        return None
    event = _whole(item, masters)
    if event.get("isCancelled"):
        return DeletedEvent(event["id"])
    content = read_content(event)
    zone = (mailbox.zone if lacks_zone(event) else None) or _zone(event)
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


def is_invitation(event: Json) -> bool:
    """Whether somebody else has invited the owner."""
    return not event.get("isOrganizer") and bool(event.get("attendees"))


def is_removed(item: Json) -> bool:
    """What it was is not said: an event, an occurrence, or a whole series."""
    return "@removed" in item


def is_master(item: Json) -> bool:
    return item.get("type") == "seriesMaster" and not is_removed(item)


def is_bare(item: Json) -> bool:
    """Whether it is an occurrence that says no more than when it is, and perhaps whose."""
    occurs = bool(item.get("seriesMasterId")) or item.get("type") in _OCCURRING
    return occurs and "subject" not in item and not is_removed(item)


def id_of_master(item: Json) -> str:
    """Where the rest of a bare item is: in its master, or, where it does not name one, in the occurrence itself."""
    found = item.get("seriesMasterId") or item.get("id")
    return found if isinstance(found, str) else ""


def may_be_ours(item: Json) -> bool:
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
    return masters[id_of_master(item)] | item if is_bare(item) else item


def _zone(event: Json) -> str | None:
    """The IANA zone in which the event was made."""
    return iana_zone_name(event.get("originalStartTimeZone"))


def lacks_zone(event: Json) -> bool:
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
