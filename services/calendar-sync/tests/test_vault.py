"""The safe: what is sealed opens for its owner alone, with any of the keys, and for nobody who changed a bit."""

import base64
from datetime import UTC, datetime

import pytest
from calendar_sync.connections.ports import VaultError
from calendar_sync.connections.vault import AesGcmTokenVault
from calendar_sync.providers.oauth import TokenSet
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = (base64.urlsafe_b64encode(bytes([byte]) * 32).decode() for byte in (1, 2))
OWNER = "T-1:TS-1"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text("ab:", max_size=5))
def test_what_is_sealed_opens_for_its_owner(secret: str, owner: str) -> None:
    vault = AesGcmTokenVault.parse(OLD)
    encrypted = vault.encrypt(secret, owner)
    assert vault.decrypt(encrypted, owner) == secret
    with pytest.raises(VaultError):
        vault.decrypt(encrypted, owner + "x")


def test_sealing_the_same_twice_shows_nothing() -> None:
    vault = AesGcmTokenVault.parse(OLD)
    assert vault.encrypt("secret", OWNER) != vault.encrypt("secret", OWNER)


def test_every_changed_bit_breaks_the_seal() -> None:
    vault = AesGcmTokenVault.parse(OLD)
    raw = base64.urlsafe_b64decode(vault.encrypt("secret", OWNER))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(VaultError):
            vault.decrypt(base64.urlsafe_b64encode(changed).decode(), OWNER)


@pytest.mark.parametrize("rubbish", ["", "A", "not base64!", "AAAA", base64.urlsafe_b64encode(b"\1").decode()])
def test_what_was_never_sealed_does_not_open(rubbish: str) -> None:
    with pytest.raises(VaultError):
        AesGcmTokenVault.parse(OLD).decrypt(rubbish, OWNER)


def test_keys_rotate() -> None:
    encrypted = AesGcmTokenVault.parse(OLD).encrypt("secret", OWNER)
    both = AesGcmTokenVault.parse(f"{NEW}, {OLD}")
    assert both.decrypt(encrypted, OWNER) == "secret"
    again = both.encrypt("secret", OWNER)
    assert AesGcmTokenVault.parse(NEW).decrypt(again, OWNER) == "secret"
    with pytest.raises(VaultError):
        AesGcmTokenVault.parse(NEW).decrypt(encrypted, OWNER)
    with pytest.raises(VaultError):
        AesGcmTokenVault.parse(OLD).decrypt(again, OWNER)


def test_what_another_key_sealed_is_sealed_with_the_first() -> None:
    encrypted = AesGcmTokenVault.parse(OLD).encrypt("secret", OWNER)
    both = AesGcmTokenVault.parse(f"{NEW},{OLD}")
    anew = both.reencrypt(encrypted, OWNER)
    assert AesGcmTokenVault.parse(NEW).decrypt(anew, OWNER) == "secret"
    assert both.reencrypt(anew, OWNER) == anew
    with pytest.raises(VaultError):
        both.reencrypt(encrypted, "another")
    with pytest.raises(VaultError):
        AesGcmTokenVault.parse(NEW).reencrypt(encrypted, OWNER)


def test_a_grant_comes_back_whole_and_shows_no_secret() -> None:
    grant = TokenSet("access", datetime(2026, 6, 15, 10, 30, tzinfo=UTC), '{"renewal": "é"}')
    vault = AesGcmTokenVault.parse(OLD)
    assert vault.decrypt_tokens(vault.encrypt_tokens(grant, OWNER), OWNER) == grant
    assert "access" not in repr(grant).replace("access_token", "")
    assert "renewal" not in repr(grant)


@pytest.mark.parametrize("text", ["", " , ", "c2hvcnQ=", "*" * 43, OLD[:-4]])
def test_unusable_keys_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="TOKEN_ENCRYPTION_KEYS") as refusal:
        AesGcmTokenVault.parse(text)
    assert not text.strip(" ,") or text not in str(refusal.value)
