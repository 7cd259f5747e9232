"""Ids: a letter prefix and a UUID of RFC 9562, as 32 upper-case hex digits."""

import re
import uuid

import pytest
from contracts.values.ids import (
    ForeignId,
    meeting_uuid_for,
    new_meeting_uuid,
    new_participant_uuid,
    uuid7_hex,
    uuid8_hex,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

FOREIGN = TypeAdapter[str](ForeignId)
NAMES = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=10), min_size=1, max_size=4)


def test_new_ids_are_version_7_and_rise_with_time() -> None:
    made = [uuid.UUID(hex=uuid7_hex()) for _ in range(1000)]
    assert all(one.version == 7 and one.variant == uuid.RFC_4122 for one in made)
    stamps = [one.int >> 80 for one in made]
    assert stamps == sorted(stamps)
    assert len(set(made)) == 1000


def test_ids_say_by_their_prefix_what_they_are_of() -> None:
    assert re.fullmatch(r"M[0-9A-F]{32}", new_meeting_uuid())
    assert re.fullmatch(r"MP[0-9A-F]{32}", new_participant_uuid())
    assert re.fullmatch(r"M[0-9A-F]{32}", meeting_uuid_for("a command"))


@given(NAMES)
def test_the_same_names_always_give_the_same_version_8(names: list[str]) -> None:
    made = uuid.UUID(hex=uuid8_hex(*names))
    assert made == uuid.UUID(hex=uuid8_hex(*names))
    assert made.version == 8
    assert made.variant == uuid.RFC_4122


@given(NAMES, NAMES)
def test_other_names_give_another_id(one: list[str], other: list[str]) -> None:
    assert (uuid8_hex(*one) == uuid8_hex(*other)) is (one == other)


def test_our_ids_are_foreign_ids_to_others() -> None:
    assert FOREIGN.validate_python(new_meeting_uuid())


@given(st.text(max_size=70))
def test_foreign_ids_are_short_and_plain(value: str) -> None:
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value) is not None
    try:
        FOREIGN.validate_python(value)
    except ValidationError:
        assert not plain
    else:
        assert plain


@pytest.mark.parametrize("value", ["", "a" * 65, "a\n", "a b", "á", "a/b", "$gt", "a\0"])
def test_hostile_foreign_ids_are_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        FOREIGN.validate_python(value)
