"""When a meeting is, in words: the meeting's own wall-clock time, its zone named, in the reader's language."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_gmt, get_timezone_name
from contracts.meetings import MeetingState

from invitations.adapters.mail.languages import Tongue


def when(meeting: MeetingState, tongue: Tongue) -> str:
    """Like ``Monday, June 15, 2026, 3:00 PM – 3:45 PM``; the zone is said by ``zone``."""
    zone = ZoneInfo(meeting.timezone)
    start, end = meeting.starts_at.astimezone(zone), meeting.ends_at.astimezone(zone)
    if meeting.all_day:
        first, last = _day(start, tongue), _day(end - timedelta(microseconds=1), tongue)
        days = first if first == last else f"{first} – {last}"
        return tongue.say("%(days)s, all day", days=days)
    if start.date() == end.date():
        return f"{_day(start, tongue)}, {_time(start, tongue)} – {_time(end, tongue)}"
    return f"{_day(start, tongue)}, {_time(start, tongue)} – {_day(end, tongue)}, {_time(end, tongue)}"


def zone(meeting: MeetingState, tongue: Tongue) -> str:
    """Like ``Chile Time, GMT-04:00``; both offsets when they change during the meeting."""
    zone = ZoneInfo(meeting.timezone)
    name = get_timezone_name(zone, locale=tongue.locale)
    offsets = [
        get_timezone_gmt(instant.astimezone(zone), locale=tongue.locale)
        for instant in (meeting.starts_at, meeting.ends_at)
    ]
    return ", ".join(dict.fromkeys([name, " / ".join(dict.fromkeys(offsets))]))


def _day(local: datetime, tongue: Tongue) -> str:
    return format_date(local, "full", locale=tongue.locale)


def _time(local: datetime, tongue: Tongue) -> str:
    # CLDR puts a narrow no-break space before AM and PM, which many mail programs show as a box.
    return format_time(local, "short", locale=tongue.locale).replace("\u202f", "\u00a0")
