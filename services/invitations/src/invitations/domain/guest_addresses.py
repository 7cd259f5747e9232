"""The addresses to which a guest's programs reply and bounces return: our own address with a signed tag. Pure.

The tag follows a plus sign (RFC 5233). It is, in base32 without padding (RFC 4648 section 6), because servers and
programs may change the case of a local part:

    key id (1 byte) | participant id (16 bytes) | for bounces: version (3 bytes) | MAC (10 bytes)

The MAC is HMAC-SHA256 (RFC 2104), truncated to 80 bits. The whole local part stays within 64 characters
(RFC 5321 section 4.5.3.1.1).
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from contracts.rsvp_tokens import RsvpKeys

_PURPOSE = {"r": b"meetings reply address 1", "b": b"meetings bounce address 1"}
_ID, _VERSION, _MAC = 16, 3, 10
_MAX_LOCAL_PART = 64
_TAG_LENGTH = {"r": 44, "b": 48}
MAX_BASE = _MAX_LOCAL_PART - len("+b") - _TAG_LENGTH["b"]
"""Characters that the local part of our own address may have."""
_PARTICIPANT = re.compile(r"MP([0-9A-F]{32})")


@dataclass(frozen=True, slots=True)
class GuestAddress:
    """Whom one of our addresses stands for. ``version``: of a bounce address, the meeting's that asked for the mail."""

    participant_uuid: str
    version: int | None = None


class GuestAddresses:
    """Makes and reads the addresses of guests."""

    def __init__(self, base: str, keys: RsvpKeys) -> None:
        """``base``: our own address, without a tag.

        Raises:
            ValueError: its local part leaves no room for a tag, or has one.
        """
        local, _, domain = base.rpartition("@")
        if not local or len(local) > MAX_BASE or "+" in local:
            raise ValueError(f"the address for replies needs a local part of at most {MAX_BASE} characters, without +")
        self.base = base
        self._local, self._domain, self._keys = local, domain, keys

    def reply_address(self, participant_uuid: str) -> str:
        """Where this guest's programs reply to; always the same while the key signs."""
        return self._address("r", participant_uuid, b"")

    def bounce_address(self, participant_uuid: str, version: int) -> str:
        """Where a mail to this guest returns to: the sender of its envelope (VERP)."""
        return self._address("b", participant_uuid, (version % 2 ** (8 * _VERSION)).to_bytes(_VERSION, "big"))

    def is_deliverable(self, address: str) -> bool:
        """Whether this is our address, without a tag or with one that we signed."""
        return self._tag(address) == "" or self.read(address) is not None

    def read(self, address: str) -> GuestAddress | None:
        """Whom the tag of our address stands for; None without a tag, or when the tag is not signed by us."""
        tag = self._tag(address) or ""
        kind, text = tag[:1], tag[1:]
        if kind not in _TAG_LENGTH or len(text) != _TAG_LENGTH[kind]:
            return None
        try:
            raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
        except (binascii.Error, ValueError):
            return None
        head, body, mac = raw[:1], raw[1:-_MAC], raw[-_MAC:]
        if not any(hmac.compare_digest(_mac(key, kind, body), mac) for key in self._keys.matching(head)):
            return None
        participant_uuid = f"MP{body[:_ID].hex().upper()}"
        return GuestAddress(participant_uuid, int.from_bytes(body[_ID:], "big") if kind == "b" else None)

    def _tag(self, address: str) -> str | None:
        """The tag in lower case, empty without one; None when the address is not ours."""
        local, _, domain = address.strip().lower().rpartition("@")
        base, _, tag = local.partition("+")
        return tag if (base, domain) == (self._local.lower(), self._domain.lower()) else None

    def _address(self, kind: str, participant_uuid: str, version: bytes) -> str:
        found = _PARTICIPANT.fullmatch(participant_uuid)
        if found is None:
            return self.base
        body = bytes.fromhex(found[1]) + version
        signing = self._keys.signing
        raw = signing[:1] + body + _mac(self._keys.of(signing), kind, body)
        tag = base64.b32encode(raw).rstrip(b"=").decode().lower()
        return f"{self._local}+{kind}{tag}@{self._domain}"


def _mac(key: bytes, kind: str, body: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE[kind] + b"\0" + body, hashlib.sha256)[:_MAC]
