"""Copies that their hosts make recurring: the meeting is the first instance, and each instance is there once."""

from typing import Any

import pytest
from calendar_sync.outbound.model import MirroredEvent
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import MeetingStatus
from simulators.google.testing import CALENDAR, Google

from tests.support.offices import Office
from tests.support.outward import Desk

_WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "sunday"},
    "range": {"type": "numbered", "startDate": "2038-06-01", "numberOfOccurrences": 3},
}


async def made_recurring(office: Office) -> tuple[Desk, str]:
    """A meeting whose host has made its copy a weekly series of three, and the series' id."""
    desk = office.desk()
    await desk.settle()
    series = office.event()["id"]
    if office.outside.name == "google":
        office.by_hand("PATCH", {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    else:
        office.by_hand("PATCH", {"recurrence": _WEEKLY})
    return desk, str(series)


async def looked(desk: Desk) -> MirroredEventChanged | MirroredEventDeleted | None:
    desk.look()
    return (await desk.attempt()).host_edit


class Hand:
    """The host's own hand on instances of a series at Google."""

    def __init__(self, office: Office) -> None:
        simulator = office.outside.simulator
        assert isinstance(simulator, Google)
        self._events = simulator.calendar(simulator.connect(office.email, CALENDAR)).events()

    def instances(self, series: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._events.instances(calendarId="primary", eventId=series).execute()["items"]
        return found

    def edit(self, event_id: str, **body: Any) -> None:
        self._events.patch(calendarId="primary", eventId=event_id, body=body).execute()

    def delete(self, event_id: str) -> None:
        self._events.delete(calendarId="primary", eventId=event_id).execute()


def own(desk: Desk) -> MirroredEvent:
    return desk.event


async def test_a_series_changes_nothing_about_the_meeting(office: Office) -> None:
    desk, series = await made_recurring(office)
    assert await looked(desk) is None
    assert own(desk).event_id != series
    assert own(desk).deleted is False


async def test_the_platform_changes_and_removes_only_the_meetings_own_instance(google_office: Office) -> None:
    desk, series = await made_recurring(google_office)
    hand = Hand(google_office)
    desk.want(title="Changed here")
    await desk.settle()
    assert [one["summary"] for one in hand.instances(series)] == ["Changed here", "Review", "Review"]
    desk.want(status=MeetingStatus.CANCELED)
    await desk.settle()
    assert [one["summary"] for one in hand.instances(series)] == ["Review", "Review"]


async def test_the_meeting_follows_its_own_instance_and_no_other(google_office: Office) -> None:
    desk, series = await made_recurring(google_office)
    await looked(desk)
    hand = Hand(google_office)
    first, second, _ = hand.instances(series)
    hand.edit(second["id"], summary="Another one")
    assert await looked(desk) is None
    moved = {"dateTime": "2038-06-01T15:00:00Z"}, {"dateTime": "2038-06-01T16:00:00Z"}
    hand.edit(first["id"], start=moved[0], end=moved[1])
    change = await looked(desk)
    assert isinstance(change, MirroredEventChanged)
    assert change.start_date_time is not None
    assert change.start_date_time.hour == 15


async def test_the_meeting_follows_a_series_that_is_moved(google_office: Office) -> None:
    desk, series = await made_recurring(google_office)
    await looked(desk)
    hand = Hand(google_office)
    start, end = {"dateTime": "2038-06-02T10:00:00Z"}, {"dateTime": "2038-06-02T11:00:00Z"}
    hand.edit(series, start=start | {"timeZone": "UTC"}, end=end | {"timeZone": "UTC"})
    change = await looked(desk)
    assert isinstance(change, MirroredEventChanged)
    assert change.start_date_time is not None
    assert (change.start_date_time.day, change.start_date_time.hour) == (2, 10)


async def test_an_instance_that_the_host_deletes_is_removed_alone(google_office: Office) -> None:
    desk, series = await made_recurring(google_office)
    await looked(desk)
    hand = Hand(google_office)
    first, second, _ = hand.instances(series)
    hand.delete(second["id"])
    assert await looked(desk) is None
    hand.delete(first["id"])
    assert isinstance(await looked(desk), MirroredEventDeleted)


async def test_a_series_that_is_deleted_as_a_whole_is_removed(office: Office) -> None:
    desk, series = await made_recurring(office)
    await looked(desk)
    office.outside.simulator.control("DELETE", f"accounts/{office.email}/events/{series}")
    assert isinstance(await looked(desk), MirroredEventDeleted)


@pytest.mark.parametrize("look", [True, False])
async def test_a_series_is_found_whoever_comes_first(office: Office, look: bool) -> None:
    desk, series = await made_recurring(office)
    if look:
        await looked(desk)
    desk.want(start_date_time="2038-06-01T12:00:00", end_date_time="2038-06-01T13:00:00")
    await desk.settle()
    assert own(desk).event_id != series
    base = own(desk).base
    assert base is not None
    assert base.when.starts_at == desk.mirror.desired.starts_at
