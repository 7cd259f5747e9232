"""What is said of an external event: its times mean what they meant, and its meeting is the same from any calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from calendar_sync.inbound.imported_event import CalendarContext, ImportedEvent, meeting_uuid_of_our_invitation
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import ExternalEvent
from contracts.messages.calendar_events import CalendarOwner, EventDetails
from contracts.values.enums import CalendarProvider, UserType
from contracts.values.ids import new_meeting_uuid
from contracts.values.times import to_instant
from hypothesis import given
from hypothesis import strategies as st

from tests.support.inbound_fakes import seen

NOW = datetime(2038, 6, 1, 12, tzinfo=UTC)
FIRST, LAST = datetime(1950, 1, 1), datetime(2150, 1, 1)  # noqa: DTZ001 naive, made aware below
ZONES = st.none() | st.sampled_from(sorted(available_timezones()))
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def viewpoint(user_id: str = "TS1", *, account: str = "A1", tenant_uuid: str = "T1") -> CalendarContext:
    owner = CalendarOwner(user_id=user_id, user_type=UserType.TENANT_STAFF, email=f"{user_id}@example.com")
    return CalendarContext(f"{tenant_uuid}:{user_id}", tenant_uuid, owner, CalendarProvider.GOOGLE, account)


def said(event: ExternalEvent) -> EventDetails:
    there = viewpoint()
    news = ImportedEvent.new(there, there.meeting_of(event)).record_seen(there, event, NOW)
    assert news is not None
    return news.event


def at(when: EventTime) -> ExternalEvent:
    event = seen("a")
    return replace(event, content=event.content.model_copy(update={"when": when}))


@given(starts_at=INSTANTS, minutes=st.integers(0, 60 * 24 * 40), zone=ZONES)
def test_wall_clock_times_mean_the_same_instants(starts_at: datetime, minutes: int, zone: str | None) -> None:
    when = EventTime(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes), zone=zone)
    texts = said(at(when))
    instants = [to_instant(local, texts.timezone) for local in (texts.start_date_time, texts.end_date_time)]
    assert instants == [when.starts_at, when.ends_at]


def test_an_hour_that_the_clock_shows_twice_is_said_in_utc() -> None:
    second = datetime(2038, 10, 31, 1, 30, tzinfo=UTC)  # 2:30 in Berlin, for the second time
    texts = said(at(EventTime(starts_at=second, ends_at=second + timedelta(hours=3), zone="Europe/Berlin")))
    assert (texts.timezone, texts.start_date_time.hour) == ("UTC", 1)
    first = said(
        at(EventTime(starts_at=second - timedelta(hours=1), ends_at=second + timedelta(hours=3), zone="Europe/Berlin"))
    )
    assert (first.timezone, first.start_date_time.hour) == ("Europe/Berlin", 2)


@given(day=st.dates(FIRST.date(), LAST.date()), days=st.integers(1, 40), zone=ZONES)
def test_whole_days_stay_these_days_in_every_zone(day: datetime, days: int, zone: str | None) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    texts = said(at(EventTime(starts_at=midnight, ends_at=midnight + timedelta(days=days), all_day=True, zone=zone)))
    assert texts.all_day
    assert (texts.start_date_time, texts.end_date_time - texts.start_date_time) == (
        midnight.replace(tzinfo=None),
        timedelta(days=days),
    )


@pytest.mark.parametrize("year", [1, 1899, 2201, 9999])
def test_times_that_no_meeting_can_have_are_refused(year: int) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC)
    there = viewpoint()
    sighting = ImportedEvent.new(there, new_meeting_uuid())
    before = sighting.model_copy()
    with pytest.raises(ValueError, match=r".+"):
        sighting.record_seen(there, at(EventTime(starts_at=start, ends_at=start, zone="America/Santiago")), NOW)
    assert sighting == before


def test_an_event_is_the_same_meeting_from_every_calendar_of_the_tenant_and_no_other() -> None:
    event, other = seen("a", ical_uid="uid@example.com"), seen("b", ical_uid="uid@example.com")
    assert viewpoint("TS1").meeting_of(event) == viewpoint("TS2", account="A2").meeting_of(other)
    assert viewpoint().meeting_of(event) != viewpoint(tenant_uuid="T2").meeting_of(event)
    assert viewpoint().meeting_of(event) != viewpoint().meeting_of(replace(event, original_start="2038-01-01"))


def test_an_event_without_a_uid_is_known_by_its_account_only() -> None:
    event = seen("a", ical_uid=None)
    assert viewpoint().meeting_of(event) == viewpoint("TS2").meeting_of(event)
    assert viewpoint().meeting_of(event) != viewpoint(account="A2").meeting_of(event)


def test_invitations_of_ours_are_told_by_their_uid() -> None:
    ours = new_meeting_uuid()
    assert meeting_uuid_of_our_invitation(seen("a", ical_uid=f"{ours}@meetings.example.com")) == ours
    for stranger in (None, "", ours, f"x{ours}@example.com", "M123@example.com"):
        assert meeting_uuid_of_our_invitation(seen("a", ical_uid=stranger)) is None


def test_sequences_rise_also_when_the_clock_goes_back() -> None:
    there, event = viewpoint(), seen("a")
    sighting = ImportedEvent.new(there, there.meeting_of(event))
    first = sighting.record_seen(there, event, NOW)
    gone = sighting.record_deleted(NOW - timedelta(hours=1))
    again = sighting.record_seen(there, event, NOW - timedelta(hours=2))
    assert first is not None
    assert gone is not None
    assert again is not None
    assert first.sequence < gone.sequence < again.sequence
