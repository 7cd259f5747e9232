"""A copy's description: what it says, and what of it is its host's when it comes back from an editor."""

import random
import re

import pytest
from calendar_sync.outbound.description import block_of, description_of, host_description
from calendar_sync.providers.text import normalised
from contracts.values.meeting import MeetingState
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.editors import ROUND_TRIPS, Editor, shuffled
from tests.support.outward import meeting_state, participant

_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60)
_LONG = st.integers(0, 9_000).map(lambda length: "word " * (length // 5))


@st.composite
def _meetings(draw: st.DrawFn) -> MeetingState:
    return meeting_state(
        description=draw(st.none() | _WORDS | _LONG),
        meeting_information=draw(st.none() | _WORDS | _LONG),
        meeting_link=draw(st.sampled_from([None, "https://meet.example.com/x"])),
    )


@given(_meetings())
def test_an_untouched_copy_says_the_meetings_own_words(meeting: MeetingState) -> None:
    assert host_description(description_of(meeting), meeting) == normalised(meeting.description or "")


@given(_meetings(), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_what_is_written_above_comes_before_the_meetings_own_words(meeting: MeetingState, above: str) -> None:
    """Also before words that were cut for the calendar: none are lost."""
    words = host_description(f"{above} — by hand\n\n{description_of(meeting)}", meeting)
    assert words == normalised(f"{above} — by hand\n\n{normalised(meeting.description or '')}")


@given(_meetings(), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_a_text_that_was_taken_over_is_composed_as_its_owner_left_it(meeting: MeetingState, above: str) -> None:
    """So nothing is written back."""
    theirs = normalised(f"{above} — by hand\n\n{description_of(meeting)}")
    taken = meeting.model_copy(update={"description": host_description(theirs, meeting)})
    if len(theirs) < 3_000:
        assert description_of(taken) == theirs


_MEETING = meeting_state(
    description="Own words\n- and a list",
    meeting_information="Ask for\nRoom 5",
    meeting_link="https://meet.example.com/x?a=1&b=2",
)
_OWN, _JOIN = "Own words\n- and a list", "Join: https://meet.example.com/x?a=1&b=2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{_OWN}\n\nAsk for\nRoom 5\n\n{_JOIN}\nBelow", f"{_OWN}\n\nBelow"),
        (f"{_OWN}\n\nAsk for\nRoom 5\nBetween\n{_JOIN}", f"{_OWN}\n\nBetween"),
        (f"{_JOIN}\n\nNew words\nRoom 5\nAsk for", "New words"),
        (f"{_OWN}\n\n{_JOIN}", _OWN),
        (f"{_OWN}\nAsk for", _OWN),
        (_OWN, _OWN),
        ("", ""),
        (f"{_OWN}\n\nAsk for\nRoom 6\n\n{_JOIN}", f"{_OWN}\n\nRoom 6"),
        (f"{_JOIN}\n\n{_JOIN}\n\n{_OWN}\n\n{_JOIN}", _OWN),
        (f"{_OWN}\n\nJoin:\n\nhttps://meet.example.com/x?a=1&b=2", _OWN),
        (f"{_OWN}\n\n<{_JOIN.split()[1]}> ({_JOIN.split()[1]})", _OWN),
        (f"{_OWN}\n\n{_JOIN} or call +56 2 123", f"{_OWN}\n\n{_JOIN} or call +56 2 123"),
        (f"{_OWN}\n\nJoin:\nus early", f"{_OWN}\n\nJoin:\nus early"),
        ("own words\n- and a list", "own words\n- and a list"),
        ("* Own words\n* and a list", _OWN),
    ],
)
def test_words_are_the_owners_whatever_they_did_to_our_lines(text: str, words: str) -> None:
    assert host_description(text, _MEETING) == words


def test_a_line_that_the_meeting_says_itself_is_not_taken_for_ours() -> None:
    meeting = meeting_state(description=f"Room 5\n{_JOIN}", meeting_information="Room 5", meeting_link=_JOIN.split()[1])
    assert host_description(f"Hello\n{description_of(meeting)}", meeting) == f"Hello\nRoom 5\n{_JOIN}"


def test_lines_that_we_added_earlier_are_not_the_owners() -> None:
    before = meeting_state(description="Own", meeting_information="Old text", meeting_link="https://old.example/1")
    now = before.model_copy(update={"meeting_information": "New text", "meeting_link": "https://new.example/2"})
    assert host_description(f"Hello\n{description_of(before)}", now, [block_of(before)]) == "Hello\nOwn"


@given(st.text(max_size=500))
def test_any_text_at_all_gives_words(text: str) -> None:
    assert host_description(text, _MEETING) == normalised(host_description(text, _MEETING))


# --- through editors ----------------------------------------------------------------------------------------------


_LINE = st.text(st.characters(categories=["L", "N"], include_characters=" ,"), min_size=1, max_size=20)
_TEXT = st.lists(_LINE, max_size=4).map("\n".join)


@st.composite
def _edited(draw: st.DrawFn) -> tuple[MeetingState, str | None, list[str], random.Random]:
    meeting = meeting_state(
        description=draw(st.none() | _TEXT),
        meeting_information=draw(st.none() | _TEXT),
        meeting_link=draw(st.sampled_from([None, "https://meet.example.com/x?a=1&b=2", "https://zoom.example/j/1"])),
        participants=[
            participant(f"Planted{number} Guest", email=f"planted{number}@example.com") for number in range(3)
        ],
    )
    typed = draw(st.lists(_LINE.map(lambda line: f"Typed {line.strip()} here"), min_size=1, max_size=2))
    password = draw(st.sampled_from([None, "Seven of 9", "a<b>&c"]))
    return meeting, password, typed, draw(st.randoms(use_true_random=False))


@pytest.mark.parametrize("through", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
@settings(max_examples=20)
@given(edited=_edited(), rounds=st.integers(1, 3))
def test_only_the_hosts_words_come_back_and_the_copy_never_grows(
    through: Editor, edited: tuple[MeetingState, str | None, list[str], random.Random], rounds: int
) -> None:
    meeting, password, typed, order = edited
    own = _lines(meeting.description or "")
    for _ in range(rounds):
        text = "\n".join([*typed, description_of(meeting, password)])
        assert password is None or password in text
        block = block_of(meeting, password)
        words = host_description(through(shuffled(text, order)), meeting, [block], password)
        assert sorted(_lines(words)) == sorted([*own, *map(_plain, typed)])
        own = [*own, *map(_plain, typed)]
        meeting = meeting.model_copy(update={"description": words})
        assert "Planted" not in description_of(meeting)
        assert "planted" not in description_of(meeting)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Passcode: seven of 9", ""),
        ("• Passcode:  Seven of 9", ""),
        ("Passcode: seven of 99", ""),
        (f"{_JOIN} Passcode: Seven of 9", ""),
        ("Call me. Passcode: Seven of 9 (new!)", "Call me. (new!)"),
        ("Seven of 9 apples", "Seven of 9 apples"),
    ],
)
def test_no_line_that_comes_back_names_the_passcode(line: str, words: str) -> None:
    earlier = block_of(_MEETING, "Seven of 9")
    for password, blocks in (("Seven of 9", ()), ("another", [earlier]), (None, [earlier])):
        assert host_description(f"Hello\n{line}\n{_OWN}", _MEETING, blocks, password) == normalised(
            f"Hello\n{words}\n{_OWN}" if words else f"Hello\n{_OWN}"
        )


def _plain(line: str) -> str:
    return re.sub(r"^(\* )+", "", " ".join(line.replace("\u200b", "").split()))


def _lines(text: str) -> list[str]:
    return [plain for line in text.split("\n") if (plain := _plain(line))]
