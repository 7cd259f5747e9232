"""A meeting's fields: its content, and its public state in events."""

from typing import Annotated

from pydantic import Field

from contracts.model import Contract
from contracts.values.enums import (
    ExternalSyncStatus,
    GuestLanguage,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    RsvpStatus,
    UserType,
)
from contracts.values.personal import Credential, MailAddress, PersonId, PersonName, PhoneNumber, WrittenText
from contracts.values.times import Instant, LocalDateTime, Schedule, TimeZoneName

MeetingUuid = Annotated[str, Field(examples=["M019A16FF372A70B5A9307B00CE85E4DA"])]


class ScheduleFields(Contract):
    """When a meeting is: wall-clock times in an IANA zone, as the caller gave them."""

    start_date_time: LocalDateTime
    end_date_time: LocalDateTime = Field(examples=["2026-06-15T15:45:00"])
    timezone: TimeZoneName
    all_day: bool = False

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.start_date_time, self.end_date_time, self.timezone, self.all_day)


class DescriptionFields(Contract):
    """What every participant may know about a meeting's subject and place."""

    title: WrittenText | None = Field(default=None, examples=["Quarterly portfolio review"])
    location_type: LocationType
    location_detail: WrittenText | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    description: WrittenText | None = Field(default=None, examples=["Review Q2 performance and rebalancing plan."])
    meeting_information: WrittenText | None = None
    meeting_link: WrittenText | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    meeting_provider: str | None = Field(default=None, description="a free label", examples=["GOOGLE_MEET"])


class MeetingContent(DescriptionFields, ScheduleFields):
    """Everything about a meeting that its host decides, people aside."""

    internal_notes: WrittenText | None = Field(default=None, description="staff only; null for CLIENT callers")
    meeting_password: Credential | None = None


class Invitee(Contract):
    """A person to invite. ``participant_entity_uuid`` is the platform's id; external guests have none."""

    participant_type: ParticipantType
    participant_entity_uuid: PersonId | None = None
    email: MailAddress | None = None
    name: PersonName | None = None
    language: GuestLanguage = None
    country_code: PhoneNumber | None = None
    phone: PhoneNumber | None = None


class ParticipantState(Contract):
    """A participant as other services see it."""

    participant_uuid: PersonId
    participant_entity_uuid: PersonId | None = None
    participant_type: ParticipantType
    email: MailAddress | None = None
    name: PersonName | None = None
    language: GuestLanguage = None
    rsvp_status: RsvpStatus = RsvpStatus.UNKNOWN


class OrganizerFields(Contract):
    """Who organises an imported meeting."""

    organizer_email: MailAddress | None = Field(
        default=None, description="of an imported meeting; null for INTERNAL ones"
    )
    organizer_name: PersonName | None = None
    externally_organized: bool = Field(
        default=False, description="imported, with the organiser elsewhere; read-only here"
    )


class HostFields(OrganizerFields):
    """Whose meeting it is."""

    host_uuid: PersonId
    host_type: UserType
    host_name: PersonName | None = None
    host_email: MailAddress | None = None
    created_by_uuid: PersonId
    created_by_type: UserType


class MeetingState(HostFields, DescriptionFields, ScheduleFields):
    """The whole public state of a meeting. Internal notes, the meeting password and RSVP tokens are never in it.

    Services that show the password ask meeting-core for it (``GetMeetingPassword``).
    """

    meeting_uuid: MeetingUuid
    tenant_uuid: str
    starts_at: Instant
    ends_at: Instant
    status: MeetingStatus
    source: MeetingSource
    host_language: GuestLanguage = Field(default=None, description="in which the host is mailed; null: not known")
    has_meeting_password: bool = Field(default=False, description="participants need a password to join")
    ical_sequence: int = Field(description="iCalendar SEQUENCE (RFC 5545 section 3.8.7.4)")
    created_at: Instant
    updated_at: Instant
    participants: list[ParticipantState]
    external_sync_status: ExternalSyncStatus
