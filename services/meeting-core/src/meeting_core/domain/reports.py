"""What other services report about a meeting: deliveries, the mirrored event, answers in calendars. Pure.

What is known already, or out of date, changes nothing.
"""

from datetime import datetime

from contracts.api.errors import ApiError
from contracts.messages.calendar_events import (
    InvitationAnswered,
    MirroredEventChanged,
    MirroredEventDeleted,
    MirrorStatusChanged,
)
from contracts.messages.invitation_events import (
    DeliveryEvent,
    GuestProposedNewTime,
    GuestReplied,
    MailFailed,
    MailReply,
)
from contracts.messages.meeting_events import (
    InvitationDelivered,
    InvitationFailed,
    MeetingSyncChanged,
    ParticipantProposedNewTime,
)
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS
from contracts.values.changes import ActorRef
from contracts.values.enums import ActorType, MeetingStatus, Way

from meeting_core.domain.access import require_host
from meeting_core.domain.content_changes import is_over, merge_host_edit
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import CalendarAnswer, LastMail, Participant, participant_change

_MAILER = ActorRef(id=INVITATIONS, type=ActorType.SYSTEM, way=Way.SYSTEM)
_CALENDAR_SYNC = ActorRef(id=CALENDAR_SYNC, type=ActorType.SYSTEM, way=Way.SYSTEM)


def record_delivery(meeting: Meeting, mail: DeliveryEvent) -> None:
    """Record how a mail to a participant went, unless they have left the meeting."""
    receiver = next(
        (person for person in meeting.participants if person.participant_uuid == mail.participant_uuid), None
    )
    failed = mail if isinstance(mail, MailFailed) else None
    if receiver is None or not receiver.is_new_outcome(mail.sequence, failed=failed is not None):
        return
    last_mail = LastMail(
        sequence=mail.sequence,
        at=mail.at,
        failure_code=failed.failure_code if failed else None,
        failure_reason=failed.failure_reason if failed else None,
    )
    meeting.replace_participant(receiver, last_mail=last_mail)
    meeting.version += 1
    state = meeting.state()
    if failed is None:
        meeting.add_event(
            InvitationDelivered(meeting=state, actor=_MAILER, participant_uuid=mail.participant_uuid, kind=mail.kind)
        )
    else:
        meeting.add_event(
            InvitationFailed(
                meeting=state,
                actor=_MAILER,
                participant_uuid=mail.participant_uuid,
                kind=mail.kind,
                failure_code=failed.failure_code,
                failure_reason=failed.failure_reason,
            )
        )


def record_calendar_answer(meeting: Meeting, event: InvitationAnswered, now: datetime) -> None:
    """Record how a participant answered our invitation in their own calendar."""
    participant = meeting.participant_of(event.user_id)
    if participant is None or meeting.status is MeetingStatus.CANCELED:
        return
    before = participant.calendar_answer
    if before is not None and event.sequence <= before.sequence:
        return
    said = CalendarAnswer(sequence=event.sequence, answer=event.answer if event.answered else None)
    recorded = meeting.replace_participant(participant, calendar_answer=said)
    if participant.is_newer_answer(said):
        meeting.answer(recorded, event.answer, now, by=participant.acting(Way.PROVIDER))


def record_mail_reply(meeting: Meeting, reply: GuestReplied, now: datetime) -> None:
    """Take a participant's answer by mail, unless they have answered since, or have left."""
    participant = _replying(meeting, reply)
    if participant is None or _is_older(reply, participant):
        return
    meeting.answer(
        participant,
        reply.rsvp_status,
        now,
        by=participant.acting(Way.MAIL_REPLY),
        tentative=reply.tentative,
        answered_at=reply.replied_at,
    )


