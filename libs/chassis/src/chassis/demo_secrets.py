"""Secrets of demonstrations are published with their files, so a real installation must never run with one.

They can be recognised: each begins with ``demo-``, as it is or under its base64.
"""

import base64
import binascii

_MARK = "demo-"


def is_demo_secret(secret: str) -> bool:
    """Whether this, or one of several separated by commas, is a demonstration's."""
    return any(part.startswith(_MARK) or _decoded(part).startswith(_MARK.encode()) for part in secret.split(","))


def _decoded(text: str) -> bytes:
    """From URL-safe base64 with or without padding (RFC 4648 section 5); empty when it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
