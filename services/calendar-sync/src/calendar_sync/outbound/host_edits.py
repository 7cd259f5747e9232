"""Taking over what hosts do to the copies in their own calendars: what is told of it, and how the copy stands then.
Pure. Why calendar and platform converge says ``outbound.model``.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.ids import uuid8_hex
from contracts.values.meeting import MeetingState, ScheduleFields

from calendar_sync.outbound.description import host_description
from calendar_sync.outbound.meeting_event import event_for
from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.text import normalised


def detect_host_edit(
    mirror: MirroredMeeting, event: MirroredEvent, observed: EventContent, now: datetime, expires_at: datetime
) -> MirroredEventChanged | None:
    """The event to publish for what the host changed in the calendar; None when there is nothing to publish.

    ``observed`` was just read. ``event`` is changed: it holds the edit until the meeting answers, at most until
    ``expires_at`` (UTC). A time that no meeting can have is not published, and soon written over. A change of our own
    lines alone is not published either, and stays.
    """
    meeting, desired = mirror.desired, event_for(mirror.desired, mirror.password)
    if desired is None or event.base is None:
        return None
    changed = event.fields_changed_by_host(observed, _ignoring_our_lines(event, desired, mirror), now)
    changes: dict[str, Any] = {name: getattr(observed, name) for name in changed & {"title", "location"}}
    if "description" in changed:
        texts = (observed.description, event.base.description)
        words, known = (host_description(text, meeting, event.blocks, mirror.password) for text in texts)
        if words == known:
            event.record_known_content(observed, {"description"})
        else:
            changes["description"] = words
    if "when" in changed:
        times = _times(observed.when, meeting, known=event.base.when.zone)
        if times is None:
            event.adopt_fields(observed, {"when"})
        else:
            changes |= times
    pending_host_edit = changed & ({*changes} | ({"when"} if "start_date_time" in changes else set()))
    if not pending_host_edit:
        return None
    event.hold_host_edit(observed, pending_host_edit, desired, now, expires_at)
    return MirroredEventChanged(
        change_id=_change_id(mirror, event, event.etag or ""),
        tenant_uuid=mirror.tenant_uuid,
        meeting_uuid=mirror.meeting_uuid,
        user_id=mirror.host_uuid,
        provider=event.provider,
        at=now,
        **changes,
    )


def detect_host_deletion(
    mirror: MirroredMeeting, event: MirroredEvent, now: datetime, expires_at: datetime
) -> MirroredEventDeleted:
    """The event to publish when the host deleted the mirrored event; ``event`` is marked as deleted."""
    deletion = MirroredEventDeleted(
        change_id=_change_id(mirror, event, "removed"),
        tenant_uuid=mirror.tenant_uuid,
        meeting_uuid=mirror.meeting_uuid,
        user_id=mirror.host_uuid,
        provider=event.provider,
        at=now,
    )
    event.mark_deleted_by_host(expires_at)
    return deletion


def _change_id(mirror: MirroredMeeting, event: MirroredEvent, state: str) -> str:
    return uuid8_hex("change of a copy", mirror.meeting_uuid, event.provider, event.event_id or "", state)


def _ignoring_our_lines(event: MirroredEvent, desired: EventContent, mirror: MirroredMeeting) -> EventContent:
    """The desired content, but with the host's description where only our own lines differ, such as another link."""
    if event.last_written is None:
        return desired
    written = host_description(event.last_written.description, mirror.desired, event.blocks, mirror.password)
    if written != normalised(mirror.desired.description or ""):
        return desired
    return desired.with_those_of(event.last_written, {"description"})


def _times(when: EventTime, meeting: MeetingState, *, known: str | None) -> dict[str, Any] | None:
    """As wall times in the zone that the host chose, or else the meeting's; None when no meeting can be then.

    ``known`` is the zone that the event has shown before: of one that a provider put in its place, nobody chose it.

    Days need no zone. Instants that a zone's wall clock cannot tell, in the hour that it repeats, are told in UTC.
    """
    if when.all_day:
        start, end = (moment.replace(tzinfo=None) for moment in (when.starts_at, when.ends_at))
        given = {"start_date_time": start, "end_date_time": end, "all_day": True}
        return given if _scheduled(given | {"timezone": meeting.timezone}) else None
    chosen = when.zone if when.zone != known else None
    for zone in (chosen, meeting.timezone, when.zone, "UTC"):
        given = _in_zone(when, zone) if zone else {}
        scheduled = _scheduled(given)
        if scheduled and (scheduled.schedule.starts_at, scheduled.schedule.ends_at) == (when.starts_at, when.ends_at):
            return given
    return None


def _in_zone(when: EventTime, zone: str) -> dict[str, Any]:
    """Empty when there is no such zone."""
    try:
        shown = ZoneInfo(zone)
        start, end = (moment.astimezone(shown).replace(tzinfo=None) for moment in (when.starts_at, when.ends_at))
    except (KeyError, ValueError, OSError, OverflowError):
        return {}
    return {"start_date_time": start, "end_date_time": end, "timezone": zone, "all_day": False}


def _scheduled(given: dict[str, Any]) -> ScheduleFields | None:
    try:
        scheduled = ScheduleFields.model_validate(given)
        scheduled.schedule.checked()
    except (ValueError, OverflowError):
        return None
    return scheduled