def record_proposal(meeting: Meeting, proposal: GuestProposedNewTime) -> None:
    """Record that a participant proposed another time by mail."""
    participant = _replying(meeting, proposal)
    if participant is None or participant.last_proposal_id == proposal.reply_id:
        return
    meeting.replace_participant(participant, last_proposal_id=proposal.reply_id)
    meeting.version += 1
    meeting.add_event(
        ParticipantProposedNewTime(
            meeting=meeting.state(),
            actor=participant.acting(Way.MAIL_REPLY),
            participant_uuid=participant.participant_uuid,
            starts_at=proposal.starts_at,
            ends_at=proposal.ends_at,
            comment=proposal.comment,
        )
    )


def _is_older(reply: MailReply, participant: Participant) -> bool:
    """Whether the participant has answered since they sent this reply; programs write whole seconds."""
    answered_at = participant.rsvp_changed_at
    return answered_at is not None and reply.replied_at < answered_at.replace(microsecond=0)


def _replying(meeting: Meeting, reply: MailReply) -> Participant | None:
    """Who replied, if they are still asked what they reply to."""
    is_out_of_date = reply.ical_sequence is not None and reply.ical_sequence < meeting.answers_reset_in_ical_sequence
    if meeting.status is MeetingStatus.CANCELED or is_out_of_date:
        return None
    return next((person for person in meeting.participants if person.participant_uuid == reply.participant_uuid), None)


def record_mirror_status(meeting: Meeting, report: MirrorStatusChanged) -> None:
    """Record the status of the mirrored event in the host's calendar."""
    before = meeting.sync
    if before.is_outdated(report):
        return
    meeting.sync = before.reported(report)
    if meeting.sync.is_equal_ignoring_sequence(before):
        return
    meeting.version += 1
    meeting.add_event(
        MeetingSyncChanged(
            meeting=meeting.state(),
            actor=_CALENDAR_SYNC,
            operation=meeting.sync.last_operation,
            failure_code=report.failure_code,
            failure_reason=report.failure_reason,
        )
    )


def apply_host_edit(meeting: Meeting, edit: MirroredEventChanged, now: datetime) -> None:
    """Change what the host changed in the mirrored event; guests are not mailed about a mere change of texts.

    What is over, and is so after the change, is only put on record: answers stay, and no guest is mailed.

    Raises:
        ApiError: they are not the host, the meeting is canceled, or it cannot be at that time.
    """
    require_host(meeting, edit.user_id)
    unchanged = participant_change(meeting.participants, meeting.participants)
    content = merge_host_edit(meeting.content, edit)
    on_record = is_over(meeting.content, now) and is_over(content, now)
    by = _host_in_calendar(meeting)
    meeting.revise(content, unchanged, now, by=by, host_connected=True, silent_texts=True, on_record=on_record)


def cancel_for_host_deletion(meeting: Meeting, user_id: str, now: datetime) -> None:
    """Cancel the meeting because the host deleted the mirrored event, unless it is over: then they only tidied up.

    Raises:
        ApiError: they are not the host, or the meeting is canceled.
    """
    require_host(meeting, user_id)
    if not is_over(meeting.content, now):
        meeting.mark_canceled(now, by=_host_in_calendar(meeting), host_connected=True)


def apply_host_change(meeting: Meeting, change: MirroredEventChanged | MirroredEventDeleted, now: datetime) -> None:
    """Do to the meeting what the host did to its mirrored event.

    Where that is not allowed, or changes nothing, the mirrored event is to be written again as the meeting is.
    """
    version = meeting.version
    try:
        if isinstance(change, MirroredEventDeleted):
            cancel_for_host_deletion(meeting, change.user_id, now)
        else:
            apply_host_edit(meeting, change, now)
    except ApiError:
        pass
    if meeting.version == version:
        meeting.request_resync(by=_host_in_calendar(meeting))


def _host_in_calendar(meeting: Meeting) -> ActorRef:
    """The host, who changed the mirrored event in their own calendar."""
    return ActorRef(id=meeting.hosted.host_uuid, type=ActorType(meeting.hosted.host_type), way=Way.PROVIDER)
