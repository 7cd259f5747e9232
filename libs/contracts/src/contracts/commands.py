"""Commands: what callers want done to a meeting. The gateway writes them, meeting-core carries them out."""

from pydantic import Field

from contracts.enums import LocationType, RsvpStatus, UserType
from contracts.meetings import Invitee, MeetingContent
from contracts.model import Contract
from contracts.registry import message
from contracts.times import LocalDateTime, TimeZoneName
from contracts.topics import MEETING_COMMANDS


class Actor(Contract):
    """The authenticated caller on whose behalf something happens."""

    tenant_uuid: str
    user_id: str
    user_type: UserType
    email: str
    name: str | None = None


class Command(Contract):
    """What every command says besides its own matter.

    ``command_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``), ``fingerprint``
    tells a repeat from another request under the same key, ``expected_versions`` are the caller's ``If-Match``.
    """

    command_id: str
    fingerprint: str
    meeting_uuid: str
    expected_versions: list[int] | None = None

    @property
    def tenant(self) -> str | None:
        """The tenant in which the meeting must be; None: the command proves none."""
        return None


class ActorCommand(Command):
    """A command of an authenticated caller."""

    actor: Actor

    @property
    def tenant(self) -> str:
        return self.actor.tenant_uuid


@message("meetings.meeting.create.v1", MEETING_COMMANDS)
class CreateMeeting(ActorCommand):
    """Create a meeting hosted by the actor; the people are resolved already."""

    content: MeetingContent
    invitees: list[Invitee] = Field(default_factory=list)


class MeetingChanges(Contract):
    """The fields to change; null = unchanged, an empty string clears."""

    title: str | None = None
    start_date_time: LocalDateTime | None = None
    end_date_time: LocalDateTime | None = None
    timezone: TimeZoneName | None = None
    all_day: bool | None = None
    location_type: LocationType | None = None
    location_detail: str | None = None
    description: str | None = None
    internal_notes: str | None = None
    meeting_information: str | None = None
    meeting_link: str | None = None
    meeting_password: str | None = None
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
    participant_uuid: str | None = None
    tenant_uuid: str | None = None
    status: RsvpStatus

    @property
    def tenant(self) -> str | None:
        return self.tenant_uuid if self.actor is None else self.actor.tenant_uuid


@message("meetings.invitation.resend.v1", MEETING_COMMANDS)
class ResendInvitations(ActorCommand):
    """Mail the invitation again: to ``participant_uuid``, or to every participant.

    Answered with a ``ResendInvitation``, or with one for each participant.
    """

    participant_uuid: str | None = None


@message("meetings.sync.retry.v1", MEETING_COMMANDS)
class RetrySync(ActorCommand):
    """Try a failed sync with the host's external calendar again."""
