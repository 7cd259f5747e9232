"""Reading changes out of Google calendars, against the simulator over real sockets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_sync.providers.errors import CallFailedError, UnauthorizedError
from calendar_sync.providers.external_event import DeletedEvent, ExternalEvent, SyncTokenExpiredError, Window
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.client import GoogleClient
from calendar_sync.providers.ports import CalendarAccess
from contracts.values.enums import RsvpStatus, SyncFailureCode
from contracts.values.ids import uuid7_hex
from simulators.google.testing import Google

from tests.support.reading import Reader

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(TODAY - timedelta(days=30), TODAY + timedelta(days=180))
TOMORROW = TODAY + timedelta(days=1)


class Desk:
    """An account of Google, its owner's hand, and what reads its changes."""

    def __init__(self, google: Google, client: GoogleClient) -> None:
        self.google = google
        self.email = f"{uuid7_hex().lower()}@gmail.com"
        self.access = CalendarAccess(str(google.connect(self.email).token), "primary")
        self.reader = Reader(GoogleChanges(client, deployment="tests"), self.access, WINDOW)

    def make(self, *, by: str | None = None, **fields: Any) -> str:
        """The id of a new event, tomorrow at ten in Santiago unless said otherwise."""
        body = {
            "summary": "Lunch",
            "start": {"dateTime": f"{TOMORROW:%Y-%m-%d}T10:00:00", "timeZone": "America/Santiago"},
            "end": {"dateTime": f"{TOMORROW:%Y-%m-%d}T11:00:00", "timeZone": "America/Santiago"},
        } | fields
        return str(self.google.control("POST", f"accounts/{by or self.email}/events", body)["id"])

    def change(self, event_id: str, **fields: Any) -> None:
        self.google.control("PATCH", f"accounts/{self.email}/events/{event_id}", fields)

    def delete(self, event_id: str) -> None:
        self.google.control("DELETE", f"accounts/{self.email}/events/{event_id}")


@pytest.fixture
def client(google_simulator: Google) -> Iterator[GoogleClient]:
    client = GoogleClient(api_url=google_simulator.url, timeout=5, threads=4)
    yield client
    client.close()
    google_simulator.control("DELETE", "faults")


@pytest.fixture
def desk(google_simulator: Google, client: GoogleClient) -> Desk:
    return Desk(google_simulator, client)


async def test_a_full_round_shows_everything_and_the_next_one_only_what_is_new(desk: Desk) -> None:
    event_id = desk.make(location="Café", description="Two\nlines")
    (event,) = await desk.reader.seen()
    assert (event.event_id, event.content.title) == (event_id, "Lunch")
    assert (event.content.location, event.content.description) == ("Café", "Two\nlines")
    assert event.content.when.zone == "America/Santiago"
    assert event.content.when.starts_at.tzinfo is not None
    assert event.organized_by_owner
    assert event.organizer_email == desk.email
    assert event.ical_uid == f"{event_id}@google.com"
    assert (event.opaque, event.private, event.imported, event.original_start) == (True, False, True, "")

    assert await desk.reader.found() == []
    desk.change(event_id, summary="Dinner")
    (event,) = await desk.reader.seen()
    assert event.content.title == "Dinner"
    desk.delete(event_id)
    assert await desk.reader.found() == [DeletedEvent(event_id)]


async def test_a_series_comes_as_instances_that_keep_their_names(desk: Desk) -> None:
    series = desk.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    first, second, third = await desk.reader.seen()
    assert len({event.ical_uid for event in (first, second, third)}) == 1
    starts = [event.content.when.starts_at for event in (first, second, third)]
    assert [event.original_start for event in (first, second, third)] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in starts]

    moved = (second.content.when.starts_at + timedelta(hours=2)).isoformat()
    ends = (second.content.when.ends_at + timedelta(hours=2)).isoformat()
    desk.change(second.event_id, start={"dateTime": moved}, end={"dateTime": ends})
    (again,) = await desk.reader.seen()
    assert (again.event_id, again.original_start) == (second.event_id, second.original_start)
    assert again.content.when.starts_at == second.content.when.starts_at + timedelta(hours=2)

    desk.delete(third.event_id)
    assert await desk.reader.found() == [DeletedEvent(third.event_id)]
    desk.delete(series)
    assert {one.event_id for one in await desk.reader.found()} >= {first.event_id, second.event_id}


