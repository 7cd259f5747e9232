"""Reading changes out of Outlook calendars, against the simulator over real sockets."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from calendar_sync.providers.errors import CallFailedError, UnauthorizedError
from calendar_sync.providers.external_event import DeletedEvent, SyncTokenExpiredError, Window
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.client import GraphClient
from calendar_sync.providers.microsoft.writer import MicrosoftCalendarWriter
from calendar_sync.providers.ports import CalendarAccess, Marker
from contracts.values.enums import RsvpStatus, SyncFailureCode
from contracts.values.ids import uuid7_hex
from simulators.microsoft.testing import Microsoft

from tests.support.outward import content
from tests.support.reading import Reader

Json = dict[str, Any]
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(TODAY - timedelta(days=30), TODAY + timedelta(days=180))
TOMORROW = TODAY + timedelta(days=1)
SANTIAGO = "Pacific SA Standard Time"


class MicrosoftChangesHarness:
    """A mailbox at Microsoft, its owner's hand, and what reads its changes."""

    def __init__(self, microsoft: Microsoft, client: GraphClient) -> None:
        self.microsoft = microsoft
        self.email = f"{uuid7_hex().lower()}@contoso.com"
        self.access = CalendarAccess(str(microsoft.consent(self.email)["access_token"]), "primary")
        self.calendar = MicrosoftCalendarWriter(client)
        self.reader = Reader(MicrosoftChanges(client, deployment="tests"), self.access, WINDOW)

    def make(
        self,
        *,
        organizer: str | None = None,
        without_uid: bool = False,
        zone_label: str | None = None,
        **fields: Any,
    ) -> Json:
        """A new event, tomorrow at ten in Santiago unless said otherwise."""
        event = {
            "subject": "Lunch",
            "start": {"dateTime": f"{TOMORROW:%Y-%m-%d}T10:00:00", "timeZone": SANTIAGO},
            "end": {"dateTime": f"{TOMORROW:%Y-%m-%d}T11:00:00", "timeZone": SANTIAGO},
        } | fields
        body = {"event": event, "organizer": organizer, "withoutUid": without_uid, "zoneLabel": zone_label}
        made: Json = self.microsoft.control("POST", f"accounts/{self.email}/events", body)
        return made

    def change(self, event_id: str, **fields: Any) -> None:
        self.microsoft.control("PATCH", f"accounts/{self.email}/events/{event_id}", fields)

    def delete(self, event_id: str) -> None:
        self.microsoft.control("DELETE", f"accounts/{self.email}/events/{event_id}")

    def requests(self, operation: str) -> int:
        """How many requests of this kind there were for the mailbox."""
        counts = self.microsoft.control("GET", "requests")
        return sum(one["count"] for one in counts if (one["account"], one["operation"]) == (self.email, operation))


@pytest.fixture
async def harness(microsoft_simulator: Microsoft) -> AsyncIterator[MicrosoftChangesHarness]:
    async with httpx.AsyncClient(timeout=5) as http:
        yield MicrosoftChangesHarness(microsoft_simulator, GraphClient(http, graph_url=microsoft_simulator.url))
    microsoft_simulator.control("DELETE", "faults")


def daily(first: datetime, count: int) -> Json:
    pattern = {"type": "daily", "interval": 1}
    span = {"type": "numbered", "startDate": f"{first:%Y-%m-%d}", "numberOfOccurrences": count}
    return {"pattern": pattern, "range": span}


async def test_a_full_round_shows_everything_and_the_next_one_only_what_is_new(
    harness: MicrosoftChangesHarness,
) -> None:
    made = harness.make(
        location={"displayName": "Café"}, body={"contentType": "html", "content": "<p>Two</p>"}, showAs="busy"
    )
    (event,) = await harness.reader.seen()
    assert event.event_id == made["immutableId"]
    assert (event.content.title, event.content.location, event.content.description) == ("Lunch", "Café", "Two")
    assert event.content.when.zone == "America/Santiago"
    assert (event.ical_uid, event.original_start) == (made["iCalUId"], "")
    assert (event.organized_by_owner, event.organizer_email) == (True, harness.email)
    assert (event.opaque, event.private, event.imported) == (True, False, True)

    assert await harness.reader.found() == []
    harness.change(event.event_id, subject="Dinner")
    (event,) = await harness.reader.seen()
    assert event.content.title == "Dinner"
    harness.delete(event.event_id)
    assert await harness.reader.found() == [DeletedEvent(event.event_id)]


