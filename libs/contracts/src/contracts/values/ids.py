"""Identifiers: a letter prefix, then 128 bits as 32 upper-case hex digits."""

import hashlib
import secrets
import time
from typing import Annotated

from pydantic import StringConstraints

ForeignId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An id minted elsewhere on the platform: opaque, never parsed."""


def uuid7_hex() -> str:
    """A new UUIDv7 (RFC 9562 section 5.7) as 32 upper-case hex digits; ids of later milliseconds sort later."""
    milliseconds = time.time_ns() // 1_000_000
    return _stamp(milliseconds.to_bytes(6, "big") + secrets.token_bytes(10), version=7)


def uuid8_hex(*names: str) -> str:
    """The UUIDv8 (RFC 9562 section 5.8) that these names always give, as 32 upper-case hex digits."""
    return _stamp(hashlib.sha256("\0".join(names).encode()).digest()[:16], version=8)


def is_derived(uuid_hex: str) -> bool:
    """Whether these 32 hex digits are a UUIDv8, which is what ``uuid8_hex`` makes of names."""
    return uuid_hex[12:13] == "8"


def _stamp(raw: bytes, *, version: int) -> str:
    value = bytearray(raw)
    value[6] = value[6] & 0x0F | version << 4
    value[8] = value[8] & 0x3F | 0x80
    return value.hex().upper()


def new_meeting_uuid() -> str:
    """A new meeting id, ``M…``."""
    return "M" + uuid7_hex()


def meeting_uuid_for(command_id: str) -> str:
    """The meeting id that a repeatable create always gets, ``M…``."""
    return "M" + uuid8_hex("meeting", command_id)


def new_participant_uuid() -> str:
    """A new participant id, ``MP…``."""
    return "MP" + uuid7_hex()
