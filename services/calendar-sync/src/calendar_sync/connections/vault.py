"""The safe for tokens: authenticated encryption, with keys that can be rotated.

A sealed secret is, in URL-safe base64: format (1 byte) | key id (4 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext
and tag (NIST SP 800-38D). Its owner is authenticated with it, so that what was sealed for one user opens for no other.
"""

import base64
import binascii
import hashlib
import json
import os
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from calendar_sync.connections.ports import VaultError
from calendar_sync.providers.oauth import TokenSet

_FORMAT = b"\1"


_KEY, _KEY_ID, _NONCE = 32, 4, 12


class AesGcmTokenVault:
    """Seals with the first key and opens with all.

    To rotate, put a new key in front; once every replica has it, have everything sealed anew (application/rotating).
    """

    def __init__(self, keys: dict[bytes, AESGCM], encrypting: bytes) -> None:
        """``keys`` by their ids; ``sealing`` is the id of the one that seals. Use ``parse``."""
        self._keys = keys
        self._encrypting = encrypting

    @classmethod
    def parse(cls, text: str) -> Self:
        """The keys in the setting ``TOKEN_ENCRYPTION_KEYS``: URL-safe base64 of 256 bits each, comma-separated.

        Raises:
            ValueError: there is no key, or one is unreadable. The message never contains key material.
        """
        keys = {_id_of(key): AESGCM(key) for key in map(_read_key, filter(None, map(str.strip, text.split(","))))}
        if not keys:
            raise ValueError("TOKEN_ENCRYPTION_KEYS: at least one key is needed")
        return cls(keys, next(iter(keys)))

    def encrypt(self, secret: str, owner: str) -> str:
        nonce = os.urandom(_NONCE)
        head = _FORMAT + self._encrypting
        ciphertext = self._keys[self._encrypting].encrypt(nonce, secret.encode(), head + owner.encode())
        return base64.urlsafe_b64encode(head + nonce + ciphertext).decode()

    def decrypt(self, encrypted: str, owner: str) -> str:
        try:
            raw = base64.urlsafe_b64decode(encrypted)
        except (binascii.Error, ValueError) as error:
            raise VaultError("not a sealed secret") from error
        head, nonce, ciphertext = raw[: 1 + _KEY_ID], raw[1 + _KEY_ID :][:_NONCE], raw[1 + _KEY_ID + _NONCE :]
        key = self._keys.get(head[1:])
        if head[:1] != _FORMAT or key is None:
            raise VaultError("sealed with a key that is not known here")
        try:
            return key.decrypt(nonce, ciphertext, head + owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise VaultError("the seal is broken, or another owner's") from error

    def reencrypt(self, encrypted: str, owner: str) -> str:
        secret = self.decrypt(encrypted, owner)
        is_first = base64.urlsafe_b64decode(encrypted).startswith(_FORMAT + self._encrypting)
        return encrypted if is_first else self.encrypt(secret, owner)

    def encrypt_tokens(self, token_set: TokenSet, owner: str) -> str:
        return self.encrypt(
            json.dumps([token_set.access_token, token_set.expires_at.isoformat(), token_set.refresh_credential]), owner
        )

    def decrypt_tokens(self, encrypted: str, owner: str) -> TokenSet:
        access_token, expires_at, refresh_credential = json.loads(self.decrypt(encrypted, owner))
        return TokenSet(access_token, datetime.fromisoformat(expires_at), refresh_credential)


def _read_key(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY:
        raise ValueError(f"TOKEN_ENCRYPTION_KEYS: a key must be {_KEY} bytes in URL-safe base64")
    return key


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"token encryption key id\0" + key).digest()[:_KEY_ID]
