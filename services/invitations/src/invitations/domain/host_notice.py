"""What a host is mailed: guests' answers, proposed times, mails that did not arrive, and their own meetings. Pure.

There is one notice for each guest and topic, and one for each meeting itself, which the newest event replaces: several
answers in a row are one mail.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from contracts.messages.meeting_events import (
    InvitationFailed,
    MeetingCanceled,
    MeetingCreated,
    MeetingEvent,
    MeetingUpdated,
    ParticipantProposedNewTime,
    ParticipantResponded,
)
from contracts.model import StoredModel
from contracts.transport.envelope import Envelope
from contracts.values.enums import ExternalSyncStatus, MeetingSource, MeetingStatus, RsvpStatus
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.personal import PersonId, WrittenText
from contracts.values.times import Instant

from invitations.domain.guest import SentContent


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
    MEETING = "meeting"


class HostNotice(StoredModel, ABC, frozen=True):
    """The newest news on one topic, and how far the host was mailed about it."""

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
    settled_sequence: int = 0
    """The version that the host was last mailed about, or could not be."""

    @property
    def is_news(self) -> bool:
        """Whether this was not settled yet."""
        return self.sequence > self.settled_sequence

    @property
    @abstractmethod
    def subject_id(self) -> str:
        """Whom or what it is about."""

    @property
    def notice_id(self) -> str:
        return f"{self.subject_id}:{self.topic}"

    @abstractmethod
    def is_pending(self, scope: HostMails) -> bool:
        """Whether the host is to be mailed now; ``scope``: about which news of guests."""

    @abstractmethod
    def mailed_fields(self) -> dict[str, Any]:
        """What is kept of a mail to the host, by its stored names."""


class GuestNotice(HostNotice, frozen=True):
    """News of one guest."""

    participant_uuid: PersonId
    person: ParticipantState
    answer: RsvpStatus | None = None
    tentative: bool = False
    starts_at: Instant | None = None
    """Of a proposed time."""
    ends_at: Instant | None = None
    comment: WrittenText | None = None
    failure_reason: WrittenText | None = None
    mailed_answer: RsvpStatus | None = None
    """The answer in the last mail to the host."""

    @property
    def subject_id(self) -> str:
        return self.participant_uuid

    def is_pending(self, scope: HostMails) -> bool:
        """See ``HostNotice.is_pending``. An answer that corrects a mailed decline is news like the decline."""
        if scope is HostMails.NONE or not self.is_news:
            return False
        if self.topic is not NoticeTopic.ANSWER or scope is HostMails.ALL:
            return True
        return RsvpStatus.DECLINED in (self.answer, self.mailed_answer)

    def mailed_fields(self) -> dict[str, Any]:
        return {"mailedAnswer": self.answer}


class MeetingNotice(HostNotice, frozen=True):
    """The host's own meeting, for a calendar that is not connected."""

    mailed: SentContent | None = None
    """What the last mail said; None: the host does not have the meeting in their calendar."""

    @property
    def is_canceled(self) -> bool:
        return self.meeting.status is MeetingStatus.CANCELED

    @property
    def subject_id(self) -> str:
        return self.meeting_uuid

    def is_pending(self, _scope: HostMails) -> bool:
        """See ``HostNotice.is_pending``. A meeting that was canceled before it was mailed is no news."""
        return self.is_news and (self.mailed is not None or not self.is_canceled)

    def mailed_fields(self) -> dict[str, Any]:
        return {"mailed": SentContent.of(self.meeting).model_dump()}


def host_notice(event: MeetingEvent, envelope: Envelope) -> HostNotice | None:
    """The notice that an event is to the host; None: it is none.

    Hosts of imported meetings are in contact with their guests by their own calendars.
    """
    if event.meeting.source is not MeetingSource.INTERNAL or envelope.sequence is None:
        return None
    match event:
        case ParticipantResponded(rsvp_status=answer, tentative=tentative):
            return _guest_notice(event, envelope, NoticeTopic.ANSWER, answer=answer, tentative=tentative)
        case ParticipantProposedNewTime(starts_at=starts_at, ends_at=ends_at, comment=comment):
            proposal = {"starts_at": starts_at, "ends_at": ends_at, "comment": comment}
            return _guest_notice(event, envelope, NoticeTopic.PROPOSAL, **proposal)
        case InvitationFailed(failure_reason=reason):
            return _guest_notice(event, envelope, NoticeTopic.FAILURE, failure_reason=reason)
    return None


def meeting_notice(event: MeetingEvent, envelope: Envelope) -> MeetingNotice | None:
    """The host's own meeting, when an event changes what a calendar shows of it and no calendar is connected."""
    meeting = event.meeting
    if meeting.source is not MeetingSource.INTERNAL or envelope.sequence is None:
        return None
    match event:
        case MeetingCreated() | MeetingCanceled():
            is_news = True
        case MeetingUpdated():
            is_news = event.is_seen_by_guests
        case _:
            is_news = False
    if not is_news or meeting.external_sync_status is not ExternalSyncStatus.NOT_APPLICABLE:
        return None
    return MeetingNotice(topic=NoticeTopic.MEETING, **_common(event, envelope))


def _guest_notice(
    event: ParticipantResponded | ParticipantProposedNewTime | InvitationFailed,
    envelope: Envelope,
    topic: NoticeTopic,
    **details: Any,
) -> GuestNotice | None:
    person = _participant(event.meeting.participants, event.participant_uuid)
    if person is None:  # who is no longer a guest is no news
        return None
    return GuestNotice(
        topic=topic, participant_uuid=event.participant_uuid, person=person, **_common(event, envelope), **details
    )


def _common(event: MeetingEvent, envelope: Envelope) -> dict[str, Any]:
    return {
        "meeting_uuid": event.meeting.meeting_uuid,
        "tenant_uuid": event.meeting.tenant_uuid,
        "sequence": envelope.sequence,
        "at": envelope.time,
        "correlation_id": envelope.correlation_id or envelope.id,
        "traceparent": envelope.traceparent,
        "meeting": event.meeting.model_copy(update={"participants": []}),
    }


def _participant(people: Sequence[ParticipantState], participant_uuid: str) -> ParticipantState | None:
    return next((person for person in people if person.participant_uuid == participant_uuid), None)
