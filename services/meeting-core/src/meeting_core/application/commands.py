"""Executes commands on meetings: each is refused, executed, or answered as before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
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
from contracts.values.enums import Way

from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.domain.access import require_visible, respondent
from meeting_core.domain.guest_limits import GuestLimits
from meeting_core.domain.mail_budget import MailBudgets, mails_caused_by
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import Participant
from meeting_core.domain.views import Viewer

RESEND_COOLDOWN = timedelta(seconds=60)
_Check = Callable[[Command, MeetingEvent | None, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What operators may set."""

    resend_cooldown: timedelta = RESEND_COOLDOWN
    guests: GuestLimits = field(default_factory=GuestLimits)


@dataclass(frozen=True, slots=True)
class _CommandContext:
    """When a command is executed, under which rules, and whether the host has an external calendar connected."""

    now: datetime
    host_connected: bool
    rules: Rules


@dataclass(frozen=True, slots=True)
class _CommandSpec:
    """How a kind of command is executed, and what its caller is answered, at first and at every repeat."""

    execute: Callable[[Meeting | None, Any, _CommandContext], Meeting]
    answer: Callable[[Meeting, Any], Contract | list[ResendInvitation] | None]


_DEFAULT_RULES, _UNLIMITED = Rules(), MailBudgets()


def execute_command(
    uow: UnitOfWork,
    command: Command,
    now: datetime,
    budgets: MailBudgets = _UNLIMITED,
    *,
    rules: Rules = _DEFAULT_RULES,
) -> Reply:
    """Execute a command on the meeting in hand, unless it was processed before, and answer it."""
    spec = _COMMAND_SPECS[type(command)]
    meeting = uow.meeting if command.tenant is None else uow.meeting_of(command.tenant)
    try:
        _check_visible(uow, meeting, command)
        if meeting is None or not meeting.processed_commands.has(command):
            context = _CommandContext(now, uow.host_connected, rules)
            check = partial(_check_mails, rules.guests, budgets)
            meeting = _execute(spec, uow, meeting, command, context, check=check)
    except ApiError as refusal:
        return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
    return Reply(outcome=Outcome.OK, version=meeting.version, data=spec.answer(meeting, command))


def _check_visible(uow: UnitOfWork, meeting: Meeting | None, command: Command) -> None:
    """Who does not see a meeting learns nothing of its state and leaves no trace in it."""
    if meeting is None and uow.meeting is not None:  # another tenant's
        raise ApiError(ErrorCode.MEETING_NOT_FOUND)
    if meeting is None:
        return
    actor = getattr(command, "actor", None)
    if actor is not None:
        require_visible(meeting, actor)
    elif isinstance(command, AnswerInvitation):
        meeting.participant(command.participant_uuid)


def _execute(
    spec: _CommandSpec,
    uow: UnitOfWork,
    meeting: Meeting | None,
    command: Command,
    context: _CommandContext,
    *,
    check: _Check,
) -> Meeting:
    try:
        _check_version(meeting, command)
        # A copy, so that a change that is refused for its consequences has changed nothing.
        changed = spec.execute(None if meeting is None else meeting.model_copy(), command, context)
        event = next(iter(changed.new_events), None)
        check(command, event, context.now)
    except ApiError as refusal:
        if meeting is not None and refusal.retry_after is None:
            meeting.record_processed(command, refusal, context.now, changed=False)
            uow.track(meeting)
        raise
    changed.record_processed(command, None, context.now, changed=event is not None)
    uow.track(changed)
    return changed


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
    if not any(map(meeting.is_unchanged_since, command.expected_versions)):
        raise ApiError(ErrorCode.VERSION_STALE)


def _create(meeting: Meeting | None, command: CreateMeeting, context: _CommandContext) -> Meeting:
    # A meeting that exists already: it was made by this command, which is no longer remembered.
    return meeting or Meeting.create(command, context.now, host_connected=context.host_connected)


def _update(meeting: Meeting | None, command: UpdateMeeting, context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    found.update(command, context.now, host_connected=context.host_connected)
    return found


def _cancel(meeting: Meeting | None, command: CancelMeeting, context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    found.cancel(command.actor, context.now, host_connected=context.host_connected)
    return found


def _hide(meeting: Meeting | None, command: HideMeeting, context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    found.hide(command.actor, context.now)
    return found


def _answer_invitation(meeting: Meeting | None, command: AnswerInvitation, context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    participant = respondent(found, actor=command.actor, participant_uuid=command.participant_uuid)
    if command.actor is not None:
        by = command.actor.reference
    else:
        by = participant.acting(Way.UNSIGNED_LINK if command.tenant_uuid is None else Way.MAIL_LINK)
    found.answer(participant, command.status, context.now, by=by)
    return found


def _resend(meeting: Meeting | None, command: RequestInvitationResend, context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    found.resend(command.actor, command.participant_uuid, context.now, context.rules.resend_cooldown)
    return found


def _retry_sync(meeting: Meeting | None, command: RetrySync, _context: _CommandContext) -> Meeting:
    found = _existing(meeting)
    found.retry_sync(command.actor)
    return found


def _existing(meeting: Meeting | None) -> Meeting:
    if meeting is None:
        raise ApiError(ErrorCode.MEETING_NOT_FOUND)
    return meeting


def _full_view(meeting: Meeting, command: Any) -> Contract:
    return Viewer(meeting, command.actor).full()


def _own_answer(meeting: Meeting, command: AnswerInvitation) -> Contract:
    participant = respondent(meeting, actor=command.actor, participant_uuid=command.participant_uuid)
    return Viewer(meeting, command.actor).participant(participant)


def _resent(meeting: Meeting, command: RequestInvitationResend) -> ResendInvitation | list[ResendInvitation]:
    record = meeting.processed_commands.find(command.command_id)
    resent_in = None if record is None else record.version

    def result(participant: Participant) -> ResendInvitation:
        """Whether this command, or a later one, had the participant mailed again; else they were skipped."""
        mailed = resent_in is not None and (participant.invitation_resent_in_version or 0) >= resent_in
        resent_at = participant.last_invitation_resent_at if mailed else None
        return ResendInvitation(email=participant.email, last_invitation_resent_at=resent_at)

    if command.participant_uuid is not None:
        return result(meeting.participant(command.participant_uuid))
    return [result(participant) for participant in meeting.participants]


def _nothing(_meeting: Meeting, _command: Any) -> None:
    return None


_COMMAND_SPECS: dict[type[Command], _CommandSpec] = {
    CreateMeeting: _CommandSpec(_create, _full_view),
    UpdateMeeting: _CommandSpec(_update, _full_view),
    CancelMeeting: _CommandSpec(_cancel, _full_view),
    HideMeeting: _CommandSpec(_hide, _nothing),
    AnswerInvitation: _CommandSpec(_answer_invitation, _own_answer),
    RequestInvitationResend: _CommandSpec(_resend, _resent),
    RetrySync: _CommandSpec(_retry_sync, _full_view),
}
