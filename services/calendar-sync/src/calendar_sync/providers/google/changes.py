"""Reading changes out of Google calendars.

Sources: https://developers.google.com/workspace/calendar/api/v3/reference/events/list and
https://developers.google.com/workspace/calendar/api/guides/sync

Every list of a synchronisation must have the same parameters but the window, which belongs to a full round only: later
changes outside of it come all the same. Deleted events come by themselves with a cursor.
"""

from contracts.values.enums import CalendarProvider, RsvpStatus
from contracts.values.times import parse_instant

from calendar_sync.providers import parsing
from calendar_sync.providers.errors import NotFoundError
from calendar_sync.providers.external_event import (
    Attendee,
    ChangesPage,
    DeletedEvent,
    EventChange,
    ExternalEvent,
    Window,
)
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.google.writer import DEPLOYMENT, MEETING, read_content
from calendar_sync.providers.parsing import Json
from calendar_sync.providers.ports import CalendarAccess
from calendar_sync.providers.time_zones import iana_zone_name

_PAGE = 250


_UNWANTED = frozenset({"workingLocation", "birthday"})


_PRIVATE = frozenset({"private", "confidential"})


_TENTATIVELY = "tentative"


_ANSWERS = {"accepted": RsvpStatus.ACCEPTED, "declined": RsvpStatus.DECLINED}


class GoogleChanges:
    """What is new in Google calendars; a series comes as its instances."""

    def __init__(self, client: GoogleClient, *, deployment: str) -> None:
        """``deployment``: whose markers are to be believed."""
        self._client = client
        self._deployment = deployment

    async def fetch_page(
        self, access: CalendarAccess, *, sync_token: str | None, page: str | None, window: Window
    ) -> ChangesPage:
        where = {"timeMin": window.begins.isoformat(), "timeMax": window.ends.isoformat()}
        if sync_token is not None:
            where = {"syncToken": sync_token}
        if page is not None:
            where["pageToken"] = page
        with parsing.full_sync_on_expired_token(sync_token, page):
            answer = await self._client.call(
                "events.list",
                access.token,
                calendarId=access.calendar_id,
                singleEvents=True,
                maxResults=_PAGE,
                **where,
            )
        zone = iana_zone_name(answer.get("timeZone"))
        found = parsing.read_items(CalendarProvider.GOOGLE, answer, lambda event: self._read(event, zone))
        return parsing.with_continuation(found, answer.get("nextPageToken"), answer.get("nextSyncToken"))

    async def exists(self, access: CalendarAccess, event_id: str) -> bool:
        try:
            event = await self._client.call("events.get", access.token, calendarId=access.calendar_id, eventId=event_id)
        except NotFoundError:
            return True  # Google shows tombstones, so a 404 proves nothing
        return event.get("status") != "cancelled"

    def _read(self, event: Json, calendar_zone: str | None) -> EventChange:
        if event.get("status") == "cancelled":
            return DeletedEvent(event["id"])
        content = read_content(event)
        zone = iana_zone_name(parsing.dict_at(event, "start").get("timeZone")) or calendar_zone
        attendees = tuple(_attendees(event))
        organizer = parsing.dict_at(event, "organizer")
        by_owner = not organizer or bool(organizer.get("self"))
        own = _own_answer(event)
        return ExternalEvent(
            event_id=event["id"],
            etag=str(event.get("etag") or ""),
            ical_uid=parsing.ical_uid(event.get("iCalUID")),
            original_start=_original_start(event),
            series_id=str(event.get("recurringEventId") or ""),
            content=parsing.in_zone(content, zone),
            meeting_link=parsing.first_web_link(event.get("hangoutLink"), *_video(event)),
            private=event.get("visibility") in _PRIVATE,
            opaque=event.get("transparency") != "transparent",
            imported=parsing.has_duration(content) and event.get("eventType") not in _UNWANTED,
            organizer_email=parsing.email_or_none(organizer.get("email")),
            organizer_name=parsing.person_name(organizer.get("displayName")),
            organized_by_owner=by_owner,
            answer=RsvpStatus.UNKNOWN if by_owner else parsing.rsvp_status(_ANSWERS, own),
            answered=not by_owner and own in (*_ANSWERS, _TENTATIVELY),
            attendees=attendees,
            guests_hidden=event.get("guestsCanSeeOtherGuests") is False,
            marked_meeting=self._marked(event),
        )

    def _marked(self, event: Json) -> str | None:
        marks = parsing.dict_at(parsing.dict_at(event, "extendedProperties"), "private")
        return parsing.person_name(marks.get(MEETING)) if marks.get(DEPLOYMENT) == self._deployment else None


def _attendees(event: Json) -> list[Attendee]:
    listed = list(parsing.dicts_in(event.get("attendees")))[: parsing.MAX_ATTENDEES]
    return [
        Attendee(
            email=email,
            name=parsing.person_name(attendee.get("displayName")),
            answer=parsing.rsvp_status(_ANSWERS, attendee.get("responseStatus")),
            is_owner=bool(attendee.get("self")),
            is_organizer=bool(attendee.get("organizer")),
        )
        for attendee in listed
        if not attendee.get("resource") and (email := parsing.email_or_none(attendee.get("email"))) is not None
    ]


def _own_answer(event: Json) -> str:
    """What the calendar's owner answered, in Google's words; the list may be longer than what is read of it."""
    own = (attendee for attendee in parsing.dicts_in(event.get("attendees")) if attendee.get("self"))
    return next((str(attendee.get("responseStatus")) for attendee in own), "")


def _original_start(event: Json) -> str:
    if not event.get("recurringEventId"):
        return ""
    original = event["originalStartTime"]
    return str(original["date"]) if original.get("date") else parsing.recurrence_id(parse_instant(original["dateTime"]))


def _video(event: Json) -> list[object]:
    points = parsing.dicts_in(parsing.dict_at(event, "conferenceData").get("entryPoints"))
    return [point.get("uri") for point in points if point.get("entryPointType") == "video"]
