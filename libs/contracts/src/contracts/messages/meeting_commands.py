"""Commands about meetings: api-gateway writes them, meeting-core executes them."""

from pydantic import Field

from contracts.messages.command import Actor, ActorCommand, Command
from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import MEETING_COMMANDS
from contracts.values.enums import LocationType, RsvpStatus
from contracts.values.meeting import Invitee, MeetingContent
from contracts.values.personal import Credential, PersonId, WrittenText
from contracts.values.times import LocalDateTime, TimeZoneName


@message("meetings.meeting.create.v1", MEETING_COMMANDS)
class CreateMeeting(ActorCommand):
    """Create a meeting hosted by the actor; the people are resolved already."""

    content: MeetingContent
    invitees: list[Invitee] = Field(default_factory=list)


class MeetingChanges(Contract):
    """The fields to change; null = unchanged, an empty string clears."""

    title: WrittenText | None = None
    start_date_time: LocalDateTime | None = None
    end_date_time: LocalDateTime | None = None
    timezone: TimeZoneName | None = None
    all_day: bool | None = None
    location_type: LocationType | None = None
    location_detail: WrittenText | None = None
    description: WrittenText | None = None
    internal_notes: WrittenText | None = None
    meeting_information: WrittenText | None = None
    meeting_link: WrittenText | None = None
    meeting_password: Credential | None = None
    meeting_provider: str | None = None


@message("meetings.meeting.update.v1", MEETING_COMMANDS)
class UpdateMeeting(ActorCommand):
    """Change a meeting. A list of people that is given replaces the participants of its kind only."""

    changes: MeetingChanges
    contacts: list[Invitee] | None = None
    staff: list[Invitee] | None = None
    externals: list[Invitee] | None = None


@message("meetings.meeting.cancel.v1", MEETING_COMMANDS)
class CancelMeeting(ActorCommand):
    """Cancel a meeting."""


@message("meetings.meeting.hide.v1", MEETING_COMMANDS)
class HideMeeting(ActorCommand):
    """Take a canceled meeting off the actor's calendar."""


@message("meetings.invitation.answer.v1", MEETING_COMMANDS)
class AnswerInvitation(Command):
    """Accept or decline, as the participant the actor is, or as ``participant_uuid`` (a guest's mail link).

    ``tenant_uuid`` is the one that a guest's link proves; without a token it proves none.
    """

    actor: Actor | None = None
    participant_uuid: PersonId | None = None
    tenant_uuid: str | None = None
    status: RsvpStatus

    @property
    def tenant(self) -> str | None:
        return self.tenant_uuid if self.actor is None else self.actor.tenant_uuid


@message("meetings.invitation.resend.v1", MEETING_COMMANDS)
class RequestInvitationResend(ActorCommand):
    """Mail the invitation again: to ``participant_uuid``, or to every participant.

    Answered with a ``ResendInvitation``, or with one for each participant.
    """

    participant_uuid: PersonId | None = None


@message("meetings.sync.retry.v1", MEETING_COMMANDS)
class RetrySync(ActorCommand):
    """Try a failed sync with the host's external calendar again."""
