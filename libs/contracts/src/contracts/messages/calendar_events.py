"""Events of calendar-sync: connections, external events, changes of mirrored events and their sync status.

Events about meetings are keyed by meetingUuid, and so in order for each meeting; those about connections by userId.
"""

from pydantic import Field

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import CALENDAR_EVENTS
from contracts.values.enums import (
    CalendarProvider,
    ConnectionStatus,
    ExternalSyncStatus,
    RsvpStatus,
    SyncFailureCode,
    SyncOperation,
    UserType,
)
from contracts.values.ids import uuid8_hex
from contracts.values.personal import MailAddress, PersonId, PersonName, WrittenText
from contracts.values.times import Instant, LocalDateTime, TimeZoneName


@message("calendar.connection.changed.v1", CALENDAR_EVENTS)
class ConnectionChanged(Contract):
    """A user's connection was made or has ended. Keyed by userId; a user's events are in order.

    ``ce_sequence`` is the connection's version: a consumer that has seen a higher one ignores it. While ``status`` is
    CONNECTED, ``generation`` counts how often this user has connected so far.
    """

    tenant_uuid: str
    user_id: PersonId
    provider: CalendarProvider
    status: ConnectionStatus
    generation: int
    at: Instant
    error_code: SyncFailureCode | None = Field(default=None, description="why it ended, unless the user ended it")


@message("calendar.coverage.changed.v1", CALENDAR_EVENTS)
class CalendarCoverageChanged(Contract):
    """How much of a user's connected calendar is known by now; keyed and numbered as ConnectionChanged.

    Both instants are null while the calendar cannot be read. Nothing is known of a ``generation`` before it is said.
    """

    tenant_uuid: str
    user_id: PersonId
    generation: int
    known_from: Instant | None = None
    known_until: Instant | None = None


class CalendarOwner(Contract):
    """The user of the platform whose external calendar it is."""

    user_id: PersonId
    user_type: UserType
    name: PersonName | None = None
    email: MailAddress = Field(description="the calendar's address")


class EventDetails(Contract):
    """What an external event says and when it is; the end of an all-day event is exclusive."""

    title: WrittenText | None = None
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName
    all_day: bool = False
    location: WrittenText | None = None
    description: WrittenText | None = None
    meeting_link: WrittenText | None = None


class EventAttendee(Contract):
    """An attendee of an external event who is neither its organiser nor the owner of the calendar."""

    email: MailAddress
    name: PersonName | None = None
    rsvp_status: RsvpStatus = RsvpStatus.UNKNOWN


@message("calendar.external-event.upserted.v1", CALENDAR_EVENTS)
class ExternalEventUpserted(Contract):
    """An event that was not made here is in this owner's calendar, new or changed.

    The same event in two people's calendars has one meetingUuid. ``sequence`` rises with each message about this
    meeting and this owner: a consumer that has seen a higher one ignores it.
    """

    tenant_uuid: str
    meeting_uuid: str
    owner: CalendarOwner
    sequence: int
    at: Instant
    provider: CalendarProvider
    event: EventDetails
    private: bool = Field(description="its owner shows others no more than that they are busy; the texts say no more")
    busy: bool = Field(description="whether it takes the owner's time; false for one that they declined")
    answer: RsvpStatus = Field(description="the owner's own; UNKNOWN for the organiser")
    organized_by_owner: bool
    organizer_email: MailAddress | None = None
    organizer_name: PersonName | None = None
    guests: list[EventAttendee] = Field(default_factory=list)
    guests_hidden: bool = Field(default=False, description="the organiser does not let the guests see each other")


@message("calendar.external-event.deleted.v1", CALENDAR_EVENTS)
class ExternalEventDeleted(Contract):
    """An event that was not made here is no longer in the owner's calendar; ``sequence``: see ExternalEventUpserted."""

    tenant_uuid: str
    meeting_uuid: str
    user_id: PersonId = Field(description="the owner's")
    sequence: int
    at: Instant


@message("calendar.invitation.answered.v1", CALENDAR_EVENTS)
class InvitationAnswered(Contract):
    """A participant's own calendar holds our invitation, and this is their answer there now; ``sequence`` as above.

    ``answered`` is false while they have not answered; tentatively is an answer, and UNKNOWN.
    """

    tenant_uuid: str
    meeting_uuid: str
    user_id: PersonId = Field(description="the participant's, who owns the calendar")
    sequence: int
    at: Instant
    answered: bool
    answer: RsvpStatus


@message("calendar.mirrored-event.changed.v1", CALENDAR_EVENTS)
class MirroredEventChanged(Contract):
    """The host changed our meeting in their own calendar. Only fields that they changed are given.

    ``change_id`` is the same in every repeat of the same change. An empty text was cleared.
    """

    change_id: str
    tenant_uuid: str
    meeting_uuid: str
    user_id: PersonId = Field(description="the host's")
    provider: CalendarProvider
    at: Instant
    title: WrittenText | None = None
    start_date_time: LocalDateTime | None = Field(default=None, description="given together with the other times")
    end_date_time: LocalDateTime | None = None
    timezone: TimeZoneName | None = None
    all_day: bool | None = None
    location: WrittenText | None = None
    description: WrittenText | None = Field(
        default=None, description="the host's own words, without what we add to the copy"
    )


@message("calendar.mirrored-event.deleted.v1", CALENDAR_EVENTS)
class MirroredEventDeleted(Contract):
    """The host deleted our meeting in their own calendar; ``change_id`` as in MirroredEventChanged."""

    change_id: str
    tenant_uuid: str
    meeting_uuid: str
    user_id: PersonId = Field(description="the host's")
    provider: CalendarProvider
    at: Instant


def meeting_uuid_of_external_event(tenant_uuid: str, ical_uid: str, original_start: str) -> str:
    """The meeting that an external event is in a tenant, ``M…``: the same in every calendar that shows it.

    ``ical_uid`` is the event's, or its series'; ``original_start`` says which instance of a series it is (its UTC
    instant or date, RFC 5545 RECURRENCE-ID), and is empty for a single event.
    """
    return "M" + uuid8_hex("external event", tenant_uuid, ical_uid, original_start)


@message("calendar.mirror-status.changed.v1", CALENDAR_EVENTS)
class MirrorStatusChanged(Contract):
    """The sync status of a mirrored event changed, or a newer version of the meeting was synced.

    Keyed by meetingUuid. ``sequence`` rises with each event of a meeting: a consumer that has seen a higher one
    ignores it.
    """

    tenant_uuid: str
    meeting_uuid: str
    sequence: int
    meeting_version: int = Field(description="the newest version of the meeting that this takes into account")
    status: ExternalSyncStatus
    operation: SyncOperation | None = Field(default=None, description="what was done, or is being tried")
    at: Instant
    failure_code: SyncFailureCode | None = None
    failure_reason: WrittenText | None = Field(
        default=None, description="one line for the host; never a provider's raw answer"
    )
