"""Deciding a command: refused, done, or done already. Pure, apart from the work in hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.commands import (
    Actor,
    AnswerInvitation,
    CancelMeeting,
    Command,
    CreateMeeting,
    HideMeeting,
    UpdateMeeting,
)
from contracts.errors import ErrorCode, Refusal
from contracts.events import MeetingEvent
from contracts.model import Contract
from contracts.replies import Outcome, Reply, ReplyError

from meeting_core.application.work import Work
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer

Carried = tuple[Meeting, MeetingEvent | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of command is carried out, and what its caller is answered, at first and at every repeat."""

    carry_out: Callable[[Meeting | None, Any, datetime], Carried]
    answer: Callable[[Meeting, Any], Contract | None]


def decide(work: Work, command: Command, now: datetime) -> Reply:
    """Carry a command out on the meeting in hand, unless it was decided before, and answer it."""
    kind = _KINDS[type(command)]
    actor = getattr(command, "actor", None)
    meeting = work.meeting if actor is None else work.of_tenant(actor.tenant_uuid)
    try:
        _check_seen(work, meeting, actor)
        if meeting is None or not meeting.has_decided(command):
            meeting = _carry_out(kind, work, meeting, command, now)
    except Refusal as refusal:
        return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
    return Reply(outcome=Outcome.OK, version=meeting.version, data=kind.answer(meeting, command))


def _check_seen(work: Work, meeting: Meeting | None, actor: Actor | None) -> None:
    """Who does not see a meeting learns nothing of its state and leaves no trace in it."""
    if meeting is None and work.meeting is not None:  # another tenant's
        raise Refusal(ErrorCode.MEETING_NOT_FOUND)
    if meeting is not None and actor is not None and not meeting.admits(actor.user_id):
        raise Refusal(ErrorCode.FORBIDDEN)


def _carry_out(kind: _Kind, work: Work, meeting: Meeting | None, command: Command, now: datetime) -> Meeting:
    try:
        _check_version(meeting, command)
        carried, event = kind.carry_out(meeting, command, now)
    except Refusal as refusal:
        if meeting is not None:
            work.remember(meeting, command, refusal)
        raise
    if event is not None:
        work.say(carried, event)
    work.remember(carried, command)
    return carried


def _check_version(meeting: Meeting | None, command: Command) -> None:
    if meeting is None or command.expected_versions is None:
        return
    if meeting.version not in command.expected_versions:
        raise Refusal(ErrorCode.VERSION_STALE)


def _create(meeting: Meeting | None, command: CreateMeeting, now: datetime) -> Carried:
    if meeting is not None:  # its first answer is no longer remembered
        return meeting, None
    return Meeting.create(command, now)


def _update(meeting: Meeting | None, command: UpdateMeeting, now: datetime) -> Carried:
    found = _existing(meeting)
    return found, found.update(command, now)


def _cancel(meeting: Meeting | None, command: CancelMeeting, now: datetime) -> Carried:
    found = _existing(meeting)
    return found, found.cancel(command.actor, now)


def _hide(meeting: Meeting | None, command: HideMeeting, now: datetime) -> Carried:
    found = _existing(meeting)
    return found, found.hide(command.actor, now)


def _answer_invitation(meeting: Meeting | None, command: AnswerInvitation, now: datetime) -> Carried:
    found = _existing(meeting)
    respondent = found.respondent(actor=command.actor, participant_uuid=command.participant_uuid)
    return found, found.answer(respondent, command.status, now)


def _existing(meeting: Meeting | None) -> Meeting:
    if meeting is None:
        raise Refusal(ErrorCode.MEETING_NOT_FOUND)
    return meeting


def _full_view(meeting: Meeting, command: Any) -> Contract:
    return Viewer(meeting, command.actor).full()


def _own_answer(meeting: Meeting, command: AnswerInvitation) -> Contract:
    respondent = meeting.respondent(actor=command.actor, participant_uuid=command.participant_uuid)
    return Viewer(meeting, command.actor).participant(respondent)


def _nothing(_meeting: Meeting, _command: Any) -> None:
    return None


_KINDS: dict[type[Command], _Kind] = {
    CreateMeeting: _Kind(_create, _full_view),
    UpdateMeeting: _Kind(_update, _full_view),
    CancelMeeting: _Kind(_cancel, _full_view),
    HideMeeting: _Kind(_hide, _nothing),
    AnswerInvitation: _Kind(_answer_invitation, _own_answer),
}
