"""Commands about one meeting, as the gateway would send them, and a harness that executes them without a broker."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from contracts.api.errors import ErrorCode
from contracts.api.meetings import MeetingView, ParticipantView
from contracts.messages.command import Actor, Command
from contracts.messages.meeting_commands import (
    AnswerInvitation,
    CancelMeeting,
    CreateMeeting,
    HideMeeting,
    MeetingChanges,
    UpdateMeeting,
)
from contracts.messages.meeting_events import MeetingEvent
from contracts.messages.replies import Outcome, Reply
from contracts.transport.envelope import Envelope
from contracts.transport.registry import MESSAGE_TYPES
from contracts.values.enums import LocationType, ParticipantType, RsvpStatus, UserType
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import Invitee, MeetingContent
from meeting_core.application.commands import execute_command
from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.domain.meeting import Meeting

MEETING = "M019A16FF372A70B5A9307B00CE85E4DA"
TENANT = "T019A16FF372A70B5A9307B00CE85E4DA"


def actor(
    user_id: str, *, user_type: UserType = UserType.TENANT_STAFF, tenant: str = TENANT, email: str | None = None
) -> Actor:
    """A caller; without an address, one made from the id."""
    address = email or f"{user_id.lower()}@example.com"
    return Actor(tenant_uuid=tenant, user_id=user_id, user_type=user_type, email=address, name=f"Name of {user_id}")


HOST = actor("TS-HOST")
COLLEAGUE = actor("TS-COLLEAGUE")
CLIENT = actor("C-CLIENT", user_type=UserType.CLIENT)
OUTSIDER = actor("TS-OUTSIDER")
STRANGER = actor("TS-HOST", tenant="T-OTHER")
"""Someone of another tenant who even has the host's id."""


def contact(one: str = CLIENT.user_id, *, email: str | None = None, name: str | None = None) -> Invitee:
    return _person(ParticipantType.CONTACT, one, email, name)


def staff(one: str = COLLEAGUE.user_id, *, email: str | None = None, name: str | None = None) -> Invitee:
    kind = ParticipantType.PARTNER_STAFF if one.startswith("PS") else ParticipantType.TENANT_STAFF
    return _person(kind, one, email, name)


def guest(email: str = "jane.roe@example.com", **more: Any) -> Invitee:
    return Invitee(participant_type=ParticipantType.EXTERNAL, email=email, **more)


def _person(kind: ParticipantType, one: str, email: str | None, name: str | None) -> Invitee:
    address = email or f"{one.lower()}@example.com"
    return Invitee(participant_type=kind, participant_entity_uuid=one, email=address, name=name or f"Name of {one}")


def at(time: str) -> datetime:
    """That wall-clock time, ``15:30``, on the day of the meeting."""
    return datetime.fromisoformat(f"2026-06-15T{time}:00")


def content(**changes: Any) -> MeetingContent:
    """A review from 15:00 to 15:45 in Santiago, changed as asked."""
    given: dict[str, Any] = {
        "title": "Quarterly portfolio review",
        "start_date_time": at("15:00"),
        "end_date_time": at("15:45"),
        "timezone": "America/Santiago",
        "location_type": LocationType.ONLINE,
        "description": "Review Q2 performance.",
        "internal_notes": "Bring the updated IPS draft.",
        "meeting_password": "open sesame",
    }
    return MeetingContent(**(given | changes))


def create(
    *invitees: Invitee, by: Actor = HOST, command_id: str = "", fingerprint: str = "", **of: Any
) -> CreateMeeting:
    return CreateMeeting(
        command_id=command_id or uuid7_hex(),
        fingerprint=fingerprint,
        meeting_uuid=MEETING,
        actor=by,
        content=content(**of),
        invitees=list(invitees),
    )


def update(
    *,
    by: Actor = HOST,
    contacts: list[Invitee] | None = None,
    staff: list[Invitee] | None = None,
    externals: list[Invitee] | None = None,
    command_id: str = "",
    fingerprint: str = "",
    expected_versions: list[int] | None = None,
    **changes: Any,
) -> UpdateMeeting:
    return UpdateMeeting(
        command_id=command_id or uuid7_hex(),
        fingerprint=fingerprint,
        meeting_uuid=MEETING,
        expected_versions=expected_versions,
        actor=by,
        changes=MeetingChanges(**changes),
        contacts=contacts,
        staff=staff,
        externals=externals,
    )


def cancel(*, by: Actor = HOST, command_id: str = "", expected_versions: list[int] | None = None) -> CancelMeeting:
    return CancelMeeting(
        command_id=command_id or uuid7_hex(),
        fingerprint="",
        meeting_uuid=MEETING,
        expected_versions=expected_versions,
        actor=by,
    )


def hide(*, by: Actor = HOST, command_id: str = "") -> HideMeeting:
    return HideMeeting(command_id=command_id or uuid7_hex(), fingerprint="", meeting_uuid=MEETING, actor=by)


def answer(
    status: RsvpStatus = RsvpStatus.ACCEPTED,
    *,
    by: Actor | None = None,
    participant_uuid: str | None = None,
    tenant_uuid: str | None = None,
    expected_versions: list[int] | None = None,
) -> AnswerInvitation:
    return AnswerInvitation(
        command_id=uuid7_hex(),
        fingerprint="",
        meeting_uuid=MEETING,
        expected_versions=expected_versions,
        actor=by,
        participant_uuid=participant_uuid,
        tenant_uuid=tenant_uuid,
        status=status,
    )


class CommandHarness:
    """One meeting in hand. Each command is carried out a minute after the one before."""

    def __init__(self, *opening: Command) -> None:
        self.uow = UnitOfWork()
        self.now = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
        for command in opening:
            self.done(command)

    def decided(self, command: Command) -> Reply:
        """What the caller is answered."""
        self.now += timedelta(minutes=1)
        return execute_command(self.uow, command, self.now)

    def done(self, command: Command) -> Reply:
        """The same, of a command that must succeed."""
        reply = self.decided(command)
        assert reply.outcome is Outcome.OK, reply.error
        return reply

    def seen(self, command: Command) -> MeetingView:
        """The meeting as the caller of a successful command sees it."""
        return cast("MeetingView", self.done(command).data)

    def participant(self, command: Command) -> ParticipantView:
        """The participant that a successful answer is answered with."""
        return cast("ParticipantView", self.done(command).data)

    def refused(self, command: Command) -> ErrorCode:
        """Why a command that must be refused was."""
        reply = self.decided(command)
        assert reply.outcome is Outcome.REJECTED
        assert reply.error is not None
        return ErrorCode.of(reply.error.code)

    @property
    def meeting(self) -> Meeting:
        assert self.uow.meeting is not None
        return self.uow.meeting

    @property
    def events(self) -> list[MeetingEvent]:
        """All that was said so far, oldest first."""
        return [
            cast("MeetingEvent", MESSAGE_TYPES[envelope.type].body.model_validate_json(said.value))
            for envelope, said in zip(self.envelopes, self.uow.new_records, strict=True)
        ]

    @property
    def envelopes(self) -> list[Envelope]:
        return [Envelope.from_headers(said.headers) for said in self.uow.new_records]

    def uuid_of(self, email: str) -> str:
        """The participantUuid of whoever has this address."""
        return next(one.participant_uuid for one in self.meeting.participants if one.email == email)