async def test_what_is_removed_is_gone_whatever_the_reason(
    harness: MicrosoftChangesHarness, microsoft_simulator: Microsoft
) -> None:
    made = harness.make()
    await harness.reader.seen()
    harness.delete(made["id"])
    microsoft_simulator.fault("removed_as_changed", account=harness.email)
    assert await harness.reader.found() == [DeletedEvent(made["immutableId"])]


async def test_an_event_that_left_the_window_counts_as_gone(harness: MicrosoftChangesHarness) -> None:
    made = harness.make()
    await harness.reader.seen()
    far = f"{TODAY + timedelta(days=400):%Y-%m-%d}"
    harness.change(
        made["immutableId"],
        start={"dateTime": f"{far}T10:00:00", "timeZone": "UTC"},
        end={"dateTime": f"{far}T11:00:00", "timeZone": "UTC"},
    )
    assert await harness.reader.found() == [DeletedEvent(made["immutableId"])]


async def test_a_series_comes_as_occurrences_that_say_what_it_says_and_keep_their_names(
    harness: MicrosoftChangesHarness,
) -> None:
    made = harness.make(recurrence=daily(TOMORROW, 3), location={"displayName": "Café"})
    first, second, third = await harness.reader.seen()
    assert {event.ical_uid for event in (first, second, third)} == {made["iCalUId"]}
    assert {(event.content.title, event.content.location) for event in (first, second, third)} == {("Lunch", "Café")}
    starts = [event.content.when.starts_at for event in (first, second, third)]
    assert [event.original_start for event in (first, second, third)] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in starts]

    harness.change(
        second.event_id,
        subject="Late lunch",
        start={"dateTime": f"{TOMORROW + timedelta(days=1):%Y-%m-%d}T12:00:00", "timeZone": SANTIAGO},
        end={"dateTime": f"{TOMORROW + timedelta(days=1):%Y-%m-%d}T13:00:00", "timeZone": SANTIAGO},
    )
    again = {event.event_id: event for event in await harness.reader.seen()}[second.event_id]
    assert (again.original_start, again.ical_uid) == (second.original_start, second.ical_uid)
    assert again.content.title == "Late lunch"
    assert again.content.when.starts_at == second.content.when.starts_at + timedelta(hours=2)

    harness.delete(third.event_id)
    assert DeletedEvent(third.event_id) in await harness.reader.found()
    harness.delete(made["immutableId"])
    assert {one.event_id for one in await harness.reader.found()} >= {first.event_id, second.event_id}


async def test_whole_days_are_dates_wherever_they_were_made(harness: MicrosoftChangesHarness) -> None:
    midnights = [
        {"dateTime": f"{TOMORROW + timedelta(days=n):%Y-%m-%d}T00:00:00", "timeZone": SANTIAGO} for n in (0, 1)
    ]
    harness.make(isAllDay=True, start=midnights[0], end=midnights[1], recurrence=daily(TOMORROW, 2))
    first, second = await harness.reader.seen()
    assert (first.content.when.starts_at, first.content.when.all_day) == (TOMORROW, True)
    assert first.original_start == f"{TOMORROW:%Y-%m-%d}"
    harness.change(second.event_id, subject="Holiday")
    again = {event.event_id: event for event in await harness.reader.seen()}[second.event_id]
    assert (again.original_start, again.content.title) == (second.original_start, "Holiday")


def whole_day(zone: str = SANTIAGO) -> Json:
    midnights = [{"dateTime": f"{TOMORROW + timedelta(days=n):%Y-%m-%d}T00:00:00", "timeZone": zone} for n in (0, 1)]
    return {"isAllDay": True, "start": midnights[0], "end": midnights[1]}


LABELS = [None, "tzone://Microsoft/Utc", "tzone://Microsoft/Custom", "Customized Time Zone", "Nowhere/At_All"]


