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


class GoogleChangesHarness:
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
def harness(google_simulator: Google, client: GoogleClient) -> GoogleChangesHarness:
    return GoogleChangesHarness(google_simulator, client)


async def test_a_full_round_shows_everything_and_the_next_one_only_what_is_new(harness: GoogleChangesHarness) -> None:
    event_id = harness.make(location="Café", description="Two\nlines")
    (event,) = await harness.reader.seen()
    assert (event.event_id, event.content.title) == (event_id, "Lunch")
    assert (event.content.location, event.content.description) == ("Café", "Two\nlines")
    assert event.content.when.zone == "America/Santiago"
    assert event.content.when.starts_at.tzinfo is not None
    assert event.organized_by_owner
    assert event.organizer_email == harness.email
    assert event.ical_uid == f"{event_id}@google.com"
    assert (event.opaque, event.private, event.imported, event.original_start) == (True, False, True, "")

    assert await harness.reader.found() == []
    harness.change(event_id, summary="Dinner")
    (event,) = await harness.reader.seen()
    assert event.content.title == "Dinner"
    harness.delete(event_id)
    assert await harness.reader.found() == [DeletedEvent(event_id)]


async def test_a_series_comes_as_instances_that_keep_their_names(harness: GoogleChangesHarness) -> None:
    series = harness.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    first, second, third = await harness.reader.seen()
    assert len({event.ical_uid for event in (first, second, third)}) == 1
    starts = [event.content.when.starts_at for event in (first, second, third)]
    assert [event.original_start for event in (first, second, third)] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in starts]

    moved = (second.content.when.starts_at + timedelta(hours=2)).isoformat()
    ends = (second.content.when.ends_at + timedelta(hours=2)).isoformat()
    harness.change(second.event_id, start={"dateTime": moved}, end={"dateTime": ends})
    (again,) = await harness.reader.seen()
    assert (again.event_id, again.original_start) == (second.event_id, second.original_start)
    assert again.content.when.starts_at == second.content.when.starts_at + timedelta(hours=2)

    harness.delete(third.event_id)
    assert await harness.reader.found() == [DeletedEvent(third.event_id)]
    harness.delete(series)
    assert {one.event_id for one in await harness.reader.found()} >= {first.event_id, second.event_id}


async def test_whole_days_are_dates_in_the_calendars_zone(harness: GoogleChangesHarness) -> None:
    day, next_day = f"{TOMORROW:%Y-%m-%d}", f"{TOMORROW + timedelta(days=1):%Y-%m-%d}"
    harness.make(start={"date": day}, end={"date": next_day}, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    first, _ = await harness.reader.seen()
    assert (first.content.when.starts_at, first.content.when.all_day) == (TOMORROW, True)
    assert first.content.when.zone == "UTC"
    assert first.original_start == day


async def test_a_whole_day_that_ends_when_it_begins_is_one_day(harness: GoogleChangesHarness) -> None:
    event_id = harness.make(
        start={"date": f"{TOMORROW:%Y-%m-%d}"}, end={"date": f"{TOMORROW + timedelta(days=1):%Y-%m-%d}"}
    )
    harness.google.control(
        "PATCH", f"accounts/{harness.email}/events/{event_id}/stored", {"end": {"date": f"{TOMORROW:%Y-%m-%d}"}}
    )
    (event,) = await harness.reader.seen()
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
    harness: GoogleChangesHarness, fields: dict[str, Any], opaque: bool, private: bool, imported: bool
) -> None:
    harness.make(**fields)
    (event,) = await harness.reader.seen()
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
async def test_what_only_google_itself_makes(
    harness: GoogleChangesHarness, stored: dict[str, Any], opaque: bool, imported: bool
) -> None:
    event_id = harness.make()
    harness.google.control("PATCH", f"accounts/{harness.email}/events/{event_id}/stored", stored)
    (event,) = await harness.reader.seen()
    assert (event.opaque, event.imported, event.attendees) == (opaque, imported, ())


async def test_an_invitation_says_who_invites_and_who_answered(
    harness: GoogleChangesHarness, google_simulator: Google
) -> None:
    host = f"{uuid7_hex().lower()}@gmail.com"
    google_simulator.connect(host)
    guests = [
        {"email": harness.email, "displayName": "Me", "responseStatus": "accepted"},
        {"email": "no@example.com", "responseStatus": "declined"},
        {"email": "maybe@example.com", "responseStatus": "tentative"},
        {"email": "room@resource.calendar.google.com", "resource": True},
    ]
    harness.make(by=host, attendees=guests, organizer={"email": host})
    (event,) = await harness.reader.seen()
    assert (event.organizer_email, event.organized_by_owner) == (host, False)
    assert (event.answer, event.answered) == (RsvpStatus.ACCEPTED, True)
    answers = {one.email: one.answer for one in event.attendees if not one.is_organizer}
    assert answers == {
        harness.email: RsvpStatus.ACCEPTED,
        "no@example.com": RsvpStatus.DECLINED,
        "maybe@example.com": RsvpStatus.UNKNOWN,
    }
    assert [one.email for one in event.attendees if one.is_owner] == [harness.email]


