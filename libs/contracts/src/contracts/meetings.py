"""A meeting, in the forms in which it is spoken of: its content, its public state in events, and its views."""

from typing import Annotated, Generic, TypeVar

from pydantic import Field

from contracts.enums import (
    DeliveryFailureCode,
    ExternalSyncStatus,
    GuestLanguage,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    RsvpStatus,
    SyncFailureCode,
    SyncOperation,
    UserType,
)
from contracts.model import Contract
from contracts.times import Instant, LocalDateTime, Schedule, TimeZoneName

Item = TypeVar("Item")

MeetingUuid = Annotated[str, Field(examples=["M019A16FF372A70B5A9307B00CE85E4DA"])]


class Scheduled(Contract):
    """When a meeting is: wall-clock times in an IANA zone, as the caller gave them."""

    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName
    all_day: bool = False

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.start_date_time, self.end_date_time, self.timezone, self.all_day)


class Described(Contract):
    """What every participant may know about a meeting's subject and place."""

    title: str | None = Field(default=None, examples=["Quarterly portfolio review"])
    location_type: LocationType
    location_detail: str | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    description: str | None = Field(default=None, examples=["Review Q2 performance and rebalancing plan."])
    meeting_information: str | None = None
    meeting_link: str | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    meeting_provider: str | None = Field(default=None, description="a free label", examples=["GOOGLE_MEET"])


class MeetingContent(Described, Scheduled):
    """Everything about a meeting that its host decides, people aside."""

    internal_notes: str | None = Field(default=None, description="staff only; null for CLIENT callers")
    meeting_password: str | None = None


class Invitee(Contract):
    """A person to invite. ``participant_entity_uuid`` is the platform's id; external guests have none."""

    participant_type: ParticipantType
    participant_entity_uuid: str | None = None
    email: str | None = None
    name: str | None = None
    language: GuestLanguage = None
    country_code: str | None = None
    phone: str | None = None


class ParticipantState(Contract):
    """A participant as other services see it."""

    participant_uuid: str
    participant_entity_uuid: str | None = None
    participant_type: ParticipantType
    email: str | None = None
    name: str | None = None
    language: GuestLanguage = None
    rsvp_status: RsvpStatus = RsvpStatus.UNKNOWN


class Hosted(Contract):
    """Whose meeting it is."""

    host_uuid: str
    host_type: UserType
    host_name: str | None = None
    host_email: str | None = None
    created_by_uuid: str
    created_by_type: UserType
    organizer_email: str | None = Field(default=None, description="of an externally organised meeting; else the host's")
    organizer_name: str | None = None
    externally_organized: bool = Field(
        default=False, description="imported, with the organiser elsewhere; read-only here"
    )


class MeetingState(Hosted, Described, Scheduled):
    """The whole public state of a meeting. Internal notes, the meeting password and RSVP tokens are never in it."""

    meeting_uuid: MeetingUuid
    tenant_uuid: str
    starts_at: Instant
    ends_at: Instant
    status: MeetingStatus
    source: MeetingSource
    ical_sequence: int = Field(description="iCalendar SEQUENCE (RFC 5545 section 3.8.7.4)")
    created_at: Instant
    updated_at: Instant
    participants: list[ParticipantState]
    external_sync_status: ExternalSyncStatus


class Participant(Contract):
    """A participant, as callers see it."""

    participant_uuid: str = Field(examples=["MP019A16FF372A70B5A9307B00CE85E4DA"])
    participant_entity_uuid: str | None = Field(
        default=None,
        description="the platform's id, null for external guests",
        examples=["C019B9D0FD0E5772F9E8ED189895D40C4"],
    )
    participant_type: ParticipantType
    email: str | None = Field(default=None, examples=["jane.roe@example.com"])
    name: str | None = Field(default=None, examples=["Jane Roe"])
    language: GuestLanguage = Field(default=None, description="EXTERNAL only")
    country_code: str | None = Field(default=None, description="EXTERNAL only", examples=["+1"])
    phone: str | None = Field(default=None, description="EXTERNAL only", examples=["5551234567"])
    rsvp_status: RsvpStatus
    can_resend: bool = Field(description="whether this caller may resend the invitation now")
    last_invitation_resent_at: Instant | None = None
    delivery_failure_code: DeliveryFailureCode | None = Field(
        default=None, description="why the last mail did not reach them; shown to host and creator"
    )
    delivery_failure_reason: str | None = Field(default=None, description="the same in words")


class Meeting(Hosted, MeetingContent):
    """A meeting in full, as one caller sees it."""

    meeting_uuid: MeetingUuid
    tenant_uuid: str = Field(examples=["T019A16FF372A70B5A9307B00CE85E4DA"])
    status: MeetingStatus
    source: MeetingSource
    created_at: Instant
    updated_at: Instant
    duration_minutes: int = Field(description="real elapsed time, also across a DST change", examples=[45])
    attendee_count: int
    participants: list[Participant]
    can_edit: bool
    can_cancel: bool
    can_resend: bool
    can_remove_from_calendar: bool
    show_external_calendar_icon: bool
    external_sync_status: ExternalSyncStatus
    last_sync_operation: SyncOperation | None = None
    sync_failed_at: Instant | None = None
    sync_failure_code: SyncFailureCode | None = None
    sync_failure_reason: str | None = None
    can_retry_sync: bool
    external_sync_failure_visible_to_viewer: bool


class MeetingSummary(Scheduled):
    """A meeting in a list, as one caller sees it."""

    meeting_uuid: MeetingUuid
    title: str | None = None
    location_type: LocationType
    location_detail: str | None = None
    meeting_link: str | None = None
    status: MeetingStatus
    source: MeetingSource
    host_uuid: str
    host_name: str | None = None
    duration_minutes: int
    attendee_count: int
    can_edit: bool
    can_cancel: bool
    can_resend: bool
    can_remove_from_calendar: bool
    externally_organized: bool
    show_external_calendar_icon: bool
    external_sync_status: ExternalSyncStatus
    can_retry_sync: bool
    external_sync_failure_visible_to_viewer: bool
    rsvp_status: RsvpStatus | None = Field(default=None, description="the caller's own answer, null for the host")
    created_at: Instant
    updated_at: Instant


class Page(Contract, Generic[Item]):
    """The envelope of every list."""

    content: list[Item]
    page: int = Field(description="zero-based", examples=[0])
    size: int = Field(examples=[20])
    total_elements: int
    total_pages: int


class ResendInvitation(Contract):
    """What a resend did for one recipient."""

    email: str | None
    last_invitation_resent_at: Instant | None = Field(default=None, description="null when skipped")


class Invitation(Scheduled):
    """A meeting as a guest's RSVP page shows it, with the guest's answer: no more than the page needs."""

    title: str | None = None
    ends_at: Instant
    status: MeetingStatus
    host_name: str | None = None
    language: GuestLanguage = Field(default=None, description="the guest's")
    rsvp_status: RsvpStatus
