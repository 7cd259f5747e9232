"""The iCalendar UID behind Exchange's ``iCalUId``: with it, an event is the same whoever's calendar it is seen in."""

import struct
from datetime import date

_PREFIX = bytes.fromhex("040000008200E00074C5B7101A82E008")


_DATE = slice(16, 20)


_SIZE = slice(36, 40)


_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"


def ical_uid_from_global_object_id(ical_uid: str) -> str:
    """The UID of the event, or of the series that an occurrence is of.

    Exchange's global object id holds the date of an occurrence in four bytes, zero for the series (MS-OXOCAL 2.2.1.27
    and 2.2.1.28), and wraps the UID of an invitation that came from elsewhere (MS-OXCICAL 2.1.3.1.1.20.26).
    """
    raw = _global_object_id(ical_uid)
    if raw is None:
        return ical_uid
    raw[_DATE] = bytes(4)
    (size,) = struct.unpack("<I", raw[_SIZE])
    data = raw[_SIZE.stop : _SIZE.stop + size]
    if data.startswith(_FOREIGN):
        foreign = data.removeprefix(_FOREIGN).rstrip(b"\0").decode("utf-8", errors="replace")
        return foreign or raw.hex().upper()
    return raw.hex().upper()


def occurrence_date(ical_uid: str) -> date | None:
    """The day of the occurrence that it is the UID of; None for a series, a single event, or another kind of UID."""
    raw = _global_object_id(ical_uid)
    if raw is None or not any(raw[_DATE]):
        return None
    try:
        return date(*struct.unpack(">HBB", raw[_DATE]))
    except ValueError:
        return None


def _global_object_id(ical_uid: str) -> bytearray | None:
    try:
        raw = bytearray.fromhex(ical_uid)
    except ValueError:
        return None
    return raw if raw.startswith(_PREFIX) and len(raw) >= _SIZE.stop else None
