"""Deciding a command: refused, done, or done already. Pure, apart from the work in hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import ResendInvitation
from contracts.messages.command import ActorCommand, Command
from contracts.messages.meeting_commands import (
    AnswerInvitation,
    CancelMeeting,
    CreateMeeting,
    HideMeeting,
    RequestInvitationResend,
    RetrySync,
    UpdateMeeting,
)
from contracts.messages.meeting_events import MeetingCreated, MeetingEvent, MeetingUpdated
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.model import Contract
from contracts.values.enums import AnswerWay

from meeting_core.application.work import Work
from meeting_core.domain.guest_limits import GuestLimits
from meeting_core.domain.mail_budget import MailBudgets, mails_caused_by
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import Participant
from meeting_core.domain.views import Viewer

RESEND_COOLDOWN = timedelta(seconds=60)
Carried = tuple[Meeting, MeetingEvent | None]
_Check = Callable[[Command, MeetingEvent | None, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What operators may set."""

    resend_cooldown: timedelta = RESEND_COOLDOWN
    guests: GuestLimits = field(default_factory=GuestLimits)


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """When a command is carried out, and whether the meeting's host has an external calendar connected."""

    now: datetime
    synced: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of command is carried out, and what its caller is answered, at first and at every repeat."""

    carry_out: Callable[[Meeting | None, Any, _Circumstances], Carried]
    answer: Callable[[Meeting, Any], Contract | list[ResendInvitation] | None]


_DEFAULT_RULES, _UNLIMITED = Rules(), MailBudgets()


def decide(
    work: Work, command: Command, now: datetime, budgets: MailBudgets = _UNLIMITED, *, rules: Rules = _DEFAULT_RULES
) -> Reply:
    """Carry a command out on the meeting in hand, unless it was decided before, and answer it."""
    kind = _kinds(rules.resend_cooldown)[type(command)]
    meeting = work.meeting if command.tenant is None else work.of_tenant(command.tenant)
    try:
        _check_seen(work, meeting, command)
        if meeting is None or not meeting.has_decided(command):
            check = partial(_check_mails, rules.guests, budgets)
            meeting = _carry_out(kind, work, meeting, command, now, check=check)
    except ApiError as refusal:
        return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
    return Reply(outcome=Outcome.OK, version=meeting.version, data=kind.answer(meeting, command))


def _check_seen(work: Work, meeting: Meeting | None, command: Command) -> None:
    """Who does not see a meeting learns nothing of its state and leaves no trace in it."""
    if meeting is None and work.meeting is not None:  # another tenant's
        raise ApiError(ErrorCode.MEETING_NOT_FOUND)
    if meeting is None:
        return
    actor = getattr(command, "actor", None)
    if actor is not None and not meeting.admits(actor.user_id):
        raise ApiError(ErrorCode.FORBIDDEN)
    if actor is None and isinstance(command, AnswerInvitation):
        meeting.participant(command.participant_uuid)


def _carry_out(
    kind: _Kind, work: Work, meeting: Meeting | None, command: Command, now: datetime, *, check: _Check
) -> Meeting:
    try:
        _check_version(meeting, command)
        # A copy, so that a change that is refused for its consequences has changed nothing.
        subject = None if meeting is None else meeting.model_copy()
        carried, event = kind.carry_out(subject, command, _Circumstances(now, work.synced))
        check(command, event, now)
    except ApiError as refusal:
        if meeting is not None and refusal.retry_after is None:
            work.remember(meeting, command, now, refusal=refusal)
        raise
    if event is None:
        work.keep(carried)
    else:
        work.say(carried, event)
    work.remember(carried, command, now, changed=event is not None)
    return carried


def _check_mails(
    guests: GuestLimits, budgets: MailBudgets, command: Command, event: MeetingEvent | None, now: datetime
) -> None:
    """Whether the caller may invite these guests, and cause so many mails."""
    if not isinstance(command, ActorCommand):
        return
    match event:
        case MeetingCreated():
            people = event.meeting.participants
            guests.check(command.actor.user_type, people, {person.participant_uuid for person in people})
        case MeetingUpdated():
            guests.check(command.actor.user_type, event.meeting.participants, event.added)
    budgets.charge(command.actor, mails_caused_by(event), now)


def _check_version(meeting: Meeting | None, command: Command) -> None:
    if meeting is None or command.expected_versions is None:
        return
    if not any(map(meeting.is_still_as_in, command.expected_versions)):
        raise ApiError(ErrorCode.VERSION_STALE)


def _create(meeting: Meeting | None, command: CreateMeeting, given: _Circumstances) -> Carried:
    if meeting is not None:  # its first answer is no longer remembered
        return meeting, None
    return Meeting.create(command, given.now, synced=given.synced)


def _update(meeting: Meeting | None, command: UpdateMeeting, given: _Circumstances) -> Carried:
    found = _existing(meeting)
    return found, found.update(command, given.now, synced=given.synced)


def _cancel(meeting: Meeting | None, command: CancelMeeting, given: _Circumstances) -> Carried:
    found = _existing(meeting)
    return found, found.cancel(command.actor, given.now, synced=given.synced)


def _hide(meeting: Meeting | None, command: HideMeeting, given: _Circumstances) -> Carried:
    found = _existing(meeting)
    return found, found.hide(command.actor, given.now)


def _answer_invitation(meeting: Meeting | None, command: AnswerInvitation, given: _Circumstances) -> Carried:
    found = _existing(meeting)
    respondent = found.respondent(actor=command.actor, participant_uuid=command.participant_uuid)
    way = AnswerWay.MAIL_LINK if command.actor is None else AnswerWay.API
    return found, found.answer(respondent, command.status, given.now, way=way)


def _resend(
    cooldown: timedelta, meeting: Meeting | None, command: RequestInvitationResend, given: _Circumstances
) -> Carried:
    found = _existing(meeting)
    return found, found.resend(command.actor, command.participant_uuid, given.now, cooldown)


def _retry_sync(meeting: Meeting | None, command: RetrySync, _given: _Circumstances) -> Carried:
    found = _existing(meeting)
    return found, found.retry_sync(command.actor)


def _existing(meeting: Meeting | None) -> Meeting:
    if meeting is None:
        raise ApiError(ErrorCode.MEETING_NOT_FOUND)
    return meeting


def _full_view(meeting: Meeting, command: Any) -> Contract:
    return Viewer(meeting, command.actor).full()


def _own_answer(meeting: Meeting, command: AnswerInvitation) -> Contract:
    respondent = meeting.respondent(actor=command.actor, participant_uuid=command.participant_uuid)
    return Viewer(meeting, command.actor).participant(respondent)


def _resent(meeting: Meeting, command: RequestInvitationResend) -> ResendInvitation | list[ResendInvitation]:
    def told(one: Participant) -> ResendInvitation:
        mailed = meeting.was_mailed_again_by(command, one)
        resent_at = one.last_invitation_resent_at if mailed else None
        return ResendInvitation(email=one.email, last_invitation_resent_at=resent_at)

    if command.participant_uuid is not None:
        return told(meeting.participant(command.participant_uuid))
    return [told(one) for one in meeting.participants]


def _nothing(_meeting: Meeting, _command: Any) -> None:
    return None


@cache
def _kinds(resend_cooldown: timedelta) -> dict[type[Command], _Kind]:
    return {
        CreateMeeting: _Kind(_create, _full_view),
        UpdateMeeting: _Kind(_update, _full_view),
        CancelMeeting: _Kind(_cancel, _full_view),
        HideMeeting: _Kind(_hide, _nothing),
        AnswerInvitation: _Kind(_answer_invitation, _own_answer),
        RequestInvitationResend: _Kind(partial(_resend, resend_cooldown), _resent),
        RetrySync: _Kind(_retry_sync, _full_view),
    }