@pytest.mark.parametrize("label", LABELS)
async def test_a_whole_day_without_a_zone_is_the_mailboxs_own_day(
    harness: MicrosoftChangesHarness, label: str | None
) -> None:
    harness.microsoft.control("POST", "accounts", {"email": harness.email, "timeZone": SANTIAGO})
    harness.make(zone_label=label, **whole_day("UTC"))
    (event,) = await harness.reader.seen()
    when = event.content.when
    assert (when.starts_at, when.ends_at, when.zone) == (TOMORROW, TOMORROW + timedelta(days=1), "America/Santiago")


@pytest.mark.parametrize(("bias", "zone"), [(240, "Etc/GMT+4"), (-540, "Etc/GMT-9"), (0, "UTC")])
async def test_a_whole_day_in_a_mailbox_with_a_custom_zone_is_its_owners_day(
    harness: MicrosoftChangesHarness, bias: int, zone: str
) -> None:
    harness.microsoft.control("POST", "accounts", {"email": harness.email, "customBias": bias})
    harness.make(zone_label="Customized Time Zone", **whole_day("UTC"))
    (event,) = await harness.reader.seen()
    assert (event.content.when.starts_at, event.content.when.zone) == (TOMORROW, zone)


async def test_a_whole_day_with_a_zone_keeps_it(harness: MicrosoftChangesHarness) -> None:
    harness.microsoft.control("POST", "accounts", {"email": harness.email, "timeZone": "Tokyo Standard Time"})
    harness.make(**whole_day())
    hours = [{"dateTime": f"{TOMORROW:%Y-%m-%d}T{hour}:00:00", "timeZone": "UTC"} for hour in (10, 11)]
    harness.make(subject="Timed", start=hours[0], end=hours[1])
    zones = {event.content.title: event.content.when.zone for event in await harness.reader.seen()}
    assert zones == {"Lunch": "America/Santiago", "Timed": "UTC"}
    assert harness.requests("mailboxSettings.get") == 0, "nobody had to be asked"


async def test_instances_of_whole_days_in_a_custom_zone_keep_their_names(harness: MicrosoftChangesHarness) -> None:
    harness.microsoft.control("POST", "accounts", {"email": harness.email, "timeZone": "Tokyo Standard Time"})
    harness.make(
        zone_label="tzone://Microsoft/Custom", recurrence=daily(TOMORROW, 3), **whole_day("Tokyo Standard Time")
    )
    before = {event.event_id: event.original_start for event in await harness.reader.seen()}
    assert sorted(before.values()) == [f"{TOMORROW + timedelta(days=n):%Y-%m-%d}" for n in (0, 1, 2)]
    harness.change(sorted(before)[1], subject="Holiday")
    assert {event.event_id: event.original_start for event in await harness.reader.seen()} == before


async def test_a_mailbox_whose_settings_cannot_be_had_is_read_all_the_same(harness: MicrosoftChangesHarness) -> None:
    harness.microsoft.fault("error", account=harness.email, operation="mailboxSettings.get", status=403)
    harness.make(**whole_day("UTC"))
    (event,) = await harness.reader.seen()
    assert (event.content.when.starts_at, event.content.when.zone) == (TOMORROW, "UTC")


@pytest.mark.parametrize(
    ("fields", "opaque", "private"),
    [
        ({"showAs": "free"}, False, False),
        ({"showAs": "workingElsewhere"}, False, False),
        ({"showAs": "tentative"}, True, False),
        ({"showAs": "oof"}, True, False),
        ({"showAs": "busy", "sensitivity": "private"}, True, True),
        ({"showAs": "busy", "sensitivity": "confidential"}, True, True),
        ({"showAs": "busy", "sensitivity": "personal"}, True, False),
    ],
)
async def test_what_kind_of_event_it_is(
    harness: MicrosoftChangesHarness, fields: Json, opaque: bool, private: bool
) -> None:
    harness.make(**fields)
    (event,) = await harness.reader.seen()
    assert (event.opaque, event.private) == (opaque, private)


