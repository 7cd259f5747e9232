"""Time zone names: Windows' own (CLDR ``windowsZones``) and the IANA names that Graph lists.

Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone, "TimeZone".
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.core import get_global

from simulators.microsoft.graph.errors import unsupported_zone

_IANA = frozenset(Path(__file__).with_name("iana_zones.txt").read_text(encoding="ascii").split())
"""The names on Graph's page, in its order."""
_WINDOWS: dict[str, str] = {name: str(zone) for name, zone in get_global("windows_zone_mapping").items()}
_BY_LOWER_CASE = {name.lower(): name for name in (*_WINDOWS, *_IANA)}
_TO_WINDOWS = {zone: name for name, zone in _WINDOWS.items()}
_ALIASES: dict[str, str] = {str(old): str(new) for old, new in get_global("zone_aliases").items()}
for _old, _new in _ALIASES.items():
    if _old in _TO_WINDOWS:
        _TO_WINDOWS.setdefault(_new, _TO_WINDOWS[_old])

WINDOWS_NAMES = tuple(sorted(_WINDOWS))
IANA_NAMES = tuple(sorted(_IANA))


def known(name: str) -> str:
    """The name as Graph spells it. Raises GraphError (400) for one it does not support."""
    spelled = _BY_LOWER_CASE.get(name.strip().lower())
    if spelled is None:
        raise unsupported_zone(name)
    return spelled


def windows_name(name: str) -> str:
    """The Windows name that Exchange keeps for a supported zone (the IANA name itself where Windows has none)."""
    return name if name in _WINDOWS else _TO_WINDOWS.get(name, name)


def zone(name: str) -> ZoneInfo:
    """The rules of a supported zone. Raises GraphError (400) for one Graph does not support."""
    spelled = known(name)
    return ZoneInfo(_WINDOWS.get(spelled, spelled))


def instant(wall: datetime, name: str) -> datetime:
    """The UTC instant of a wall time; in a gap the offset before it counts, in a fold the first occurrence."""
    return wall.replace(tzinfo=zone(name), fold=0).astimezone(UTC)


def wall_time(moment: datetime, name: str) -> datetime:
    """The naive wall time of an instant in a zone."""
    return moment.astimezone(zone(name)).replace(tzinfo=None)


def graph_time(wall: datetime) -> str:
    """Graph's form of a wall time: seven fractional digits, no offset."""
    return wall.replace(tzinfo=None).isoformat(timespec="microseconds") + "0"


def graph_instant(moment: datetime) -> str:
    """Graph's form of an instant (``createdDateTime``): seven fractional digits and Z; whole seconds without digits."""
    text = moment.astimezone(UTC).replace(tzinfo=None)
    if text.microsecond == 0:
        return text.isoformat(timespec="seconds") + "Z"
    return text.isoformat(timespec="microseconds") + "0Z"


def midnight(wall: datetime) -> bool:
    """Whether a wall time is a day's beginning, as all-day events need."""
    return wall - datetime.combine(wall.date(), datetime.min.time()) == timedelta()
