"""Views of a meeting: what callers of the API receive."""

from typing import Generic, TypeVar

from pydantic import Field

from contracts.model import Contract
from contracts.values.enums import (
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
from contracts.values.meeting import MeetingContent, MeetingUuid, OrganizerFields, ScheduleFields
from contracts.values.personal import Credential, MailAddress, PersonId, PersonName, PhoneNumber, WrittenText
from contracts.values.times import Instant

Item = TypeVar("Item")


class ParticipantView(Contract):
    """A participant, as callers see it."""

    participant_uuid: PersonId | None = Field(
        default=None,
        description="null for CLIENT callers, like all but name, type and answer, unless it is staff, the caller, or a "
        "meeting that they manage",
        examples=["MP019A16FF372A70B5A9307B00CE85E4DA"],
    )
    participant_entity_uuid: PersonId | None = Field(
        default=None,
        description="the platform's id, null for external guests",
        examples=["C019B9D0FD0E5772F9E8ED189895D40C4"],
    )
    participant_type: ParticipantType
    email: MailAddress | None = Field(default=None, examples=["jane.roe@example.com"])
    name: PersonName | None = Field(default=None, examples=["Jane Roe"])
    language: GuestLanguage = Field(default=None, description="EXTERNAL only")
    country_code: PhoneNumber | None = Field(default=None, description="EXTERNAL only", examples=["+1"])
    phone: PhoneNumber | None = Field(default=None, description="EXTERNAL only", examples=["5551234567"])
    rsvp_status: RsvpStatus
    can_resend: bool = Field(description="whether this caller may resend the invitation now")
    last_invitation_resent_at: Instant | None = None
    delivery_failure_code: DeliveryFailureCode | None = Field(
        default=None, description="why the last mail did not reach them; shown to host and creator"
    )
    delivery_failure_reason: str | None = Field(default=None, description="the same in words")


class MeetingView(OrganizerFields, MeetingContent):
    """A meeting in full, as one caller sees it.

    Who is host and creator is null to guests who do not see each other, where the organiser is elsewhere: the host is
    then one of the guests.
    """

    host_uuid: PersonId | None = None
    host_type: UserType | None = None
    host_name: PersonName | None = None
    host_email: MailAddress | None = None
    created_by_uuid: PersonId | None = None
    created_by_type: UserType | None = None
    meeting_uuid: MeetingUuid
    tenant_uuid: str = Field(examples=["T019A16FF372A70B5A9307B00CE85E4DA"])
    status: MeetingStatus
    source: MeetingSource
    created_at: Instant
    updated_at: Instant
    duration_minutes: int = Field(description="real elapsed time, also across a DST change", examples=[45])
    attendee_count: int
    participants: list[ParticipantView]
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


class MeetingSummary(ScheduleFields):
    """A meeting in a list, as one caller sees it."""

    meeting_uuid: MeetingUuid
    title: WrittenText | None = None
    location_type: LocationType
    location_detail: WrittenText | None = None
    meeting_link: WrittenText | None = None
    status: MeetingStatus
    source: MeetingSource
    host_uuid: PersonId | None = None
    host_name: PersonName | None = None
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


class MeetingPage(Page[MeetingSummary]):
    """One page of a list of meetings."""


class ResendInvitation(Contract):
    """What a resend did for one recipient."""

    email: MailAddress | None
    last_invitation_resent_at: Instant | None = Field(default=None, description="null when skipped")


class MeetingPassword(Contract):
    """The password of one meeting; null when it has none."""

    meeting_password: Credential | None = None


class Invitation(ScheduleFields):
    """A meeting as a guest's RSVP page shows it, with the guest's answer: no more than the page needs."""

    title: WrittenText | None = None
    ends_at: Instant
    status: MeetingStatus
    host_name: PersonName | None = None
    meeting_link: WrittenText | None = Field(default=None, description="only behind a link with a valid token")
    meeting_password: Credential | None = Field(default=None, description="the same")
    participant_name: str | None = Field(default=None, description="for whom the page answers")
    language: GuestLanguage = Field(default=None, description="the guest's")
    rsvp_status: RsvpStatus
