"""Copies that their hosts make recurring: the meeting is the first instance, and each instance is there once."""

from typing import Any

import pytest
from calendar_sync.outbound.model import MirroredEvent
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.values.enums import MeetingStatus
from simulators.google.testing import CALENDAR, Google
from simulators.microsoft.testing import Microsoft

from tests.support.outward import OutboundHarness
from tests.support.provider_account import ProviderAccount

_WEEKLY: dict[str, Any] = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "sunday"},
    "range": {"type": "numbered", "startDate": "2038-06-01", "numberOfOccurrences": 3},
}


async def made_recurring(office: ProviderAccount) -> tuple[OutboundHarness, str]:
    """A meeting whose host has made its copy a weekly series of three, and the series' id."""
    harness = office.harness()
    await harness.settle()
    series = office.event()["id"]
    if office.outside.name == "google":
        office.by_hand("PATCH", {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    else:
        office.by_hand("PATCH", {"recurrence": _WEEKLY})
    return harness, str(series)


async def recheck(harness: OutboundHarness) -> MirroredEventChanged | MirroredEventDeleted | None:
    harness.look()
    return (await harness.attempt()).host_edit


def starts(change: MirroredEventChanged | MirroredEventDeleted | None) -> str:
    """The wall time at which the meeting is to begin."""
    assert isinstance(change, MirroredEventChanged)
    assert change.start_date_time is not None
    return change.start_date_time.isoformat()


class Hand:
    """The host's own hand on instances of the series, in order of time."""

    def __init__(self, office: ProviderAccount) -> None:
        self._office, simulator = office, office.outside.simulator
        if isinstance(simulator, Google):
            self._events = simulator.calendar(simulator.connect(office.email, CALENDAR)).events()
        else:
            assert isinstance(simulator, Microsoft)
            self._graph = simulator.graph(office.email)

    @property
    def _is_google(self) -> bool:
        return self._office.outside.name == "google"

    def instances(self, series: str) -> list[dict[str, Any]]:
        if self._is_google:
            found = self._events.instances(calendarId="primary", eventId=series).execute()["items"]
        else:
            window = {"startDateTime": "2038-01-01T00:00:00Z", "endDateTime": "2039-01-01T00:00:00Z"}
            found = self._graph.get(f"/me/events/{series}/instances", params=window).json()["value"]
        return sorted(found, key=lambda event: str(event["start"].get("dateTime") or event["start"]["date"]))

    def titles(self, series: str) -> list[str]:
        return [event[self._office.title_field] for event in self.instances(series)]

    def rename(self, event_id: str, title: str) -> None:
        self._edit(event_id, {self._office.title_field: title})

    def move(self, event_id: str, start: str, end: str) -> None:
        """To these wall times in UTC, ``2038-06-01T15:00:00``."""
        times = {"start": start, "end": end}
        self._edit(event_id, {name: {"dateTime": time, "timeZone": "UTC"} for name, time in times.items()})

    def delete(self, event_id: str) -> None:
        if self._is_google:
            self._events.delete(calendarId="primary", eventId=event_id).execute()
        else:
            assert self._graph.delete(f"/me/events/{event_id}").status_code == 204

    def _edit(self, event_id: str, body: dict[str, Any]) -> None:
        if self._is_google:
            self._events.patch(calendarId="primary", eventId=event_id, body=body).execute()
        else:
            answer = self._graph.patch(f"/me/events/{event_id}", json=body)
            assert answer.status_code == 200, answer.text


def own(harness: OutboundHarness) -> MirroredEvent:
    return harness.event


async def test_a_series_changes_nothing_about_the_meeting(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    assert await recheck(harness) is None
    assert own(harness).event_id != series
    assert own(harness).deleted is False


async def test_the_platform_changes_and_removes_only_the_meetings_own_instance(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    hand = Hand(office)
    harness.want(title="Changed here")
    await harness.settle()
    assert hand.titles(series) == ["Changed here", "Review", "Review"]
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert hand.titles(series) == ["Review", "Review"]


async def test_the_meeting_follows_its_own_instance_and_no_other(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    hand = Hand(office)
    first, second, _ = hand.instances(series)
    hand.rename(second["id"], "Another one")
    assert await recheck(harness) is None
    hand.move(first["id"], "2038-06-01T15:00:00", "2038-06-01T16:00:00")
    change = await recheck(harness)
    assert starts(change) == "2038-06-01T15:00:00"


async def test_an_instance_that_is_moved_behind_the_next_one_is_still_the_meetings(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    hand = Hand(office)
    hand.move(hand.instances(series)[0]["id"], "2038-06-10T09:00:00", "2038-06-10T10:00:00")
    change = await recheck(harness)
    assert starts(change) == "2038-06-10T09:00:00"


async def test_the_meeting_follows_a_series_that_is_moved(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    Hand(office).move(series, "2038-06-01T11:30:00", "2038-06-01T12:30:00")
    change = await recheck(harness)
    assert starts(change) == "2038-06-01T11:30:00"


async def test_the_meeting_follows_a_series_that_is_moved_to_another_day(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    if office.outside.name == "google":
        Hand(office).move(series, "2038-06-02T10:00:00", "2038-06-02T11:00:00")
    else:
        pattern = _WEEKLY["pattern"] | {"daysOfWeek": ["wednesday"]}
        times = {"start": "2038-06-02T10:00:00", "end": "2038-06-02T11:00:00"}
        moved = {name: {"dateTime": time, "timeZone": "UTC"} for name, time in times.items()}
        recurrence = {"pattern": pattern, "range": _WEEKLY["range"] | {"startDate": "2038-06-02"}}
        office.by_hand("PATCH", moved | {"recurrence": recurrence})
    change = await recheck(harness)
    assert starts(change) == "2038-06-02T10:00:00"


async def test_an_instance_that_the_host_deletes_is_removed_alone(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    hand = Hand(office)
    first, second, _ = hand.instances(series)
    hand.delete(second["id"])
    assert await recheck(harness) is None
    hand.delete(first["id"])
    assert isinstance(await recheck(harness), MirroredEventDeleted)
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert hand.titles(series) == ["Review"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific SA Standard Time", "Tokyo Standard Time"])
async def test_a_series_of_whole_days_changes_nothing_about_the_meeting(
    microsoft_office: ProviderAccount, zone: str
) -> None:
    """Graph says when occurrences begin as instants, which are midnights only where the host is."""
    harness = microsoft_office.harness()
    harness.want(
        start_date_time="2038-06-01T00:00:00", end_date_time="2038-06-02T00:00:00", all_day=True, timezone="UTC"
    )
    await harness.settle()
    days = {
        name: {"dateTime": f"2038-06-0{day}T00:00:00", "timeZone": zone} for name, day in (("start", 1), ("end", 2))
    }
    microsoft_office.by_hand("PATCH", days | {"isAllDay": True, "recurrence": _WEEKLY})
    series = microsoft_office.event()["id"]
    assert await recheck(harness) is None
    assert (own(harness).deleted, own(harness).event_id == series) == (False, False)
    assert await recheck(harness) is None


async def test_a_series_of_whole_days_at_google_changes_nothing_about_the_meeting(
    google_office: ProviderAccount,
) -> None:
    harness = google_office.harness()
    harness.want(
        start_date_time="2038-06-01T00:00:00", end_date_time="2038-06-02T00:00:00", all_day=True, timezone="UTC"
    )
    await harness.settle()
    google_office.by_hand("PATCH", {"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})
    series = google_office.event()["id"]
    assert await recheck(harness) is None
    assert (own(harness).deleted, own(harness).event_id == series) == (False, False)
    hand = Hand(google_office)
    hand.delete(hand.instances(series)[1]["id"])
    assert await recheck(harness) is None
    hand.delete(hand.instances(series)[0]["id"])
    assert isinstance(await recheck(harness), MirroredEventDeleted)


async def test_a_series_that_is_a_single_event_again_is_the_copy(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    office.outside.simulator.control("PATCH", f"accounts/{office.email}/events/{series}", {"recurrence": None})
    assert await recheck(harness) is None
    harness.want(title="Changed here")
    await harness.settle()
    assert office.titles() == ["Changed here"]


async def test_a_series_that_is_deleted_as_a_whole_is_removed(office: ProviderAccount) -> None:
    harness, series = await made_recurring(office)
    await recheck(harness)
    office.outside.simulator.control("DELETE", f"accounts/{office.email}/events/{series}")
    assert isinstance(await recheck(harness), MirroredEventDeleted)


@pytest.mark.parametrize("look", [True, False])
async def test_a_series_is_found_whoever_comes_first(office: ProviderAccount, look: bool) -> None:
    harness, series = await made_recurring(office)
    if look:
        await recheck(harness)
    harness.want(start_date_time="2038-06-01T12:00:00", end_date_time="2038-06-01T13:00:00")
    await harness.settle()
    assert own(harness).event_id != series
    base = own(harness).base
    assert base is not None
    assert base.when.starts_at == harness.mirror.desired.starts_at
