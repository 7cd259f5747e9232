"""Identifiers that look and behave like Exchange's: opaque, long, case-sensitive."""

import base64
import hashlib
import secrets
import uuid

CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""Tenant of every personal Microsoft account (access token claims reference, claim ``tid``)."""

_CONSUMER_DOMAINS = frozenset({"outlook.com", "hotmail.com", "live.com", "msn.com"})
_NAMESPACE = uuid.UUID("6f2cbe4e-3d14-4f6c-9d4b-6d0a6f0f0c11")
_OCCURRENCE = "AFRAAg"


def new_item_id() -> str:
    """The id of an event while it stays in its calendar."""
    return f"AAMkA{_opaque(84)}AAA="


def new_immutable_id() -> str:
    """The id of an event for as long as it is in the mailbox (outlook-immutable-id)."""
    return f"AAkALg{_opaque(60)}AA=="


def new_calendar_id() -> str:
    """The id of a calendar; containers keep theirs."""
    return f"AQMkA{_opaque(54)}AAAA=="


def new_ical_uid() -> str:
    """The UID that all copies of a meeting share; Exchange's are hexadecimal (MS-OXOCAL 2.2.1.27)."""
    return f"040000008200E00074C5B7101A82E00800000000{secrets.token_hex(28).upper()}"


def occurrence_id(master_id: str, date: str) -> str:
    """The id of the occurrence of a series on an original date (``2026-06-15``)."""
    return f"{master_id.rstrip('=')}{_OCCURRENCE}{date.replace('-', '')}EA=="


def split_occurrence_id(item_id: str) -> tuple[str, str] | None:
    """The master's id without padding and the original date, or None when the id is no occurrence's."""
    master, mark, rest = item_id.rpartition(_OCCURRENCE)
    digits = rest.removesuffix("EA==")
    if not mark or len(digits) != 8 or not digits.isdigit():
        return None
    return master, f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def change_key(item_id: str, version: int) -> str:
    """The version of an item as Exchange writes it; the etag is ``W/"<change key>"``."""
    digest = hashlib.sha256(f"{item_id}/{version}".encode()).digest()
    return base64.b64encode(b"\x0f\x00\x00\x00\x16\x00\x00\x00" + digest[:20]).decode()


def user_id(email: str) -> str:
    """The object id of an account, the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, email))


def tenant_id(email: str) -> str:
    """The tenant of an account: one per mail domain, one for all personal accounts."""
    domain = email.rpartition("@")[2]
    return CONSUMER_TENANT if domain in _CONSUMER_DOMAINS else str(uuid.uuid5(_NAMESPACE, domain))


def _opaque(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=")
