"""How one viewer sees a meeting. The ``can*`` flags say exactly what the endpoints would allow this viewer now."""

from contracts.api.meetings import Invitation, MeetingSummary, MeetingView, ParticipantView
from contracts.messages.command import Actor
from contracts.values.enums import MeetingStatus, UserType
from contracts.values.meeting import HostFields, OrganizerFields

from meeting_core.domain.access import is_editable, is_managed_by, participants_for, shows_guests_to, shows_host_to
from meeting_core.domain.derived import duration_minutes, is_on_external_calendar
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import Participant

ATTENDEES_OF_HIDDEN_LIST = 1
HOST_FIELDS = HostFields.model_fields.keys() - OrganizerFields.model_fields.keys()
"""What the viewer sees of the host and the creator, or does not."""


class Viewer:
    """What one person may do with and see of one meeting; without an actor, a guest who came by a mail link."""

    def __init__(self, meeting: Meeting, actor: Actor | None) -> None:
        user_id = actor.user_id if actor else ""
        manages = is_managed_by(meeting, user_id)
        self._meeting = meeting
        self._user_id = user_id
        self._participant = meeting.participant_of(user_id)
        self._people = participants_for(meeting, user_id)
        self.sees_host = shows_host_to(meeting, user_id)
        self.sees_guests = shows_guests_to(meeting, user_id)
        self._is_client = actor is None or actor.user_type is UserType.CLIENT
        self._hides_clients = actor is not None and actor.user_type is UserType.CLIENT and not manages
        self.may_edit = manages and is_editable(meeting)
        self.sees_sync_failure = manages
        self.sees_delivery_failure = manages
        self.may_hide = meeting.status is MeetingStatus.CANCELED and user_id in meeting.visible_to_user_ids
        self.may_retry_sync = self.may_edit and meeting.sync.is_retryable

    def full(self) -> MeetingView:
        """The meeting in full."""
        meeting, sync = self._meeting, self._meeting.sync
        return MeetingView(
            **dict(meeting.content) | self._hidden_from_clients(),
            **dict(meeting.hosted) | ({} if self.sees_host else dict.fromkeys(HOST_FIELDS)),
            meeting_uuid=meeting.meeting_uuid,
            tenant_uuid=meeting.tenant_uuid,
            status=meeting.status,
            source=meeting.source,
            created_at=meeting.created_at,
            updated_at=meeting.updated_at,
            duration_minutes=duration_minutes(meeting),
            attendee_count=self._attendee_count(len(meeting.participants)),
            participants=[self.participant(person) for person in self._people],
            can_edit=self.may_edit,
            can_cancel=self.may_edit,
            can_resend=self.may_edit,
            can_remove_from_calendar=self.may_hide,
            show_external_calendar_icon=is_on_external_calendar(meeting),
            external_sync_status=sync.status,
            last_sync_operation=sync.last_operation,
            sync_failed_at=sync.failed_at if self.sees_sync_failure else None,
            sync_failure_code=sync.failure_code if self.sees_sync_failure else None,
            sync_failure_reason=sync.failure_reason if self.sees_sync_failure else None,
            can_retry_sync=self.may_retry_sync,
            external_sync_failure_visible_to_viewer=self.sees_sync_failure,
        )

    def summary(self, attendees: int | None = None) -> MeetingSummary:
        """The meeting as a list shows it; ``attendees`` is their number when not all of them were read."""
        meeting, content = self._meeting, self._meeting.content
        return MeetingSummary(
            start_date_time=content.start_date_time,
            end_date_time=content.end_date_time,
            timezone=content.timezone,
            all_day=content.all_day,
            meeting_uuid=meeting.meeting_uuid,
            title=content.title,
            location_type=content.location_type,
            location_detail=content.location_detail,
            meeting_link=content.meeting_link,
            status=meeting.status,
            source=meeting.source,
            host_uuid=meeting.hosted.host_uuid if self.sees_host else None,
            host_name=meeting.hosted.host_name if self.sees_host else None,
            duration_minutes=duration_minutes(meeting),
            attendee_count=self._attendee_count(len(meeting.participants) if attendees is None else attendees),
            can_edit=self.may_edit,
            can_cancel=self.may_edit,
            can_resend=self.may_edit,
            can_remove_from_calendar=self.may_hide,
            externally_organized=meeting.hosted.externally_organized,
            show_external_calendar_icon=is_on_external_calendar(meeting),
            external_sync_status=meeting.sync.status,
            can_retry_sync=self.may_retry_sync,
            external_sync_failure_visible_to_viewer=self.sees_sync_failure,
            rsvp_status=self._participant.rsvp_status if self._participant else None,
            created_at=meeting.created_at,
            updated_at=meeting.updated_at,
        )

    def participant(self, participant: Participant) -> ParticipantView:
        """One participant; telephone and language are shown for external guests only.

        A client who does not manage the meeting learns of others who are no staff only name, type and answer.
        """
        if self._hides_clients and not (participant.is_staff or participant is self._participant):
            return ParticipantView(
                participant_type=participant.participant_type,
                name=participant.name,
                rsvp_status=participant.rsvp_status,
                can_resend=False,
            )
        external = participant.is_external
        mail = participant.last_mail if self.sees_delivery_failure else None
        return ParticipantView(
            participant_uuid=participant.participant_uuid,
            participant_entity_uuid=participant.participant_entity_uuid,
            participant_type=participant.participant_type,
            email=participant.email,
            name=participant.name,
            language=participant.language if external else None,
            country_code=participant.country_code if external else None,
            phone=participant.phone if external else None,
            rsvp_status=participant.rsvp_status,
            can_resend=self.may_edit and participant.email is not None,
            last_invitation_resent_at=participant.last_invitation_resent_at,
            delivery_failure_code=mail.failure_code if mail else None,
            delivery_failure_reason=mail.failure_reason if mail else None,
        )

    def sees(self, person_id: str) -> bool:
        """Whether they see this person, present or past, by participantUuid or user id: of a hidden list themselves."""
        own = self._participant
        return self.sees_guests or person_id == self._user_id or (own is not None and person_id == own.participant_uuid)

    def _attendee_count(self, participants: int) -> int:
        """How many attend; of a hidden guest list no more than that the viewer does."""
        return participants if self.sees_guests else ATTENDEES_OF_HIDDEN_LIST

    def _hidden_from_clients(self) -> dict[str, None]:
        return {"internal_notes": None} if self._is_client else {}


def invitation_of(meeting: Meeting, participant: Participant, *, is_proved: bool) -> Invitation:
    """The meeting as this participant's RSVP page shows it; ``is_proved``: to the holder of a valid token."""
    content = meeting.content
    sees_host = shows_host_to(meeting, participant.participant_entity_uuid or "")
    return Invitation(
        start_date_time=content.start_date_time,
        end_date_time=content.end_date_time,
        timezone=content.timezone,
        all_day=content.all_day,
        title=content.title,
        ends_at=content.schedule.ends_at,
        status=meeting.status,
        host_name=meeting.hosted.host_name if sees_host else None,
        meeting_link=content.meeting_link if is_proved else None,
        meeting_password=content.meeting_password if is_proved else None,
        participant_name=participant.name,
        language=participant.language,
        rsvp_status=participant.rsvp_status,
    )