async def test_whole_days_are_dates_in_the_calendars_zone(desk: Desk) -> None:
    day, next_day = f"{TOMORROW:%Y-%m-%d}", f"{TOMORROW + timedelta(days=1):%Y-%m-%d}"
    desk.make(start={"date": day}, end={"date": next_day}, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    first, _ = await desk.reader.seen()
    assert (first.content.when.starts_at, first.content.when.all_day) == (TOMORROW, True)
    assert first.content.when.zone == "UTC"
    assert first.original_start == day


async def test_a_whole_day_that_ends_when_it_begins_is_one_day(desk: Desk) -> None:
    event_id = desk.make(
        start={"date": f"{TOMORROW:%Y-%m-%d}"}, end={"date": f"{TOMORROW + timedelta(days=1):%Y-%m-%d}"}
    )
    desk.google.control(
        "PATCH", f"accounts/{desk.email}/events/{event_id}/stored", {"end": {"date": f"{TOMORROW:%Y-%m-%d}"}}
    )
    (event,) = await desk.reader.seen()
    when = event.content.when
    assert (when.starts_at, when.ends_at, when.all_day) == (TOMORROW, TOMORROW + timedelta(days=1), True)
    assert event.imported


@pytest.mark.parametrize(
    ("fields", "opaque", "private", "imported"),
    [
        ({"transparency": "transparent"}, False, False, True),
        ({"visibility": "private"}, True, True, True),
        ({"visibility": "confidential"}, True, True, True),
        ({"visibility": "public"}, True, False, True),
        ({"eventType": "focusTime", "focusTimeProperties": {}}, True, False, True),
        ({"eventType": "outOfOffice", "outOfOfficeProperties": {}}, True, False, True),
        ({"eventType": "workingLocation", "workingLocationProperties": {"type": "homeOffice"}}, True, False, False),
    ],
)
async def test_what_kind_of_event_it_is(
    desk: Desk, fields: dict[str, Any], opaque: bool, private: bool, imported: bool
) -> None:
    desk.make(**fields)
    (event,) = await desk.reader.seen()
    assert (event.opaque, event.private, event.imported) == (opaque, private, imported)


@pytest.mark.parametrize(
    ("stored", "opaque", "imported"),
    [
        ({"eventType": "fromGmail"}, True, True),
        ({"eventType": "birthday"}, True, False),
        ({"status": "tentative"}, True, True),
        ({"eventType": "somethingNew"}, True, True),
        ({"organizer": None}, True, True),
        ({"attendees": [{"displayName": "Nobody"}, {"email": "no address"}]}, True, True),
        ({"end": {"dateTime": f"{TOMORROW - timedelta(days=1):%Y-%m-%dT10:00:00Z}"}}, True, False),
        ({"start": {"timeZone": "GMT-03:00"}}, True, True),
    ],
)
async def test_what_only_google_itself_makes(desk: Desk, stored: dict[str, Any], opaque: bool, imported: bool) -> None:
    event_id = desk.make()
    desk.google.control("PATCH", f"accounts/{desk.email}/events/{event_id}/stored", stored)
    (event,) = await desk.reader.seen()
    assert (event.opaque, event.imported, event.attendees) == (opaque, imported, ())


async def test_an_invitation_says_who_invites_and_who_answered(desk: Desk, google_simulator: Google) -> None:
    host = f"{uuid7_hex().lower()}@gmail.com"
    google_simulator.connect(host)
    guests = [
        {"email": desk.email, "displayName": "Me", "responseStatus": "accepted"},
        {"email": "no@example.com", "responseStatus": "declined"},
        {"email": "maybe@example.com", "responseStatus": "tentative"},
        {"email": "room@resource.calendar.google.com", "resource": True},
    ]
    desk.make(by=host, attendees=guests, organizer={"email": host})
    (event,) = await desk.reader.seen()
    assert (event.organizer_email, event.organized_by_owner) == (host, False)
    assert (event.answer, event.answered) == (RsvpStatus.ACCEPTED, True)
    answers = {one.email: one.answer for one in event.attendees if not one.is_organizer}
    assert answers == {
        desk.email: RsvpStatus.ACCEPTED,
        "no@example.com": RsvpStatus.DECLINED,
        "maybe@example.com": RsvpStatus.UNKNOWN,
    }
    assert [one.email for one in event.attendees if one.is_owner] == [desk.email]


@pytest.mark.parametrize(
    ("said", "answered", "answer"),
    [
        ("needsAction", False, RsvpStatus.UNKNOWN),
        ("tentative", True, RsvpStatus.UNKNOWN),
        ("declined", True, RsvpStatus.DECLINED),
    ],
)
async def test_a_tentative_answer_is_one(
    desk: Desk, google_simulator: Google, said: str, answered: bool, answer: RsvpStatus
) -> None:
    host = f"{uuid7_hex().lower()}@gmail.com"
    google_simulator.connect(host)
    desk.make(by=host, attendees=[{"email": desk.email, "responseStatus": said}])
    (event,) = await desk.reader.seen()
    assert (event.answered, event.answer) == (answered, answer)


async def test_whether_an_event_is_still_there_can_be_asked(desk: Desk) -> None:
    event_id = desk.make()
    assert await desk.reader.changes.exists(desk.access, event_id)
    desk.delete(event_id)
    assert not await desk.reader.changes.exists(desk.access, event_id)
    desk.google.fault("error", account=desk.email, operation="events.get", status=404, reason="notFound", times=1)
    assert await desk.reader.changes.exists(desk.access, event_id), "a passing 404 proves nothing"


async def test_whether_guests_see_each_other_is_read(desk: Desk) -> None:
    guests = [{"email": "other@example.com"}]
    desk.make(summary="Open", attendees=guests)
    desk.make(summary="Hidden", attendees=guests, guestsCanSeeOtherGuests=False)
    assert {one.content.title: one.guests_hidden for one in await desk.reader.seen()} == {"Open": False, "Hidden": True}


async def test_only_our_deployments_marker_is_believed(desk: Desk) -> None:
    ours = {"private": {"meetingId": "M1", "deployment": "tests", "generation": "1"}}
    desk.make(summary="Ours", extendedProperties=ours)
    desk.make(summary="Theirs", extendedProperties={"private": ours["private"] | {"deployment": "another"}})
    desk.make(summary="Shared", extendedProperties={"shared": ours["private"]})
    assert {event.content.title: event.marked_meeting for event in await desk.reader.seen()} == {
        "Ours": "M1",
        "Theirs": None,
        "Shared": None,
    }


@pytest.mark.parametrize("bare", [True, False])
async def test_an_expired_cursor_is_lost(desk: Desk, google_simulator: Google, bare: bool) -> None:
    await desk.reader.found()
    google_simulator.control("POST", "sync-tokens/expire", {"account": desk.email, "bare": bare})
    with pytest.raises(SyncTokenExpiredError):
        await desk.reader.found()


async def test_a_cursor_that_is_none_is_lost(desk: Desk) -> None:
    with pytest.raises(SyncTokenExpiredError):
        await desk.reader.changes.fetch_page(desk.access, sync_token="nonsense", page=None, window=WINDOW)
    with pytest.raises(SyncTokenExpiredError):
        await desk.reader.changes.fetch_page(desk.access, sync_token=None, page="nonsense", window=WINDOW)


async def test_many_events_come_in_pages_of_which_some_are_empty(desk: Desk, google_simulator: Google) -> None:
    for hour in (8, 10):
        start, end = f"{TODAY - timedelta(days=20):%Y-%m-%d}T{hour:02}:00:00Z", f"T{hour + 1:02}:00:00Z"
        times = {"dateTime": start, "timeZone": "UTC"}, {"dateTime": start[:10] + end, "timeZone": "UTC"}
        desk.make(start=times[0], end=times[1], recurrence=["RRULE:FREQ=DAILY;COUNT=190"])
    google_simulator.fault("empty_page", account=desk.email, times=1)
    assert len(await desk.reader.seen()) == 380
    assert desk.reader.pages == 3
    assert await desk.reader.found() == []


async def test_a_provider_in_trouble_is_told_apart(desk: Desk, google_simulator: Google) -> None:
    await desk.reader.found()
    google_simulator.fault("error", account=desk.email, operation="events.list", status=429, retryAfter=7, times=1)
    with pytest.raises(CallFailedError) as failed:
        await desk.reader.found()
    assert (failed.value.failure.code, failed.value.failure.retry_after) == (SyncFailureCode.RATE_LIMITED, 7)
    with pytest.raises(UnauthorizedError):
        await desk.reader.changes.fetch_page(
            CalendarAccess("no token", "primary"), sync_token=None, page=None, window=WINDOW
        )


async def test_events_outside_the_window_come_with_a_cursor_only(desk: Desk) -> None:
    far = f"{TODAY + timedelta(days=400):%Y-%m-%d}"
    times = {"start": {"dateTime": f"{far}T10:00:00Z"}, "end": {"dateTime": f"{far}T11:00:00Z"}}
    desk.make(**times)
    assert await desk.reader.found() == []
    later = desk.make(**times)
    (event,) = await desk.reader.seen()
    assert isinstance(event, ExternalEvent)
    assert event.event_id == later
