"""What a meeting's copy says, and when two events say the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_sync.adapters.calendars import google, microsoft
from calendar_sync.domain.event import EventContent, When, copy_of, normalised, own_words
from contracts.values.enums import MeetingStatus
from contracts.values.meeting import MeetingState
from hypothesis import given
from hypothesis import strategies as st

from tests.support.outward import content, meeting_state, participant


def test_a_copy_says_what_where_and_when() -> None:
    meeting = meeting_state(
        title="Review",
        location_detail="Room 5",
        description="Bring the numbers.",
        meeting_link="https://meet.example.com/x",
        timezone="America/Santiago",
    )
    copy = copy_of(meeting)
    assert copy is not None
    assert (copy.title, copy.location) == ("Review", "Room 5")
    assert copy.when == When(starts_at=meeting.starts_at, ends_at=meeting.ends_at, zone="America/Santiago")
    assert copy.description == "Bring the numbers.\n\nJoin: https://meet.example.com/x"


def test_guests_stand_in_the_description_by_name() -> None:
    meeting = meeting_state(participants=[participant("Jane Roe"), participant(None, email="ann@example.com")])
    copy = copy_of(meeting)
    assert copy is not None
    assert copy.description.endswith("Guests:\nJane Roe\nann@example.com")


def test_a_crowd_is_counted_and_the_description_stays_within_what_google_keeps() -> None:
    crowd = [participant(f"Guest {number}") for number in range(500)]
    copy = copy_of(meeting_state(description="x" * 8_000, meeting_information="y" * 8_000, participants=crowd))
    assert copy is not None
    assert "Guest 49\nand 450 more" in copy.description
    assert len(copy.description) <= 8_192


def test_a_canceled_meeting_has_no_copy() -> None:
    assert copy_of(meeting_state(status=MeetingStatus.CANCELED)) is None


def test_a_meeting_without_a_title_has_one_in_the_calendar() -> None:
    copy = copy_of(meeting_state(title=None))
    assert copy is not None
    assert copy.title == "Meeting"


@pytest.mark.parametrize(
    ("end", "last"), [("2027-03-02T00:00:00", 2), ("2027-03-01T23:59:59", 2), ("2027-03-02T10:00:00", 3)]
)
def test_an_all_day_meeting_has_dates_whatever_its_zone(end: str, last: int) -> None:
    copy = copy_of(
        meeting_state(
            start_date_time="2027-03-01T09:00:00", end_date_time=end, timezone="Pacific/Auckland", all_day=True
        )
    )
    assert copy is not None
    assert copy.when.instants == (datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, last, tzinfo=UTC), True)


def test_texts_are_the_same_when_only_line_ends_and_blanks_differ() -> None:
    assert content(description="a \r\nb\r\n").differs_from(content(description="a\nb")) == frozenset()
    assert content(description="a \r\nb\r\n").fingerprint == content(description="a\nb").fingerprint


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"title": "Other"}, {"title"}),
        ({"location": "Other"}, {"location"}),
        ({"description": "Other"}, {"description"}),
        ({"hours": 5}, {"when"}),
        ({"zone": "Europe/Oslo"}, {"when"}),
        ({"zone": None}, set()),
    ],
)
def test_differences_are_named(changes: dict[str, Any], fields: set[str]) -> None:
    assert content().differs_from(content(**changes)) == fields


def test_a_fingerprint_tells_every_change_but_that_of_the_zone_that_is_shown() -> None:
    for changes in ({"title": "Other"}, {"location": "Other"}, {"description": "Other"}, {"hours": 5}):
        assert content(**changes).fingerprint != content().fingerprint
    assert content(zone=None).fingerprint == content().fingerprint


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
_MOMENTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(_TEXTS, _TEXTS, _MOMENTS, st.integers(1, 10_000))
def test_timed_events_read_as_they_were_written_by_both_providers(
    title: str, description: str, start: datetime, minutes: int
) -> None:
    when = When(starts_at=start, ends_at=start + timedelta(minutes=minutes), zone="America/Santiago")
    written = EventContent(title=title, when=when, description=description)
    everything = frozenset(EventContent.model_fields)
    assert written.differs_from(google.read_content(google.written(written, everything))) == frozenset()
    assert written.differs_from(microsoft.read_content(microsoft.written(written, everything))) == frozenset()


# --- the owner's own words --------------------------------------------------------------------------------------

_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60)
_LONG = st.integers(0, 9_000).map(lambda length: "word " * (length // 5))
_NAMES = st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=100), max_size=3) | st.just(
    [f"Guest {number}" for number in range(60)]
)


@st.composite
def _meetings(draw: st.DrawFn) -> MeetingState:
    return meeting_state(
        description=draw(st.none() | _WORDS | _LONG),
        meeting_information=draw(st.none() | _WORDS | _LONG),
        meeting_link=draw(st.sampled_from([None, "https://meet.example.com/x"])),
        participants=[participant(name) for name in draw(_NAMES)],
    )


def _described(meeting: MeetingState) -> str:
    copy = copy_of(meeting)
    assert copy is not None
    return copy.description


@given(_meetings())
def test_an_untouched_copy_says_the_meetings_own_words(meeting: MeetingState) -> None:
    assert own_words(_described(meeting), meeting) == normalised(meeting.description or "")


@given(_meetings(), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_what_is_written_above_comes_before_the_meetings_own_words(meeting: MeetingState, above: str) -> None:
    """Also before words that were cut for the calendar: none are lost."""
    words = own_words(f"{above} — by hand\n\n{_described(meeting)}", meeting)
    assert words == normalised(f"{above} — by hand\n\n{normalised(meeting.description or '')}")


@given(_meetings(), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_a_text_that_was_taken_over_is_composed_as_its_owner_left_it(meeting: MeetingState, above: str) -> None:
    """So nothing is written back."""
    theirs = normalised(f"{above} — by hand\n\n{_described(meeting)}")
    taken = meeting.model_copy(update={"description": own_words(theirs, meeting)})
    if len(theirs) < 7_000:
        assert _described(taken) == theirs


_MEETING = meeting_state(
    description="Own words",
    meeting_information="Ask for\nRoom 5",
    meeting_link="https://meet.example.com/x",
    participants=[participant("Jane Roe"), participant("Ann Other")],
)
_JOIN, _GUESTS = "Join: https://meet.example.com/x", "Guests:\nJane Roe\nAnn Other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"Own words\n\nAsk for\nRoom 5\n\n{_JOIN}\n\n{_GUESTS}\nBelow", "Own words\n\nBelow"),
        (f"Own words\n\nAsk for\nRoom 5\n\n{_JOIN}\nBetween\n{_GUESTS}", "Own words\n\nBetween"),
        (f"{_GUESTS}\n\n{_JOIN}\n\nNew words", "New words"),
        ("Guests:\nAnn Other\nJane Roe\nand me", "and me"),
        ("Guests:\nAnn Other", ""),
        ("Guests:\nnobody", "Guests:\nnobody"),
        ("Own words", "Own words"),
        ("", ""),
        (f"Own words\n\nAsk for\nRoom 6\n\n{_JOIN}", "Own words\n\nAsk for\nRoom 6"),
        (f"{_JOIN}\n\nOwn words\n\n{_JOIN}\n\n{_GUESTS}", f"{_JOIN}\n\nOwn words"),
        (f"I call Jane Roe\n\n{_GUESTS}", "I call Jane Roe"),
    ],
)
def test_words_are_the_owners_whatever_they_did_to_our_lines(text: str, words: str) -> None:
    assert own_words(text, _MEETING) == words


@given(st.text(max_size=500))
def test_any_text_at_all_gives_words(text: str) -> None:
    assert own_words(text, _MEETING) == normalised(own_words(text, _MEETING))
