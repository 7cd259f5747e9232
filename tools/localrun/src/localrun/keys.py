"""The secrets of one local run: made once, kept with its state, so that what they signed stays valid."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from localrun.problem import LocalRunError


def _token() -> str:
    return secrets.token_urlsafe(32)


def _key_ring() -> str:
    """One 256-bit key, URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Every secret that the parts share. None of them is ever printed."""

    internal_token: str = field(default_factory=_token, repr=False)
    jwt_hs256_secret: str = field(default_factory=_token, repr=False)
    rsvp_token_keys: str = field(default_factory=_key_ring, repr=False)
    token_encryption_keys: str = field(default_factory=_key_ring, repr=False)
    google_client_secret: str = field(default_factory=_token, repr=False)
    microsoft_client_secret: str = field(default_factory=_token, repr=False)

    @classmethod
    def kept_in(cls, path: Path) -> Keys:
        """The keys in `path`, which only this user can read; those missing there are made and added.

        Raises `LocalRunError` when the file holds something else.
        """
        try:
            stored: dict[str, str] = dict(json.loads(path.read_text())) if path.exists() else {}
            keys = cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})
        except (ValueError, TypeError) as error:
            raise LocalRunError(
                f"{path} cannot be read ({error}). Delete it to get new keys; "
                "links in old mails and connected calendars then stop working."
            ) from error
        if asdict(keys) != stored:
            draft = path.with_suffix(".draft")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(asdict(keys), indent=2))
            draft.replace(path)
        return keys
