"""Events of meetings, for every service of the platform. Each carries the whole public state after it.

Per meeting, events are in order and gapless: ``ce_sequence`` is the meeting's version, and each version has one event.
"""

from pydantic import Field

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import MEETING_EVENTS
from contracts.values.changes import ActorRef, FieldChange
from contracts.values.enums import DeliveryFailureCode, MailKind, RsvpStatus, SyncFailureCode, SyncOperation
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.personal import PersonId, WrittenText
from contracts.values.times import Instant

UNSEEN_BY_GUESTS = frozenset({"internalNotes", "participants"})
"""Wire names of fields whose change mails no guest; of the participants each sees only themselves."""


class MeetingEvent(Contract):
    """A change of a meeting: who made it, what it changed, and the state it led to."""

    meeting: MeetingState
    actor: ActorRef
    changes: list[FieldChange] = Field(
        default_factory=list,
        description="old and new values; empty for a new meeting. Of internal notes, the meeting password and people's "
        "contact data only that they changed; who came and went is in `added` and `removed`",
    )


@message("meetings.meeting.created.v1", MEETING_EVENTS)
class MeetingCreated(MeetingEvent):
    """A meeting was created."""


@message("meetings.meeting.updated.v1", MEETING_EVENTS)
class MeetingUpdated(MeetingEvent):
    """A meeting's content or people changed."""

    changed: list[str] = Field(description="the changed fields, by their wire names; `participants` for people")
    rescheduled: bool = Field(
        description="time, zone or place is new: every answer is UNKNOWN again, unless the meeting is imported"
    )
    added: list[PersonId] = Field(default_factory=list, description="participantUuids of new participants")
    removed: list[ParticipantState] = Field(default_factory=list, description="who is no longer a participant")
    silent: bool = Field(default=False, description="no mail is due; the next mail includes the change")

    @property
    def is_seen_by_guests(self) -> bool:
        """Whether something changed that every guest can see."""
        return not UNSEEN_BY_GUESTS.issuperset(self.changed)


@message("meetings.meeting.canceled.v1", MEETING_EVENTS)
class MeetingCanceled(MeetingEvent):
    """A meeting was canceled."""


@message("meetings.participant.responded.v1", MEETING_EVENTS)
class ParticipantResponded(MeetingEvent):
    """A participant accepted or declined."""

    participant_uuid: PersonId
    rsvp_status: RsvpStatus
    tentative: bool = Field(default=False, description="they may come; their answer is UNKNOWN")


@message("meetings.participant.proposed-new-time.v1", MEETING_EVENTS)
class ParticipantProposedNewTime(MeetingEvent):
    """A participant proposed another time by mail. Nothing changes by itself: time and answer stay."""

    participant_uuid: PersonId
    starts_at: Instant
    ends_at: Instant
    comment: WrittenText | None = Field(default=None, description="in the participant's words")


@message("meetings.invitation.resent.v1", MEETING_EVENTS)
class InvitationResent(MeetingEvent):
    """The host asked that participants be mailed their invitation again; the mails follow."""

    participant_uuids: list[PersonId] = Field(description="whom to mail; never those who were skipped")


@message("meetings.meeting.removed-from-calendar.v1", MEETING_EVENTS)
class MeetingRemovedFromCalendar(MeetingEvent):
    """A person took a canceled meeting off their calendar."""

    user_uuid: PersonId


@message("meetings.invitation.delivered.v1", MEETING_EVENTS)
class InvitationDelivered(MeetingEvent):
    """A mail about the meeting was sent to a participant."""

    participant_uuid: PersonId
    kind: MailKind


@message("meetings.invitation.failed.v1", MEETING_EVENTS)
class InvitationFailed(MeetingEvent):
    """A mail about the meeting could not be sent to a participant, and will not be tried again by itself."""

    participant_uuid: PersonId
    kind: MailKind
    failure_code: DeliveryFailureCode
    failure_reason: WrittenText


@message("meetings.sync.changed.v1", MEETING_EVENTS)
class MeetingSyncChanged(MeetingEvent):
    """The sync status of the meeting's event in the host's calendar changed; see ``externalSyncStatus``."""

    operation: SyncOperation | None = None
    failure_code: SyncFailureCode | None = None
    failure_reason: WrittenText | None = None


@message("meetings.sync.retry-requested.v1", MEETING_EVENTS)
class SyncRetryRequested(MeetingEvent):
    """The host asked that a failed sync be tried again."""
