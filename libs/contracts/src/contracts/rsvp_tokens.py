"""The tokens of RSVP links: proof that the person who answers received the mail.

A token is, in URL-safe base64 without padding (RFC 4648 section 5):

    key id (4 bytes) | expiry (5 bytes, seconds since 1970 UTC) | tenant id (ASCII) | MAC (16 bytes)

The MAC is HMAC-SHA256 (RFC 2104), truncated to 128 bits, over all of that and over the meeting's and the participant's
ids, which the link names beside the token. So a token answers for one participant of one meeting of one tenant, until
it expires, and nothing needs to be stored. That it is void once the participant is gone is the meeting's own rule.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

_PURPOSE = b"meetings rsvp link 1"  # a MAC made with the same key for anything else proves nothing here
_KEY_ID, _EXPIRY, _MAC = 4, 5, 16
_MAX_LENGTH = 4 * (_KEY_ID + _EXPIRY + 64 + _MAC) // 3 + 1
_MIN_KEY_LENGTH = 32


class RsvpTokenError(Exception):
    """The token does not hold: forged, meant for something else, or expired. It deliberately never says which."""


class RsvpKeys:
    """The keys of RSVP tokens: the first signs, all verify.

    To rotate, put a new key in front, and drop the old one when the links it signed have expired.
    """

    def __init__(self, keys: Mapping[bytes, bytes], signing: bytes) -> None:
        """``keys`` by their ids; ``signing`` is the id of the one that signs. Use ``parse``."""
        self._keys = dict(keys)
        self.signing = signing

    @classmethod
    def parse(cls, text: str) -> Self:
        """The keys in the setting ``RSVP_TOKEN_KEYS``: URL-safe base64 of at least 256 bits each, comma-separated.

        Raises:
            ValueError: there is no key, or one is unreadable or too short. The message never contains key material.
        """
        keys = {_id_of(key): key for key in map(_read_key, filter(None, map(str.strip, text.split(","))))}
        if not keys:
            raise ValueError("RSVP_TOKEN_KEYS: at least one key is needed")
        return cls(keys, next(iter(keys)))

    def matching(self, prefix: bytes) -> list[bytes]:
        """The keys whose ids begin so; where an address has no room for a whole id."""
        return [key for key_id, key in self._keys.items() if key_id.startswith(prefix)]

    def of(self, key_id: bytes) -> bytes:
        """The key of this id; for an unknown id the one that signs, so that refusing takes the same work."""
        return self._keys.get(key_id, self._keys[self.signing])


def expiry_of(*, ends_at: datetime, sent_at: datetime, grace: timedelta) -> datetime:
    """When the link in a mail expires: ``grace`` after the meeting's end, or after the mail if that is later."""
    return max(ends_at, sent_at) + grace


def sign(keys: RsvpKeys, *, meeting_uuid: str, participant_uuid: str, tenant_uuid: str, expires_at: datetime) -> str:
    """The token of a participant's link, good until the aware date-time ``expires_at`` (to the second)."""
    head = keys.signing + int(expires_at.timestamp()).to_bytes(_EXPIRY, "big") + tenant_uuid.encode("ascii")
    return _encode(head + _mac(keys.of(keys.signing), head, meeting_uuid, participant_uuid))


def verify(token: str, keys: RsvpKeys, *, meeting_uuid: str, participant_uuid: str, now: datetime) -> str:
    """The tenant for which this token answers as this participant of this meeting, at the aware date-time ``now``.

    Raises:
        RsvpTokenError: it does not hold. Every refusal is alike and takes one MAC and one comparison.
    """
    head, mac = _split(token)
    key = keys.of(head[:_KEY_ID])
    genuine = hmac.compare_digest(_mac(key, head, meeting_uuid, participant_uuid), mac)
    expiry = int.from_bytes(head[_KEY_ID : _KEY_ID + _EXPIRY], "big")
    if not genuine or expiry <= now.timestamp():
        raise RsvpTokenError
    return head[_KEY_ID + _EXPIRY :].decode("ascii")


def _mac(key: bytes, head: bytes, meeting_uuid: str, participant_uuid: str) -> bytes:
    """Ids never contain a NUL, so the parts cannot be shifted against each other."""
    said = b"\0".join((_PURPOSE, meeting_uuid.encode(), participant_uuid.encode(), head))
    return hmac.digest(key, said, hashlib.sha256)[:_MAC]


def _split(token: str) -> tuple[bytes, bytes]:
    """Head and MAC of a token; of anything else, what no key verifies."""
    raw = _decode(token) if len(token) <= _MAX_LENGTH else None
    if raw is None or len(raw) <= _KEY_ID + _EXPIRY + _MAC:
        return bytes(_KEY_ID + _EXPIRY), bytes(_MAC)
    return raw[:-_MAC], raw[-_MAC:]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """The only bytes that this very text stands for: no other alphabet, no padding, no stray bits."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if _encode(raw) == text else None


def _read_key(text: str) -> bytes:
    key = _decode(text.rstrip("="))
    if key is None or len(key) < _MIN_KEY_LENGTH:
        raise ValueError(f"RSVP_TOKEN_KEYS: a key must be at least {_MIN_KEY_LENGTH} bytes in URL-safe base64")
    return key


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"rsvp key id\0" + key).digest()[:_KEY_ID]
