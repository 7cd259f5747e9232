"""What happened in users' external calendars: calendar-sync tells it, meeting-core decides what it means for meetings.

All are keyed by meetingUuid, and so in order for each meeting.
"""

from pydantic import Field

from contracts.enums import CalendarProvider, RsvpStatus, UserType
from contracts.ids import uuid8_hex
from contracts.model import Contract
from contracts.registry import message
from contracts.times import Instant, LocalDateTime, TimeZoneName
from contracts.topics import CALENDAR_EVENTS


class CalendarOwner(Contract):
    """The user of the platform whose external calendar it is."""

    user_id: str
    user_type: UserType
    name: str | None = None
    email: str = Field(description="the calendar's address")


class EventTexts(Contract):
    """What an external event says and when it is; the end of an all-day event is exclusive."""

    title: str | None = None
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName
    all_day: bool = False
    location: str | None = None
    description: str | None = None
    meeting_link: str | None = None


class Guest(Contract):
    """An attendee of an external event who is neither its organiser nor the owner of the calendar."""

    email: str
    name: str | None = None
    rsvp_status: RsvpStatus = RsvpStatus.UNKNOWN


@message("calendar.external-event.seen.v1", CALENDAR_EVENTS)
class ExternalEventSeen(Contract):
    """An event that was not made here is in this owner's calendar, new or changed.

    The same event in two people's calendars has one meetingUuid. ``sequence`` rises with each message about this
    meeting and this owner: whoever has seen a higher one ignores it.
    """

    tenant_uuid: str
    meeting_uuid: str
    owner: CalendarOwner
    sequence: int
    at: Instant
    provider: CalendarProvider
    event: EventTexts
    private: bool = Field(description="its owner shows others no more than that they are busy; the texts say no more")
    busy: bool = Field(description="whether it takes the owner's time; false for one that they declined")
    answer: RsvpStatus = Field(description="the owner's own; UNKNOWN for the organiser")
    organized_by_owner: bool
    organizer_email: str | None = None
    organizer_name: str | None = None
    guests: list[Guest] = Field(default_factory=list)


@message("calendar.external-event.gone.v1", CALENDAR_EVENTS)
class ExternalEventGone(Contract):
    """An event that was not made here is no longer in this owner's calendar; ``sequence`` as in ExternalEventSeen."""

    tenant_uuid: str
    meeting_uuid: str
    user_id: str = Field(description="the owner's")
    sequence: int
    at: Instant


@message("calendar.copy.changed.v1", CALENDAR_EVENTS)
class CopyChanged(Contract):
    """The host changed our meeting in their own calendar. Only fields that they changed are given.

    ``change_id`` is the same each time the same change is told. An empty text was cleared.
    """

    change_id: str
    tenant_uuid: str
    meeting_uuid: str
    user_id: str = Field(description="the host's")
    provider: CalendarProvider
    at: Instant
    title: str | None = None
    start_date_time: LocalDateTime | None = Field(default=None, description="given together with the other times")
    end_date_time: LocalDateTime | None = None
    timezone: TimeZoneName | None = None
    all_day: bool | None = None
    location: str | None = None
    description: str | None = Field(default=None, description="the host's own words, without what we add to the copy")


@message("calendar.copy.removed.v1", CALENDAR_EVENTS)
class CopyRemoved(Contract):
    """The host deleted our meeting in their own calendar; ``change_id`` as in CopyChanged."""

    change_id: str
    tenant_uuid: str
    meeting_uuid: str
    user_id: str = Field(description="the host's")
    provider: CalendarProvider
    at: Instant


def imported_meeting_uuid(tenant_uuid: str, ical_uid: str, original_start: str) -> str:
    """The meeting that an external event is in a tenant, ``M…``: the same from whoever's calendar it is seen.

    ``ical_uid`` is the event's, or its series'; ``original_start`` says which instance of a series it is (its UTC
    instant or date, RFC 5545 RECURRENCE-ID), and is empty for a single event.
    """
    return "M" + uuid8_hex("external event", tenant_uuid, ical_uid, original_start)
