"""Time zones as providers name them."""

from functools import cache
from zoneinfo import available_timezones

from babel.core import get_global

_LONGEST_NAME = 100


def iana_zone_name(name: object) -> str | None:
    """The IANA zone that a provider's name means: one of IANA's own, or one of Windows'; None for any other.

    Which zone a Windows name stands for says Unicode's CLDR (supplemental/windowsZones), kept up by Babel. Graph also
    gives names that say nothing, such as ``tzone://Microsoft/Custom``
    (https://learn.microsoft.com/graph/api/resources/datetimetimezone).
    """
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        return None
    known = name if name in _names() else get_global("windows_zone_mapping").get(name)
    return known if known in _names() else None


def zone_of_bias(minutes: object) -> str | None:
    """The zone of an offset as Windows has it, from local time to UTC; None for one that is no whole number of hours.

    Source: https://learn.microsoft.com/graph/api/resources/customtimezone, "bias".
    """
    if not isinstance(minutes, int) or minutes % 60:
        return None
    return iana_zone_name(f"Etc/GMT{minutes // 60:+d}" if minutes else "UTC")


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
