"""Taking over what hosts do to the copies in their own calendars: what is told of it, and how the copy stands then.
Pure. Why calendar and platform end up saying the same is told in ``domain.link``.
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
    link: MirroredMeeting, copy: MirroredEvent, theirs: EventContent, now: datetime, until: datetime
) -> MirroredEventChanged | None:
    """What the host changed in the event, which was just read as ``theirs``; None when there is nothing to tell.

    ``copy`` stands as after the telling, waiting for an answer ``until`` then. A time that no meeting can have is not
    told, and so written over soon; a change of nothing but our own lines is not told either, and stays.
    """
    meeting, wanted = link.desired, event_for(link.desired)
    if wanted is None or copy.base is None:
        return None
    changed = copy.fields_changed_by_host(theirs, _without_news_of_lines(copy, wanted, meeting), now)
    told: dict[str, Any] = {name: getattr(theirs, name) for name in changed & {"title", "location"}}
    if "description" in changed:
        texts = (theirs.description, copy.base.description)
        words, known = (host_description(text, meeting, copy.blocks) for text in texts)
        if words == known:
            copy.record_known_content(theirs, {"description"})
        else:
            told["description"] = words
    if "when" in changed:
        times = _times(theirs.when, meeting, known=copy.base.when.zone)
        if times is None:
            copy.adopt_fields(theirs, {"when"})
        else:
            told |= times
    pending_host_edit = changed & ({*told} | ({"when"} if "start_date_time" in told else set()))
    if not pending_host_edit:
        return None
    copy.hold_host_edit(theirs, pending_host_edit, wanted, now, until)
    return MirroredEventChanged(
        change_id=_id(link, copy, copy.etag or ""),
        tenant_uuid=link.tenant_uuid,
        meeting_uuid=link.meeting_uuid,
        user_id=link.host_uuid,
        provider=copy.provider,
        at=now,
        **told,
    )


def detect_host_deletion(
    link: MirroredMeeting, copy: MirroredEvent, now: datetime, until: datetime
) -> MirroredEventDeleted:
    """The host removed the event; ``copy`` stands as after the telling."""
    removed = MirroredEventDeleted(
        change_id=_id(link, copy, "removed"),
        tenant_uuid=link.tenant_uuid,
        meeting_uuid=link.meeting_uuid,
        user_id=link.host_uuid,
        provider=copy.provider,
        at=now,
    )
    copy.mark_deleted_by_host(until)
    return removed


def _id(link: MirroredMeeting, copy: MirroredEvent, state: str) -> str:
    return uuid8_hex("change of a copy", link.meeting_uuid, copy.provider, copy.event_id or "", state)


def _without_news_of_lines(copy: MirroredEvent, wanted: EventContent, meeting: MeetingState) -> EventContent:
    """What is wanted; but news in nothing but our own lines, such as another link, takes no words from the host."""
    if copy.last_written is None:
        return wanted
    asked = host_description(copy.last_written.description, meeting, copy.blocks)
    if asked != normalised(meeting.description or ""):
        return wanted
    return wanted.with_those_of(copy.last_written, {"description"})


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
