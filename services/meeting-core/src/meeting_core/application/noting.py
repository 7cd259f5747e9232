"""Taking note of what other services did for a meeting, and of what they saw. Nobody waits for an answer."""

from dataclasses import dataclass
from datetime import datetime

from contracts.api.errors import ApiError
from contracts.messages.calendar_events import (
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
    MirroredEventChanged,
    MirroredEventDeleted,
    MirrorStatusChanged,
)
from contracts.messages.invitation_events import DeliveryEvent, GuestProposedNewTime, GuestReplied
from contracts.messages.meeting_events import MeetingEvent
from contracts.values.enums import MeetingSource

from meeting_core.application.work import Work
from meeting_core.domain.imported import Imported
from meeting_core.domain.meeting import Meeting


def note_mail(work: Work, mail: DeliveryEvent) -> None:
    """How a mail to a participant went; a repeat, or one to somebody who is gone, changes nothing."""
    meeting = work.meeting
    if meeting is not None and (event := meeting.note_mail(mail)) is not None:
        work.say(meeting, event)


def note_sync(work: Work, news: MirrorStatusChanged) -> None:
    """How the copy in the host's calendar stands; what is known or out of date changes nothing."""
    meeting = work.of_tenant(news.tenant_uuid)
    if meeting is not None and (event := meeting.note_sync(news)) is not None:
        work.say(meeting, event)


def note_seen(work: Work, seen: ExternalEventUpserted, now: datetime) -> None:
    """An event in a user's external calendar is a meeting here; what is known or out of date changes nothing."""
    if work.meeting is None:
        imported = Imported().seen(seen)
        if imported is not None:
            work.say(*Meeting.seen_outside(seen, imported, now))
        return
    meeting = work.of_tenant(seen.tenant_uuid)
    if meeting is not None and meeting.imported is not None:
        _stand_in(work, meeting, meeting.imported.seen(seen), now)


def note_gone(work: Work, gone: ExternalEventDeleted, now: datetime) -> None:
    """The event has left a user's external calendar; what is known or out of date changes nothing."""
    meeting = work.of_tenant(gone.tenant_uuid)
    if meeting is not None and meeting.imported is not None:
        _stand_in(work, meeting, meeting.imported.left(gone), now)


def note_calendar_answer(work: Work, answered: InvitationAnswered, now: datetime) -> None:
    """A participant answered our invitation in their own calendar; what is known or out of date changes nothing."""
    meeting = work.of_tenant(answered.tenant_uuid)
    if meeting is None or meeting.source is not MeetingSource.INTERNAL:
        return
    event = meeting.note_calendar_answer(answered, now)
    if event is None:
        work.keep(meeting)
    else:
        work.say(meeting, event)


def note_reply(work: Work, reply: GuestReplied | GuestProposedNewTime, now: datetime) -> None:
    """A guest replied by mail; what is known or out of date changes nothing."""
    meeting = work.of_tenant(reply.tenant_uuid)
    if meeting is None or meeting.source is not MeetingSource.INTERNAL:
        return
    event = meeting.note_reply(reply, now) if isinstance(reply, GuestReplied) else meeting.note_proposal(reply)
    if event is not None:
        work.say(meeting, event)


def _stand_in(work: Work, meeting: Meeting, imported: Imported | None, now: datetime) -> None:
    if imported is None:
        return
    event = meeting.stands_in(imported, now)
    if event is None:
        work.keep(meeting)
    else:
        work.say(meeting, event)


def note_copy(work: Work, change: MirroredEventChanged | MirroredEventDeleted, now: datetime) -> None:
    """What the host did to their calendar's copy is done to the meeting, once.

    Where it cannot be, or the meeting says the same already, an event has the copy put right.
    """
    meeting, told = work.of_tenant(change.tenant_uuid), _Told(change.change_id)
    if meeting is None or meeting.source is not MeetingSource.INTERNAL or meeting.has_decided(told):
        return
    work.say(meeting, _done(meeting, change, now) or meeting.put_copy_right())
    work.remember(meeting, told, now, changed=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """A change of a copy, which is told again like a command."""

    command_id: str
    fingerprint: str = ""


def _done(meeting: Meeting, change: MirroredEventChanged | MirroredEventDeleted, now: datetime) -> MeetingEvent | None:
    try:
        if isinstance(change, MirroredEventDeleted):
            return meeting.take_back(change.user_id, now)
        return meeting.take_over(change, now)
    except ApiError:
        return None
