"""RSVP tokens hold for exactly what they were signed for, and every refusal is alike."""

import base64
import secrets
import string
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from contracts import rsvp_tokens
from contracts.rsvp_tokens import RsvpKeys, RsvpTokenError, expiry_of, sign, verify
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 6, 15, 19, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)
MEETING, OTHER_MEETING = "M019A16FF372A70B5A9307B00CE85E4DA", "M019A16FF372A70B5A9307B00CE85E4DB"
GUEST, OTHER_GUEST = "MP019A16FF372A70B5A9307B00CE85E4DA", "MP019A16FF372A70B5A9307B00CE85E4DB"
TENANT = "T019A16FF372A70B5A9307B00CE85E4DA"

ALPHABET = string.ascii_letters + string.digits + "-_"

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
instants = st.integers(1, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


OLD, NEW = key(), key()
KEYS = RsvpKeys.parse(NEW)


def token(keys: RsvpKeys = KEYS, *, tenant: str = TENANT, expires_at: datetime = LATER) -> str:
    return sign(keys, meeting_uuid=MEETING, participant_uuid=GUEST, tenant_uuid=tenant, expires_at=expires_at)


def verified(
    text: str, keys: RsvpKeys = KEYS, *, meeting: str = MEETING, guest: str = GUEST, at: datetime = NOW
) -> str:
    return verify(text, keys, meeting_uuid=meeting, participant_uuid=guest, now=at)


@given(meeting=ids, guest=ids, tenant=ids, expires_at=instants)
def test_a_token_names_its_tenant_until_it_expires(meeting: str, guest: str, tenant: str, expires_at: datetime) -> None:
    text = sign(KEYS, meeting_uuid=meeting, participant_uuid=guest, tenant_uuid=tenant, expires_at=expires_at)
    just_before = expires_at.replace(microsecond=0) - timedelta(microseconds=1)
    assert verified(text, meeting=meeting, guest=guest, at=just_before) == tenant
    with pytest.raises(RsvpTokenError):
        verified(text, meeting=meeting, guest=guest, at=expires_at)


@given(meeting=ids | st.sampled_from((MEETING, OTHER_MEETING)), guest=ids | st.sampled_from((GUEST, OTHER_GUEST)))
@example(meeting=OTHER_MEETING, guest=GUEST)
@example(meeting=MEETING, guest=OTHER_GUEST)
def test_it_answers_for_no_other_meeting_and_no_other_participant(meeting: str, guest: str) -> None:
    if (meeting, guest) != (MEETING, GUEST):
        with pytest.raises(RsvpTokenError):
            verified(token(), meeting=meeting, guest=guest)


def test_ids_cannot_be_shifted_against_each_other() -> None:
    with pytest.raises(RsvpTokenError):
        verified(token(), meeting=MEETING + GUEST[:1], guest=GUEST[1:])


@given(st.data())
def test_no_change_of_a_single_character_goes_unseen(data: st.DataObject) -> None:
    text = token()
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(ALPHABET))
    if letter != text[place]:
        with pytest.raises(RsvpTokenError):
            verified(text[:place] + letter + text[place + 1 :])


@pytest.mark.parametrize("place", [0, 40, -1])
@pytest.mark.parametrize("letter", [*ALPHABET, "+", "/", "=", ".", " ", "\n", "é", ""])
def test_no_two_texts_are_the_same_token(place: int, letter: str) -> None:
    """Not even where base64 has bits to spare, or where a decoder would skip letters that are none of its own."""
    text = token()
    changed, longer = text[:place] + letter + text[place:][1:], text[:place] + letter + text[place:]
    for other in {changed, longer, text + letter} - {text}:
        with pytest.raises(RsvpTokenError):
            verified(other)


@given(st.integers(0, 200))
def test_truncated_or_lengthened_tokens_are_refused(length: int) -> None:
    text = token()
    if length != len(text):
        with pytest.raises(RsvpTokenError):
            verified((text + "A" * 200)[:length])


@given(st.text() | st.text("ABCDEFabcdef0123456789-_", min_size=30, max_size=130))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(RsvpTokenError):
        verified(text)


@pytest.mark.parametrize("other", [token(tenant="T1"), token(expires_at=LATER + timedelta(days=365))])
def test_tenant_and_expiry_cannot_be_exchanged(other: str) -> None:
    """The head of one token with the MAC of another."""
    ours, wanted = (base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in (token(), other))
    spliced = base64.urlsafe_b64encode(wanted[:-16] + ours[-16:]).rstrip(b"=").decode()
    with pytest.raises(RsvpTokenError):
        verified(spliced)


def test_another_key_proves_nothing() -> None:
    with pytest.raises(RsvpTokenError):
        verified(token(RsvpKeys.parse(OLD)))


def test_keys_are_rotated_by_putting_a_new_one_in_front() -> None:
    before, during, after = RsvpKeys.parse(OLD), RsvpKeys.parse(f"{NEW}, {OLD}"), RsvpKeys.parse(NEW)
    assert verified(token(before), during) == TENANT
    assert verified(token(during), after) == TENANT
    with pytest.raises(RsvpTokenError):
        verified(token(before), after)


@pytest.mark.parametrize(
    "text", ["", " , ", "short", base64.urlsafe_b64encode(bytes(31)).decode(), "!" * 44, f"{OLD},nonsense"]
)
def test_unusable_keys_are_named_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="RSVP_TOKEN_KEYS") as raised:
        RsvpKeys.parse(text)
    assert OLD not in str(raised.value)
    assert "nonsense" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["", "garbage", "é", "A" * 10_000, token()[:-1], token(RsvpKeys.parse(OLD)), token(expires_at=NOW), token()[::-1]],
    ids=["empty", "garbage", "non-ASCII", "huge", "truncated", "foreign key", "expired", "reversed"],
)
def test_every_refusal_takes_the_same_work_and_says_nothing(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mac = Mock(wraps=rsvp_tokens._mac)
    monkeypatch.setattr(rsvp_tokens, "_mac", make_mac)
    with pytest.raises(RsvpTokenError) as raised:
        verified(text)
    assert make_mac.call_count == 1
    assert len(make_mac.call_args.args[1]) <= 73  # a huge text is no huge work
    assert str(raised.value) == ""


def test_tokens_are_short_enough_for_a_link() -> None:
    text = token()
    assert len(text) <= 80
    assert set(text) <= set(ALPHABET)


def test_a_link_lasts_beyond_the_meeting_and_beyond_the_mail() -> None:
    grace = timedelta(days=7)
    assert expiry_of(ends_at=LATER, sent_at=NOW, grace=grace) == LATER + grace
    assert expiry_of(ends_at=NOW, sent_at=LATER, grace=grace) == LATER + grace
