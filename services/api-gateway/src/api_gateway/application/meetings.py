"""Commands on meetings: a request becomes a command, with the people in it resolved."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Protocol

from chassis.kafka.command_client import CommandClient
from contracts.messages.command import Actor, Command
from contracts.messages.meeting_commands import (
    AnswerInvitation,
    CancelMeeting,
    CreateMeeting,
    HideMeeting,
    RequestInvitationResend,
    RetrySync,
    UpdateMeeting,
)
from contracts.model import Contract
from contracts.values.enums import ParticipantType, UserType
from contracts.values.ids import meeting_uuid_for, new_meeting_uuid
from contracts.values.meeting import Invitee

from api_gateway.application.requests import CommandOutcome, CommandRequest
from api_gateway.domain.caller import Caller
from api_gateway.schemas.bodies import CreateMeetingBody, ExternalAttendee, RsvpBody, UpdateMeetingBody


class Directory(Protocol):
    """Who an id is, asked with the caller's own authority."""

    async def people(self, caller: Caller, contact_ids: Sequence[str], staff_ids: Sequence[str]) -> list[Invitee]:
        """Raises a ApiError that names each unknown id."""

    async def actor(self, caller: Caller) -> Actor:
        """The caller as the directory knows them."""


class MeetingCommands:
    """Writes commands about meetings and awaits their outcome."""

    def __init__(self, commands: CommandClient, directory: Directory) -> None:
        self._commands = commands
        self._directory = directory

    async def create(self, request: CommandRequest, body: CreateMeetingBody) -> CommandOutcome:
        caller = request.caller
        people, actor = await asyncio.gather(
            self._directory.people(caller, _distinct(body.contact_ids), _colleagues(body.staff_ids, caller)),
            self._directory.actor(caller),
        )
        command_id = request.command_id
        content = body.content()
        return await self._send(
            CreateMeeting(
                command_id=command_id,
                fingerprint=_fingerprint(request, body),
                meeting_uuid=new_meeting_uuid() if request.idempotency_key is None else meeting_uuid_for(command_id),
                actor=actor,
                content=content.model_copy(update=_unwritable(caller)),
                invitees=[*people, *map(_as_invitee, body.external_attendees or ())],
            )
        )

    async def update(self, request: CommandRequest, meeting_uuid: str, body: UpdateMeetingBody) -> CommandOutcome:
        caller = request.caller
        contacts, staff = await asyncio.gather(
            self._directory.people(caller, _distinct(body.contact_ids), ()),
            self._directory.people(caller, (), _colleagues(body.staff_ids, caller)),
        )
        guests = body.external_attendees
        return await self._send(
            UpdateMeeting(
                command_id=request.command_id,
                fingerprint=_fingerprint(request, body),
                meeting_uuid=meeting_uuid,
                expected_versions=request.expected_versions,
                actor=caller.actor(),
                changes=body.changes().model_copy(update=_unwritable(caller)),
                contacts=None if body.contact_ids is None else contacts,
                staff=None if body.staff_ids is None else staff,
                externals=None if guests is None else [_as_invitee(guest) for guest in guests],
            )
        )

    async def cancel(self, request: CommandRequest, meeting_uuid: str) -> CommandOutcome:
        return await self._send(
            CancelMeeting(
                command_id=request.command_id,
                fingerprint="",
                meeting_uuid=meeting_uuid,
                expected_versions=request.expected_versions,
                actor=request.caller.actor(),
            )
        )

    async def hide(self, request: CommandRequest, meeting_uuid: str) -> CommandOutcome:
        return await self._send(
            HideMeeting(
                command_id=request.command_id, fingerprint="", meeting_uuid=meeting_uuid, actor=request.caller.actor()
            )
        )

    async def answer(self, request: CommandRequest, meeting_uuid: str, body: RsvpBody) -> CommandOutcome:
        """Accept or decline as the participant that the caller is."""
        return await self._send(
            AnswerInvitation(
                command_id=request.command_id,
                fingerprint=_fingerprint(request, body),
                meeting_uuid=meeting_uuid,
                expected_versions=request.expected_versions,
                actor=request.caller.actor(),
                status=body.status,
            )
        )

    async def resend(
        self, request: CommandRequest, meeting_uuid: str, participant_uuid: str | None = None
    ) -> CommandOutcome:
        """Have one participant, or all, mailed their invitation again."""
        return await self._send(
            RequestInvitationResend(
                command_id=request.command_id,
                fingerprint="",
                meeting_uuid=meeting_uuid,
                expected_versions=request.expected_versions,
                actor=request.caller.actor(),
                participant_uuid=participant_uuid,
            )
        )

    async def retry_sync(self, request: CommandRequest, meeting_uuid: str) -> CommandOutcome:
        """Have a failed sync with the host's external calendar tried again."""
        return await self._send(
            RetrySync(
                command_id=request.command_id,
                fingerprint="",
                meeting_uuid=meeting_uuid,
                expected_versions=request.expected_versions,
                actor=request.caller.actor(),
            )
        )

    async def _send(self, command: Command) -> CommandOutcome:
        reply = await self._commands.request(command, key=command.meeting_uuid)
        return CommandOutcome(command.meeting_uuid, reply)


def _fingerprint(request: CommandRequest, body: Contract) -> str:
    """What tells whether a repeat under the same key asks for the same."""
    if request.idempotency_key is None:
        return ""
    return hashlib.sha256(body.model_dump_json(exclude_unset=True).encode()).hexdigest()


def _as_invitee(guest: ExternalAttendee) -> Invitee:
    return Invitee(participant_type=ParticipantType.EXTERNAL, **dict(guest))


def _distinct(ids: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(ids or ()))


def _colleagues(ids: Sequence[str] | None, caller: Caller) -> list[str]:
    """The caller's own id is ignored: the host is no participant."""
    return [user_id for user_id in _distinct(ids) if user_id != caller.user_id]


def _unwritable(caller: Caller) -> dict[str, None]:
    """Internal notes are the staff's: what a client sends is ignored."""
    return {"internal_notes": None} if caller.user_type is UserType.CLIENT else {}