async def test_a_reminder_without_length_does_not_belong_on_the_platform(harness: MicrosoftChangesHarness) -> None:
    at = {"dateTime": f"{TOMORROW:%Y-%m-%d}T10:00:00", "timeZone": "UTC"}
    harness.make(start=at, end=at)
    (event,) = await harness.reader.seen()
    assert not event.imported


async def test_an_invitation_says_who_invites_and_who_is_invited(harness: MicrosoftChangesHarness) -> None:
    guests = [
        {"emailAddress": {"address": harness.email, "name": "Me"}, "type": "required"},
        {"emailAddress": {"address": "other@example.com", "name": "Other"}, "type": "optional"},
        {"emailAddress": {"address": "room@contoso.com", "name": "Room"}, "type": "resource"},
    ]
    made = harness.make(organizer="boss@example.com", attendees=guests)
    (event,) = await harness.reader.seen()
    assert (event.organizer_email, event.organized_by_owner) == ("boss@example.com", False)
    assert [one.email for one in event.attendees] == [harness.email, "other@example.com"]
    assert event.answer is RsvpStatus.UNKNOWN
    harness.microsoft.graph_with(harness.access.token).post(
        f"/me/events/{made['id']}/decline", json={"sendResponse": False}
    )
    found = (
        await harness.reader.found()
    )  # Outlook takes what its owner declined out of the calendar, or keeps it declined
    assert all(isinstance(one, DeletedEvent) or one.answer is RsvpStatus.DECLINED for one in found)
    assert found


async def test_who_is_invited_by_another_address_of_theirs_is_no_guest_of_their_own(
    harness: MicrosoftChangesHarness,
) -> None:
    other = f"other.{harness.email}"
    harness.microsoft.control("POST", "accounts", {"email": harness.email, "principalName": other.title()})
    guests = [{"emailAddress": {"address": address}} for address in (other, harness.email, "guest@example.com")]
    harness.make(organizer="boss@example.com", attendees=guests)
    (event,) = await harness.reader.seen()
    assert {attendee.email: attendee.is_owner for attendee in event.attendees} == {
        other: True,
        harness.email: True,
        "guest@example.com": False,
    }


async def test_addresses_of_a_mailbox_that_cannot_be_had_do_not_end_a_round(harness: MicrosoftChangesHarness) -> None:
    harness.microsoft.fault("error", account=harness.email, operation="me.get", status=403)
    harness.make(organizer="boss@example.com", attendees=[{"emailAddress": {"address": harness.email}}])
    (event,) = await harness.reader.seen()
    assert [attendee.is_owner for attendee in event.attendees] == [False], (
        "by the address of the connection it is known"
    )


@pytest.mark.parametrize(
    ("says", "answered", "answer"),
    [
        (None, False, RsvpStatus.UNKNOWN),
        ("tentativelyAccept", True, RsvpStatus.UNKNOWN),
        ("accept", True, RsvpStatus.ACCEPTED),
    ],
)
async def test_a_tentative_answer_is_one(
    harness: MicrosoftChangesHarness, says: str | None, answered: bool, answer: RsvpStatus
) -> None:
    made = harness.make(organizer="boss@example.com", attendees=[{"emailAddress": {"address": harness.email}}])
    if says is not None:
        graph = harness.microsoft.graph_with(harness.access.token)
        graph.post(f"/me/events/{made['id']}/{says}", json={"sendResponse": False})
    (event,) = await harness.reader.seen()
    assert (event.answered, event.answer) == (answered, answer)


async def test_whether_an_event_is_still_there_can_be_asked(harness: MicrosoftChangesHarness) -> None:
    made = harness.make()
    event_id = made["immutableId"]
    other = harness.microsoft.control("POST", f"accounts/{harness.email}/calendars", {"name": "Other"})
    harness.microsoft.control(
        "POST", f"accounts/{harness.email}/events/{event_id}/move", {"calendarId": other["calendar_id"]}
    )
    assert await harness.reader.changes.exists(harness.access, event_id), "it was only moved"
    harness.delete(event_id)
    assert not await harness.reader.changes.exists(harness.access, event_id)


