"""Meetings that were made in external calendars: created and updated from what these say. Pure."""

from datetime import datetime

from contracts.messages.calendar_events import ExternalEventUpserted
from contracts.messages.meeting_events import MeetingCanceled, MeetingCreated
from contracts.values.changes import ActorRef
from contracts.values.enums import ActorType, MeetingStatus, Way

from meeting_core.domain.content_changes import changed_fields, is_over, is_rescheduling
from meeting_core.domain.external_sources import ExternalSources
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import participant_change


def meeting_from_import(event: ExternalEventUpserted, sources: ExternalSources, now: datetime) -> Meeting:
    """The meeting that an event in an external calendar is, when it is read for the first time."""
    meeting = Meeting(
        meeting_uuid=event.meeting_uuid,
        tenant_uuid=event.tenant_uuid,
        version=1,
        content=sources.content,
        hosted=sources.hosted,
        source=sources.source,
        created_at=now,
        updated_at=now,
        participants=sources.participants(()),
        visible_to_user_ids=sources.user_ids,
        guests_hidden=sources.guests_hidden,
        external_sources=sources,
    )
    meeting.add_event(MeetingCreated(meeting=meeting.state(), actor=calendar_of(event.owner.user_id)))
    return meeting


def calendar_of(user_id: str) -> ActorRef:
    """Somebody who changed the event, as it was read in this user's calendar."""
    return ActorRef(id=user_id, type=ActorType.PROVIDER, way=Way.PROVIDER)


def update_from_import(meeting: Meeting, sources: ExternalSources, now: datetime, *, by: ActorRef) -> None:
    """Replace the imported state.

    Cancels the meeting when no connected calendar contains it any more, unless it is over: then it has only left them.
    """
    meeting.external_sources = sources
    meeting.visible_to_user_ids = sources.user_ids
    if sources.sources:
        _replace_content(meeting, sources, now, by=by)
    elif meeting.status is not MeetingStatus.CANCELED and not is_over(meeting.content, now):
        meeting.status = MeetingStatus.CANCELED
        meeting.mark_edited(now)
        meeting.add_event(MeetingCanceled(meeting=meeting.state(), actor=by))


def _replace_content(meeting: Meeting, sources: ExternalSources, now: datetime, *, by: ActorRef) -> None:
    people = participant_change(meeting.participants, sources.participants(meeting.participants))
    changed = [*changed_fields(meeting.content, sources.content), *changed_fields(meeting.hosted, sources.hosted)]
    changed += ["source"] if meeting.source is not sources.source else []
    changed += ["status"] if meeting.status is MeetingStatus.CANCELED else []
    changed += ["guests_hidden"] if meeting.guests_hidden is not sources.guests_hidden else []
    if not changed and not people.changed:
        return
    meeting.content, meeting.hosted, meeting.source = sources.content, sources.hosted, sources.source
    meeting.participants, meeting.guests_hidden = people.now, sources.guests_hidden
    meeting.status = MeetingStatus.ACTIVE
    meeting.mark_edited(now)
    meeting.add_updated(changed, people, by=by, rescheduled=is_rescheduling(changed), silent=True)
