"""Wall times and the instants they mean, against a reference that knows nothing of ``fold``."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from contracts.values.times import LocalDateTime, Schedule, TimeZoneName, to_instant
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

WALL = TypeAdapter[datetime](LocalDateTime)
ZONE = TypeAdapter[str](TimeZoneName)
ZONES = st.sampled_from(
    [
        *("America/Santiago", "Europe/Madrid", "America/New_York", "Asia/Kathmandu", "UTC", "Pacific/Apia"),
        *("Australia/Lord_Howe", "Africa/Monrovia", "America/St_Johns", "Asia/Tehran", "Pacific/Kiritimati"),
    ]
)
"""Zones with midnight gaps, half-hour changes, a day that was skipped (Apia), offsets with seconds (Monrovia)."""


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


MINUTES = st.datetimes(wall("1900-01-03"), wall("2199-12-28")).map(lambda at: at.replace(second=0, microsecond=0))
NEAR_CHANGES = st.builds(
    lambda year, month, day, minutes: wall(f"{year}-{month:02}-{day:02}") + timedelta(minutes=minutes),
    st.integers(2007, 2037),
    st.sampled_from([3, 4, 9, 10, 11]),
    st.integers(1, 30),
    st.integers(0, 239),
)
WALLS = MINUTES | NEAR_CHANGES


def reference_instant(local: datetime, zone: str) -> datetime:
    """RFC 5545 section 3.3.5, word for word: the first occurrence, or the offset before the gap."""
    tz, naive_utc = ZoneInfo(zone), local.replace(tzinfo=UTC)
    around = [naive_utc + timedelta(minutes=quarter * 15) for quarter in range(-26 * 4, 26 * 4 + 1)]
    offsets = {at.astimezone(tz).utcoffset() or timedelta() for at in around}
    meant = [naive_utc - offset for offset in offsets]
    occurrences = [at for at in meant if at.astimezone(tz).replace(tzinfo=None) == local]
    if occurrences:
        return min(occurrences)
    before = max(at for at in around if at.astimezone(tz).replace(tzinfo=None) < local)
    return naive_utc - (before.astimezone(tz).utcoffset() or timedelta())


@given(WALLS, ZONES)
@example(wall("2026-03-29T02:30"), "Europe/Madrid")  # in the gap
@example(wall("2026-10-25T02:30"), "Europe/Madrid")  # happens twice
@example(wall("2026-09-06T00:00"), "America/Santiago")  # a midnight that does not exist
@example(wall("2011-12-30T12:00"), "Pacific/Apia")  # a day that does not exist
def test_a_wall_time_means_what_rfc_5545_says(local: datetime, zone: str) -> None:
    assert to_instant(local, zone) == reference_instant(local, zone)


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-06-15T15:00", "America/Santiago", "2026-06-15T19:00+00:00"),
        ("2026-03-29T02:30", "Europe/Madrid", "2026-03-29T01:30+00:00"),
        ("2026-10-25T02:30", "Europe/Madrid", "2026-10-25T00:30+00:00"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30+00:00"),
        ("2026-09-06T00:00", "America/Santiago", "2026-09-06T04:00+00:00"),
    ],
)
def test_known_instants(local: str, zone: str, instant: str) -> None:
    assert to_instant(wall(local), zone) == datetime.fromisoformat(instant)


@given(WALLS, st.integers(1, 60 * 24 * 40), ZONES)
def test_a_meeting_lasts_as_long_as_really_passes(start: datetime, minutes: int, zone: str) -> None:
    end = to_instant(start, zone) + timedelta(minutes=minutes)
    local_end = end.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    assume(to_instant(local_end, zone) == end)  # the second of two occurrences cannot be written
    assert Schedule(start, local_end, zone).duration == timedelta(minutes=minutes)


@given(WALLS, st.integers(-3000, 3000), ZONES, st.booleans())
def test_only_an_end_after_the_start_as_instants_can_be_held(
    start: datetime, minutes: int, zone: str, all_day: bool
) -> None:
    end = start + timedelta(minutes=minutes)
    schedule = Schedule(start, end, zone, all_day)
    if reference_instant(end, zone) > reference_instant(start, zone):
        assert schedule.checked() is schedule
        assert schedule.ends_at > schedule.starts_at
    else:
        with pytest.raises(ValueError, match="must be after startDateTime"):
            schedule.checked()


def test_an_end_that_the_gap_moves_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="must be after"):
        Schedule(wall("2026-03-29T02:30"), wall("2026-03-29T03:15"), "Europe/Madrid").checked()


def test_the_longest_meeting_lasts_366_days() -> None:
    start = wall("2026-01-01T00:00")
    Schedule(start, start + timedelta(days=366), "UTC").checked()
    with pytest.raises(ValueError, match="at most 366 days"):
        Schedule(start, start + timedelta(days=366, microseconds=1), "UTC").checked()


@given(WALLS, st.integers(0, 5000), ZONES)
def test_an_all_day_meeting_covers_whole_days_of_its_zone(start: datetime, minutes: int, zone: str) -> None:
    end = start + timedelta(minutes=minutes)
    schedule = Schedule(start, end, zone, all_day=True)
    first = datetime.combine(start.date(), datetime.min.time())
    after = datetime.combine(end.date(), datetime.min.time())
    if after < end:
        after += timedelta(days=1)
    assert schedule.starts_at == reference_instant(first, zone)
    assert schedule.ends_at == reference_instant(after, zone)
    assert schedule.starts_at <= to_instant(start, zone)


@pytest.mark.parametrize("end", ["2026-06-15T23:59:59", "2026-06-16T00:00:00"])
def test_both_ways_to_write_the_end_of_a_day_mean_the_same(end: str) -> None:
    schedule = Schedule(wall("2026-06-15T00:00:00"), wall(end), "America/Santiago", all_day=True)
    assert schedule.duration == timedelta(days=1)
    assert schedule.end == wall(end)


@pytest.mark.parametrize(
    ("date", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-15", 24)], ids=["spring", "autumn", "summer"]
)
def test_a_whole_day_is_as_long_as_it_is(date: str, hours: int) -> None:
    day = wall(date)
    schedule = Schedule(day, day + timedelta(days=1), "Europe/Madrid", all_day=True)
    assert schedule.duration == timedelta(hours=hours)


@given(st.datetimes(wall("1900-01-01"), wall("2199-12-31")))
def test_wall_times_come_back_as_they_were(local: datetime) -> None:
    assert WALL.validate_json(WALL.dump_json(local)) == local


@pytest.mark.parametrize(
    "value",
    [
        *("2026-06-15T15:00:00Z", "2026-06-15T15:00:00+02:00", "2026-06-15", "15:00", "", "2026-6-15T15:00:00"),
        *("2026-02-30T15:00:00", "2026-06-15T24:00:00", "2026-06-15 15:00:00", "2026-W25-1T15:00", "1899-12-31T23:59"),
        *("2200-01-01T00:00:00", "2026-06-15T15:00:00\n", "２０２６-06-15T15:00:00", 1750000000, None, ["x"]),
        datetime(2026, 6, 15, tzinfo=UTC),
    ],
)
def test_what_is_no_wall_time_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        WALL.validate_python(value)


@pytest.mark.parametrize("value", ["America/Santiago", "UTC", "Europe/Madrid"])
def test_iana_zones_are_known(value: str) -> None:
    assert ZONE.validate_python(value) == value


@pytest.mark.parametrize("value", ["", "Mars/Olympus", "../etc/passwd", "UTC+2", "Pacific Standard Time", "\0", 5])
def test_what_is_no_iana_zone_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        ZONE.validate_python(value)