async def test_whether_guests_see_each_other_is_read(harness: MicrosoftChangesHarness) -> None:
    guests = [{"emailAddress": {"address": "other@example.com", "name": "Other"}, "type": "required"}]
    harness.make(subject="Open", attendees=guests)
    harness.make(subject="Hidden", attendees=guests, hideAttendees=True, recurrence=daily(TOMORROW, 2))
    hidden = [(one.content.title, one.guests_hidden) for one in await harness.reader.seen()]
    assert sorted(hidden) == [("Hidden", True), ("Hidden", True), ("Open", False)]


async def test_an_event_without_a_uid_has_none(harness: MicrosoftChangesHarness) -> None:
    harness.make(without_uid=True, subject=None)
    (event,) = await harness.reader.seen()
    assert (event.ical_uid, event.content.title) == (None, "")


@pytest.mark.parametrize("copies", [1, 6])
async def test_new_copies_of_ours_are_known_by_their_marker(harness: MicrosoftChangesHarness, copies: int) -> None:
    soon = {"starts_at": TOMORROW + timedelta(hours=9), "ends_at": TOMORROW + timedelta(hours=10)}
    wanted = content().model_copy(update={"when": content().when.model_copy(update=soon)})
    for number in range(copies):
        await harness.calendar.create(harness.access, Marker(f"M{number}", "tests", "account", 1), wanted)
    await harness.calendar.create(harness.access, Marker("M9", "another deployment", "account", 1), wanted)
    harness.make()
    marked = sorted(str(event.marked_meeting) for event in await harness.reader.seen())
    assert marked == sorted([*(f"M{number}" for number in range(copies)), "None", "None"])
    assert harness.requests("events.get") == (2 if copies == 1 else 0)


@pytest.mark.parametrize(
    "refusal", [{}, {"status": 400, "code": "resyncRequired"}, {"status": 404, "code": "syncStateNotFound"}]
)
async def test_an_expired_cursor_is_lost(
    harness: MicrosoftChangesHarness, microsoft_simulator: Microsoft, refusal: Json
) -> None:
    await harness.reader.found()
    microsoft_simulator.control("POST", f"accounts/{harness.email}/delta/invalidate", refusal)
    with pytest.raises(SyncTokenExpiredError):
        await harness.reader.found()


async def test_the_token_goes_to_graph_only(harness: MicrosoftChangesHarness) -> None:
    for link in ("https://example.com/v1.0/me/calendarView/delta?$deltatoken=x", "nonsense", "//example.com/x"):
        with pytest.raises(CallFailedError):
            await harness.reader.changes.fetch_page(harness.access, sync_token=link, page=None, window=WINDOW)


async def test_many_events_come_in_pages_of_which_some_are_empty_and_items_repeat(
    harness: MicrosoftChangesHarness, microsoft_simulator: Microsoft
) -> None:
    first = TODAY - timedelta(days=20)
    for hour in (8, 10):
        times = [{"dateTime": f"{first:%Y-%m-%d}T{at:02}:00:00", "timeZone": "UTC"} for at in (hour, hour + 1)]
        harness.make(subject=f"At {hour}", start=times[0], end=times[1], recurrence=daily(first, 190))
    microsoft_simulator.fault("empty_page", account=harness.email, times=1)
    microsoft_simulator.fault("repeated_items", account=harness.email, times=1)
    seen = await harness.reader.seen()
    assert harness.reader.pages == 3
    assert {event.content.title for event in seen} == {"At 8", "At 10"}
    assert len({event.event_id for event in seen}) == 380
    assert harness.requests("events.get") == 1  # the second series' master came on the page before
    assert harness.reader.unparsable_ids == []


async def test_a_provider_in_trouble_is_told_apart(
    harness: MicrosoftChangesHarness, microsoft_simulator: Microsoft
) -> None:
    await harness.reader.found()
    microsoft_simulator.fault(
        "error", account=harness.email, operation="calendarView.delta", status=429, retryAfter=7, times=1
    )
    with pytest.raises(CallFailedError) as failed:
        await harness.reader.found()
    assert (failed.value.failure.code, failed.value.failure.retry_after) == (SyncFailureCode.RATE_LIMITED, 7)
    with pytest.raises(UnauthorizedError):
        await harness.reader.changes.fetch_page(
            CalendarAccess("no token", "primary"), sync_token=None, page=None, window=WINDOW
        )
