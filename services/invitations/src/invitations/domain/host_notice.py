"""What a host is mailed about one guest: answers, proposed times, mails that did not arrive. Pure.

There is one notice for each guest and topic, which the newest event replaces: several answers in a row are one mail.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from contracts.messages.meeting_events import (
    InvitationFailed,
    MeetingEvent,
    ParticipantProposedNewTime,
    ParticipantResponded,
)
from contracts.model import StoredModel
from contracts.transport.envelope import Envelope
from contracts.values.enums import MeetingSource, RsvpStatus
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.personal import PersonId, WrittenText
from contracts.values.times import Instant


class HostMails(StrEnum):
    """What hosts are mailed about their guests."""

    NONE = "none"
    DECLINES = "declines"  # declined answers and their corrections, proposed times, mails that did not arrive
    ALL = "all"  # every answer besides


class NoticeTopic(StrEnum):
    """What a notice is about."""

    ANSWER = "answer"
    PROPOSAL = "proposal"
    FAILURE = "failure"


class HostNotice(StoredModel, frozen=True):
    """The newest news of one guest on one topic, and what the host was mailed about it."""

    participant_uuid: PersonId
    topic: NoticeTopic
    meeting_uuid: str
    tenant_uuid: str
    sequence: int
    """The meeting's version after the event."""
    at: Instant
    correlation_id: str
    traceparent: str | None = None
    meeting: MeetingState
    """Without its participants."""
    person: ParticipantState
    answer: RsvpStatus | None = None
    tentative: bool = False
    starts_at: Instant | None = None
    """Of a proposed time."""
    ends_at: Instant | None = None
    comment: WrittenText | None = None
    failure_reason: WrittenText | None = None
    settled_sequence: int = 0
    """The version that the host was last mailed about, or could not be."""
    mailed_answer: RsvpStatus | None = None
    """The answer in the last mail to the host."""

    @property
    def notice_id(self) -> str:
        return f"{self.participant_uuid}:{self.topic}"

    def is_pending(self, scope: HostMails) -> bool:
        """Whether the host is to be mailed: an answer that corrects a mailed decline is news like the decline."""
        if scope is HostMails.NONE or self.sequence <= self.settled_sequence:
            return False
        if self.topic is not NoticeTopic.ANSWER or scope is HostMails.ALL:
            return True
        return RsvpStatus.DECLINED in (self.answer, self.mailed_answer)


def host_notice(event: MeetingEvent, envelope: Envelope) -> HostNotice | None:
    """The notice that an event is to the host; None: it is none.

    Hosts of imported meetings are in contact with their guests by their own calendars.
    """
    if event.meeting.source is not MeetingSource.INTERNAL:
        return None
    match event:
        case ParticipantResponded(rsvp_status=answer, tentative=tentative):
            return _notice(event, envelope, NoticeTopic.ANSWER, answer=answer, tentative=tentative)
        case ParticipantProposedNewTime(starts_at=starts_at, ends_at=ends_at, comment=comment):
            proposal = {"starts_at": starts_at, "ends_at": ends_at, "comment": comment}
            return _notice(event, envelope, NoticeTopic.PROPOSAL, **proposal)
        case InvitationFailed(failure_reason=reason):
            return _notice(event, envelope, NoticeTopic.FAILURE, failure_reason=reason)
    return None


def _notice(
    event: ParticipantResponded | ParticipantProposedNewTime | InvitationFailed,
    envelope: Envelope,
    topic: NoticeTopic,
    **details: Any,
) -> HostNotice | None:
    person = _participant(event.meeting.participants, event.participant_uuid)
    if person is None or envelope.sequence is None:  # who is no longer a guest is no news
        return None
    return HostNotice(
        participant_uuid=event.participant_uuid,
        topic=topic,
        meeting_uuid=event.meeting.meeting_uuid,
        tenant_uuid=event.meeting.tenant_uuid,
        sequence=envelope.sequence,
        at=envelope.time,
        correlation_id=envelope.correlation_id or envelope.id,
        traceparent=envelope.traceparent,
        meeting=event.meeting.model_copy(update={"participants": []}),
        person=person,
        **details,
    )


def _participant(people: Sequence[ParticipantState], participant_uuid: str) -> ParticipantState | None:
    return next((person for person in people if person.participant_uuid == participant_uuid), None)
