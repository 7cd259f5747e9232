"""What a meeting's copy says, and when two events say the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_sync.outbound.meeting_event import event_for
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.google import writer as google
from calendar_sync.providers.microsoft import writer as microsoft
from calendar_sync.providers.text import normalised
from contracts.values.enums import MeetingStatus
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
    copy = event_for(meeting)
    assert copy is not None
    assert (copy.title, copy.location) == ("Review", "Room 5")
    assert copy.when == EventTime(starts_at=meeting.starts_at, ends_at=meeting.ends_at, zone="America/Santiago")
    assert copy.description == "Bring the numbers.\n\nJoin: https://meet.example.com/x"


def test_a_copy_names_no_guest() -> None:
    meeting = meeting_state(participants=[participant("Jane Roe"), participant(None, email="ann@example.com")])
    copy = event_for(meeting)
    assert copy is not None
    assert "Jane" not in copy.model_dump_json()
    assert "ann@" not in copy.model_dump_json()


def test_a_description_stays_within_what_google_keeps() -> None:
    copy = event_for(meeting_state(description="x" * 8_000, meeting_information="y" * 8_000))
    assert copy is not None
    assert len(copy.description) <= 8_192
    assert copy.description.startswith("x" * 3_900)
    assert "y" * 3_900 in copy.description


def test_a_canceled_meeting_has_no_copy() -> None:
    assert event_for(meeting_state(status=MeetingStatus.CANCELED)) is None


def test_a_meeting_without_a_title_has_one_in_the_calendar() -> None:
    copy = event_for(meeting_state(title=None))
    assert copy is not None
    assert copy.title == "Meeting"


@pytest.mark.parametrize(
    ("end", "last"), [("2038-03-02T00:00:00", 2), ("2038-03-01T23:59:59", 2), ("2038-03-02T10:00:00", 3)]
)
def test_an_all_day_meeting_has_dates_whatever_its_zone(end: str, last: int) -> None:
    copy = event_for(
        meeting_state(
            start_date_time="2038-03-01T09:00:00", end_date_time=end, timezone="Pacific/Auckland", all_day=True
        )
    )
    assert copy is not None
    assert copy.when.instants == (datetime(2038, 3, 1, tzinfo=UTC), datetime(2038, 3, last, tzinfo=UTC), True)


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
    when = EventTime(starts_at=start, ends_at=start + timedelta(minutes=minutes), zone="America/Santiago")
    written = EventContent(title=title, when=when, description=description)
    everything = frozenset(EventContent.model_fields)
    assert written.differs_from(google.read_content(google.to_provider_event(written, everything))) == frozenset()
    assert written.differs_from(microsoft.read_content(microsoft.to_provider_event(written, everything))) == frozenset()


def test_a_title_and_a_place_read_in_the_order_in_which_they_were_written() -> None:
    copy = event_for(meeting_state(title="invoice\u202egpj.exe", location_detail="Room \u20667\u2069"))
    assert copy is not None
    assert (copy.title, copy.location) == ("invoicegpj.exe", "Room 7")
