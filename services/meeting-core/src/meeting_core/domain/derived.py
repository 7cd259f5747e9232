"""What can be computed from a meeting at any time, and is stored beside it for queries. Pure."""

from contracts.values.enums import ExternalSyncStatus, MeetingSource, MeetingStatus, RsvpStatus

from meeting_core.domain.meeting import Meeting


def busy_user_ids(meeting: Meeting) -> list[str]:
    """Whose time the meeting takes: the host's and every staff participant's who has not declined."""
    if meeting.status is not MeetingStatus.ACTIVE:
        return []
    if meeting.external_sources is not None:
        return meeting.external_sources.busy_user_ids
    staff = (
        person for person in meeting.participants if person.is_staff and person.rsvp_status is not RsvpStatus.DECLINED
    )
    attending = (person.participant_entity_uuid for person in staff if person.participant_entity_uuid)
    return sorted({meeting.hosted.host_uuid, *attending})


def duration_minutes(meeting: Meeting) -> int:
    """Whole minutes of real elapsed time."""
    return int(meeting.content.schedule.duration.total_seconds() // 60)


def is_on_external_calendar(meeting: Meeting) -> bool:
    """Whether a list should mark it as coming from, or written to, an external calendar."""
    return meeting.source is not MeetingSource.INTERNAL or meeting.sync.status is ExternalSyncStatus.SYNCED
