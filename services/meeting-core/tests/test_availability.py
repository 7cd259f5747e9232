"""Who is busy, on a real MongoDB, against a plain reference: every meeting is looked at, with time zones by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from chassis.mongo.database import Collection
from contracts.api.availability import Busy
from contracts.api.queries import CheckAvailability
from contracts.values.enums import MeetingStatus, ParticipantType, RsvpStatus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meeting_core.adapters.availability import MongoBusyTimes, duration_bucket
from meeting_core.adapters.meetings import to_document
from meeting_core.application.availability import Availability
from meeting_core.domain.meeting import Meeting
from pymongo import DeleteMany, InsertOne

from tests.support.commands import actor
from tests.support.meeting_search import UNLIMITED
from tests.support.meetings import CONTACTS, STAFF, ZONES, EverythingKnown, meeting_lists, wall_times
from tests.support.meetings import meeting as any_meeting

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PEOPLE = [*STAFF, *CONTACTS, "TS-NOBODY"]


def taken(meeting: Meeting) -> tuple[datetime, datetime]:
    """The time that a meeting takes, as instants."""
    content, zone = meeting.content, ZoneInfo(meeting.content.timezone)
    start, end = content.start_date_time, content.end_date_time
    if content.all_day:
        start = datetime(start.year, start.month, start.day)  # noqa: DTZ001 a wall time
        if (end.hour, end.minute) != (0, 0):
            end = datetime(end.year, end.month, end.day) + DAY  # noqa: DTZ001 a wall time
    return start.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC)


def takes_time_of(meeting: Meeting, person: str) -> bool:
    if meeting.status is MeetingStatus.CANCELED:
        return False
    if meeting.hosted.host_uuid == person:
        return True
    return any(
        one.participant_entity_uuid == person
        and one.participant_type in (ParticipantType.TENANT_STAFF, ParticipantType.PARTNER_STAFF)
        and one.rsvp_status is not RsvpStatus.DECLINED
        for one in meeting.participants
    )


def busy_people(stored: Sequence[Meeting], window: tuple[datetime, datetime]) -> set[str]:
    opens, closes = window
    return {
        person
        for person in PEOPLE
        for meeting in stored
        if takes_time_of(meeting, person) and taken(meeting)[0] < closes and opens < taken(meeting)[1]
    }


def windows() -> st.SearchStrategy[tuple[datetime, datetime]]:
    """Windows from a moment to a year, in any zone, around the days when clocks change."""
    lengths = st.sampled_from((timedelta(seconds=1), HOUR, DAY, 40 * DAY, 366 * DAY))
    return st.builds(_window, wall_times(), st.sampled_from(ZONES), lengths)


def _window(wall_time: datetime, zone: str, length: timedelta) -> tuple[datetime, datetime]:
    opens = wall_time.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return opens, opens + length


async def keep(collection: Collection, stored: Sequence[Meeting]) -> None:
    await collection.bulk_write([DeleteMany({})])
    if stored:
        await collection.bulk_write([InsertOne(to_document(one)) for one in stored])


async def check(reader: MongoBusyTimes, window: tuple[datetime, datetime]) -> list[str]:
    query = CheckAvailability(actor=actor("TS-A"), user_uuids=PEOPLE, starts_at=window[0], ends_at=window[1])
    reply = await Availability(reader, EverythingKnown(), UNLIMITED).check(query)
    assert isinstance(reply.data, Busy)
    return reply.data.user_uuids


@pytest.mark.integration
@given(
    stored=meeting_lists(),
    window=windows(),
    at_an_edge=st.integers(0, 39),
    max_read=st.sampled_from((1, 3, 1000)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
async def test_busy_is_who_plain_python_finds_busy(
    meetings: Collection,
    stored: Sequence[Meeting],
    window: tuple[datetime, datetime],
    at_an_edge: int,
    max_read: int,
) -> None:
    await keep(meetings, stored)
    reader = MongoBusyTimes(meetings, max_read=max_read)
    edges = [edge for one in stored for edge in taken(one)]
    asked = [window]
    if edges:  # windows that end where a meeting starts, and start where one ends
        edge = edges[at_an_edge % len(edges)]
        asked += [(edge - HOUR, edge), (edge, edge + HOUR)]
    for one in asked:
        assert await check(reader, one) == sorted(busy_people(stored, one))


@pytest.mark.integration
async def test_other_tenants_meetings_take_no_time(meetings: Collection) -> None:
    elsewhere = [any_meeting(seed).model_copy(update={"tenant_uuid": "T-OTHER"}) for seed in range(20)]
    await keep(meetings, elsewhere)
    always = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    assert busy_people(elsewhere, always)
    assert await check(MongoBusyTimes(meetings), always) == []


@pytest.mark.parametrize(
    ("duration", "number"),
    [(HOUR, 0), (25 * HOUR, 0), (25 * HOUR + timedelta(seconds=1), 1), (31 * DAY, 1), (32 * DAY, 2), (9999 * DAY, 2)],
)
def test_a_meeting_is_of_the_first_class_that_it_fits(duration: timedelta, number: int) -> None:
    assert duration_bucket(duration) == number
