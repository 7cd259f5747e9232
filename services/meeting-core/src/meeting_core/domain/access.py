"""Who may see and do what with a meeting. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.values.enums import MeetingSource, MeetingStatus, UserType

from meeting_core.domain.participants import Participant

if TYPE_CHECKING:
    from meeting_core.domain.meeting import Meeting


def is_managed_by(meeting: Meeting, user_id: str) -> bool:
    """Whether this person is its host or creator."""
    return user_id in (meeting.hosted.host_uuid, meeting.hosted.created_by_uuid)


def is_visible_to(meeting: Meeting, user_id: str) -> bool:
    """Only host, creator and participants see a meeting."""
    return is_managed_by(meeting, user_id) or meeting.participant_of(user_id) is not None


def is_editable(meeting: Meeting) -> bool:
    """Whether its host and creator may change it."""
    return meeting.status is MeetingStatus.ACTIVE and meeting.source is MeetingSource.INTERNAL


def shows_guests_to(meeting: Meeting, user_id: str) -> bool:
    """Whether this person sees all participants, not only themselves: whose calendar organises it always does."""
    organizes = user_id == meeting.hosted.host_uuid and not meeting.hosted.externally_organized
    return organizes or not meeting.guests_hidden


def shows_host_to(meeting: Meeting, user_id: str) -> bool:
    """Whether this person sees whose meeting it is: where the organiser is elsewhere, the host is one of the guests."""
    is_one_of_the_guests = meeting.hosted.externally_organized
    return is_managed_by(meeting, user_id) or not (meeting.guests_hidden and is_one_of_the_guests)


def participants_for(meeting: Meeting, user_id: str) -> list[Participant]:
    """The participants whom this person sees."""
    if shows_guests_to(meeting, user_id):
        return meeting.participants
    return [person for person in meeting.participants if person.participant_entity_uuid == user_id]


def respondent(meeting: Meeting, *, actor: Actor | None, participant_uuid: str | None) -> Participant:
    """Who answers: the participant the actor is, or the one a mail link names.

    Raises:
        ApiError: the actor is no participant, or the participant is not (any longer) in the meeting.
    """
    if actor is None:
        return meeting.participant(participant_uuid)
    require_visible(meeting, actor)
    participant = meeting.participant_of(actor.user_id)
    if participant is None:
        raise ApiError(ErrorCode.FORBIDDEN, message="Only participants can answer an invitation")
    return participant


def require_visible(meeting: Meeting, actor: Actor) -> None:
    """Raises ApiError (403) when the actor does not see the meeting."""
    if not is_visible_to(meeting, actor.user_id):
        raise ApiError(ErrorCode.FORBIDDEN)


def require_staff(actor: Actor) -> None:
    """Raises ApiError (403) when the actor is a client."""
    if actor.user_type is UserType.CLIENT:
        raise ApiError(ErrorCode.FORBIDDEN)


def require_editor(meeting: Meeting, actor: Actor) -> None:
    """Raises ApiError (409, 403) unless the actor may change the meeting now."""
    if meeting.source is not MeetingSource.INTERNAL:
        raise ApiError(ErrorCode.MEETING_READ_ONLY)
    if not is_managed_by(meeting, actor.user_id):
        raise ApiError(ErrorCode.FORBIDDEN)
    require_active(meeting)


def require_host(meeting: Meeting, user_id: str) -> None:
    """Raises ApiError (403, 409) unless this is the host of a meeting that is not canceled."""
    if user_id != meeting.hosted.host_uuid:
        raise ApiError(ErrorCode.FORBIDDEN)
    require_active(meeting)


def require_active(meeting: Meeting) -> None:
    """Raises ApiError (409) when the meeting is canceled."""
    if meeting.status is MeetingStatus.CANCELED:
        raise ApiError(ErrorCode.MEETING_CANCELED)