@pytest.mark.parametrize(
    ("said", "answered", "answer"),
    [
        ("needsAction", False, RsvpStatus.UNKNOWN),
        ("tentative", True, RsvpStatus.UNKNOWN),
        ("declined", True, RsvpStatus.DECLINED),
    ],
)
async def test_a_tentative_answer_is_one(
    harness: GoogleChangesHarness, google_simulator: Google, said: str, answered: bool, answer: RsvpStatus
) -> None:
    host = f"{uuid7_hex().lower()}@gmail.com"
    google_simulator.connect(host)
    harness.make(by=host, attendees=[{"email": harness.email, "responseStatus": said}])
    (event,) = await harness.reader.seen()
    assert (event.answered, event.answer) == (answered, answer)


async def test_whether_an_event_is_still_there_can_be_asked(harness: GoogleChangesHarness) -> None:
    event_id = harness.make()
    assert await harness.reader.changes.exists(harness.access, event_id)
    harness.delete(event_id)
    assert not await harness.reader.changes.exists(harness.access, event_id)
    harness.google.fault("error", account=harness.email, operation="events.get", status=404, reason="notFound", times=1)
    assert await harness.reader.changes.exists(harness.access, event_id), "a passing 404 proves nothing"


async def test_whether_guests_see_each_other_is_read(harness: GoogleChangesHarness) -> None:
    guests = [{"email": "other@example.com"}]
    harness.make(summary="Open", attendees=guests)
    harness.make(summary="Hidden", attendees=guests, guestsCanSeeOtherGuests=False)
    assert {one.content.title: one.guests_hidden for one in await harness.reader.seen()} == {
        "Open": False,
        "Hidden": True,
    }


async def test_only_our_deployments_marker_is_believed(harness: GoogleChangesHarness) -> None:
    ours = {"private": {"meetingId": "M1", "deployment": "tests", "generation": "1"}}
    harness.make(summary="Ours", extendedProperties=ours)
    harness.make(summary="Theirs", extendedProperties={"private": ours["private"] | {"deployment": "another"}})
    harness.make(summary="Shared", extendedProperties={"shared": ours["private"]})
    assert {event.content.title: event.marked_meeting for event in await harness.reader.seen()} == {
        "Ours": "M1",
        "Theirs": None,
        "Shared": None,
    }


@pytest.mark.parametrize("bare", [True, False])
async def test_an_expired_cursor_is_lost(harness: GoogleChangesHarness, google_simulator: Google, bare: bool) -> None:
    await harness.reader.found()
    google_simulator.control("POST", "sync-tokens/expire", {"account": harness.email, "bare": bare})
    with pytest.raises(SyncTokenExpiredError):
        await harness.reader.found()


async def test_a_cursor_that_is_none_is_lost(harness: GoogleChangesHarness) -> None:
    with pytest.raises(SyncTokenExpiredError):
        await harness.reader.changes.fetch_page(harness.access, sync_token="nonsense", page=None, window=WINDOW)
    with pytest.raises(SyncTokenExpiredError):
        await harness.reader.changes.fetch_page(harness.access, sync_token=None, page="nonsense", window=WINDOW)


async def test_many_events_come_in_pages_of_which_some_are_empty(
    harness: GoogleChangesHarness, google_simulator: Google
) -> None:
    for hour in (8, 10):
        start, end = f"{TODAY - timedelta(days=20):%Y-%m-%d}T{hour:02}:00:00Z", f"T{hour + 1:02}:00:00Z"
        times = {"dateTime": start, "timeZone": "UTC"}, {"dateTime": start[:10] + end, "timeZone": "UTC"}
        harness.make(start=times[0], end=times[1], recurrence=["RRULE:FREQ=DAILY;COUNT=190"])
    google_simulator.fault("empty_page", account=harness.email, times=1)
    assert len(await harness.reader.seen()) == 380
    assert harness.reader.pages == 3
    assert await harness.reader.found() == []


async def test_a_provider_in_trouble_is_told_apart(harness: GoogleChangesHarness, google_simulator: Google) -> None:
    await harness.reader.found()
    google_simulator.fault("error", account=harness.email, operation="events.list", status=429, retryAfter=7, times=1)
    with pytest.raises(CallFailedError) as failed:
        await harness.reader.found()
    assert (failed.value.failure.code, failed.value.failure.retry_after) == (SyncFailureCode.RATE_LIMITED, 7)
    with pytest.raises(UnauthorizedError):
        await harness.reader.changes.fetch_page(
            CalendarAccess("no token", "primary"), sync_token=None, page=None, window=WINDOW
        )


async def test_events_outside_the_window_come_with_a_cursor_only(harness: GoogleChangesHarness) -> None:
    far = f"{TODAY + timedelta(days=400):%Y-%m-%d}"
    times = {"start": {"dateTime": f"{far}T10:00:00Z"}, "end": {"dateTime": f"{far}T11:00:00Z"}}
    harness.make(**times)
    assert await harness.reader.found() == []
    later = harness.make(**times)
    (event,) = await harness.reader.seen()
    assert isinstance(event, ExternalEvent)
    assert event.event_id == later
