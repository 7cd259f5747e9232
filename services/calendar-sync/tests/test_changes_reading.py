"""What cannot be read is skipped and named; zones and UIDs are known by whatever name a provider gives them."""

import copy
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_sync.providers.errors import CallFailedError
from calendar_sync.providers.external_event import ChangesPage, ExternalEvent, Window
from calendar_sync.providers.google import writer as google_calendar
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.microsoft import writer as microsoft_calendar
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.ical_uids import ical_uid_from_global_object_id
from calendar_sync.providers.ports import CalendarAccess, EventChangesSource
from calendar_sync.providers.time_zones import iana_zone_name, zone_of_bias
from contracts.values.enums import RsvpStatus
from hypothesis import given
from hypothesis import strategies as st

Json = dict[str, Any]
ACCESS = CalendarAccess("token", "primary")
WINDOW = Window(datetime(2038, 1, 1, tzinfo=UTC), datetime(2038, 7, 1, tzinfo=UTC))


class Answering:
    """A client of either provider that always gets the same answer."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def call(self, *_: Any, **__: Any) -> Any:
        return copy.deepcopy(self._answer)

    follow = call


PREFIX = "040000008200E00074C5B7101A82E008"
REST = "80D2E7F1A2B3C4D5" + "00" * 8
"""Of a global object id of Exchange's, before and behind the day of an occurrence."""
GOOGLE: Json = {
    "id": "e1",
    "etag": '"1"',
    "status": "confirmed",
    "summary": "Lunch",
    "location": "Café",
    "iCalUID": "u1",
    "recurringEventId": "s1",
    "originalStartTime": {"dateTime": "2038-06-01T10:00:00-04:00", "timeZone": "America/Santiago"},
    "start": {"dateTime": "2038-06-01T10:00:00-04:00", "timeZone": "America/Santiago"},
    "end": {"dateTime": "2038-06-01T11:00:00-04:00", "timeZone": "America/Santiago"},
    "organizer": {"email": "boss@example.com", "displayName": "Boss"},
    "attendees": [{"email": "a@example.com", "self": True, "responseStatus": "accepted"}],
    "extendedProperties": {"private": {"meetingId": "M1", "deployment": "tests"}},
    "conferenceData": {"entryPoints": [{"entryPointType": "video", "uri": "https://meet.example.com/x"}]},
}
GRAPH: Json = {
    "id": "e1",
    "@odata.etag": 'W/"1"',
    "type": "exception",
    "subject": "Lunch",
    "seriesMasterId": "s1",
    "originalStart": "2038-06-01T14:00:00Z",
    "originalStartTimeZone": "Pacific SA Standard Time",
    "iCalUId": "u1",
    "start": {"dateTime": "2038-06-01T14:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2038-06-01T15:00:00.0000000", "timeZone": "UTC"},
    "isAllDay": False,
    "location": {"displayName": "Café"},
    "body": {"content": "Words"},
    "organizer": {"emailAddress": {"address": "boss@example.com", "name": "Boss"}},
    "responseStatus": {"response": "accepted"},
    "attendees": [{"emailAddress": {"address": "a@example.com"}, "type": "required", "status": {"response": "none"}}],
    "onlineMeeting": {"joinUrl": "https://teams.example.com/x"},
}


def google(*items: Any) -> EventChangesSource:
    return GoogleChanges(
        Answering({"items": list(items), "nextSyncToken": "c", "timeZone": "UTC"}),  # type: ignore[arg-type]
        deployment="tests",
    )


def graph(*items: Any) -> EventChangesSource:
    return MicrosoftChanges(
        Answering({"value": list(items), "@odata.deltaLink": "c"}),  # type: ignore[arg-type]
        deployment="tests",
    )


PROVIDERS = pytest.mark.parametrize(("changes", "event"), [(google, GOOGLE), (graph, GRAPH)])


async def page(changes: EventChangesSource) -> ChangesPage:
    return await changes.fetch_page(ACCESS, sync_token=None, page=None, window=WINDOW)


@PROVIDERS
async def test_both_providers_say_the_same_of_the_same_event(changes: Any, event: Json) -> None:
    (seen,) = (await page(changes(event))).found
    assert isinstance(seen, ExternalEvent)
    assert (seen.ical_uid, seen.original_start) == ("u1", "2038-06-01T14:00:00Z")
    assert (seen.content.title, seen.content.location) == ("Lunch", "Café")
    when = seen.content.when
    assert (when.starts_at, when.zone) == (datetime(2038, 6, 1, 14, tzinfo=UTC), "America/Santiago")
    assert (seen.organizer_email, seen.organizer_name, seen.organized_by_owner) == ("boss@example.com", "Boss", False)
    assert seen.answer.value == "ACCEPTED"
    assert seen.meeting_link is not None


@PROVIDERS
async def test_one_event_that_cannot_be_read_keeps_no_other_back(changes: Any, event: Json) -> None:
    broken = [event | {"id": "e2", "start": None}, event | {"id": "e3", "end": {"dateTime": "never"}}, None, 7, "x", {}]
    read = await page(changes(broken[0], event, *broken[1:]))
    assert [one.event_id for one in read.found] == ["e1"]
    assert read.unparsable_ids == ["e2", "e3"]
    assert read.sync_token == "c"


@PROVIDERS
@pytest.mark.parametrize("end", ["missing", "backwards"])
async def test_a_time_that_ends_before_it_begins_or_never_takes_no_time(changes: Any, event: Json, end: str) -> None:
    ends = {"start": event["end"], "end": event["start"] if end == "backwards" else None}
    (found,) = (await page(changes(event | ends))).found
    assert isinstance(found, ExternalEvent)
    assert found.content.when.starts_at == found.content.when.ends_at
    assert not found.imported


@pytest.mark.parametrize("end", ["2026-06-15", "2026-06-14", None])
@pytest.mark.parametrize("read", [google_calendar.read_content, microsoft_calendar.read_content])
def test_a_whole_day_that_ends_no_later_than_it_begins_is_one_day(read: Any, end: str | None) -> None:
    graph = read is microsoft_calendar.read_content
    midnight = {"dateTime": "2026-06-15T00:00:00.0000000", "timeZone": "UTC"} if graph else {"date": "2026-06-15"}
    last = end and ({"dateTime": f"{end}T00:00:00.0000000", "timeZone": "UTC"} if graph else {"date": end})
    when = read({"isAllDay": True, "start": midnight, "end": last}).when
    day = datetime(2026, 6, 15, tzinfo=UTC)
    assert (when.starts_at, when.ends_at, when.all_day) == (day, day + timedelta(days=1), True)


@pytest.mark.parametrize(
    ("changes", "event", "start"),
    [
        (google, GOOGLE, {"dateTime": "2038-06-01T10:00:00", "timeZone": "America/Santiago"}),
        (google, GOOGLE, {"dateTime": "2038-06-01T10:00:00", "timeZone": "Pacific SA Standard Time"}),
        (google, GOOGLE, {"dateTime": "2038-06-01T10:00:00-04:00", "timeZone": "GMT-04:00"}),
        (graph, GRAPH, {"dateTime": "2038-06-01T10:00:00.0000000", "timeZone": "Pacific SA Standard Time"}),
        (graph, GRAPH, {"dateTime": "2038-06-01T14:00:00.0000000", "timeZone": None}),
        (graph, GRAPH, {"dateTime": "2038-06-01T14:00:00.0000000", "timeZone": "tzone://Microsoft/Utc"}),
        (graph, GRAPH, {"dateTime": "2038-06-01T10:00:00-04:00", "timeZone": "UTC"}),
        (graph, GRAPH, {"dateTime": "2038-06-01T14:00:00Z"}),
    ],
)
async def test_an_instant_is_what_it_says_with_whatever_zone(changes: Any, event: Json, start: Json) -> None:
    (seen,) = (await page(changes(event | {"start": start}))).found
    assert isinstance(seen, ExternalEvent)
    assert seen.content.when.starts_at == datetime(2038, 6, 1, 14, tzinfo=UTC)


async def test_a_time_without_offset_and_zone_cannot_be_read() -> None:
    read = await page(google(GOOGLE | {"start": {"dateTime": "2038-06-01T10:00:00"}}))
    assert (read.found, read.unparsable_ids) == ([], ["e1"])


@pytest.mark.parametrize("zone", ["UTC", "Pacific SA Standard Time", "Tokyo Standard Time"])
async def test_a_whole_day_is_its_date_in_whatever_zone_it_is_shown(zone: str) -> None:
    days = [{"dateTime": f"2038-06-0{day}T00:00:00.0000000", "timeZone": zone} for day in (1, 2)]
    (seen,) = (await page(graph(GRAPH | {"isAllDay": True, "start": days[0], "end": days[1]}))).found
    assert isinstance(seen, ExternalEvent)
    assert (seen.content.when.starts_at, seen.content.when.ends_at) == tuple(
        datetime(2038, 6, day, tzinfo=UTC) for day in (1, 2)
    )


async def test_the_owners_own_answer_counts_behind_any_number_of_others() -> None:
    others = [{"email": f"guest{number}@example.com", "responseStatus": "accepted"} for number in range(1_000)]
    own = {"self": True, "responseStatus": "declined"}
    for attendees in ([*others, own | {"email": "me@example.com"}], [own], [{}, own]):
        (seen,) = (await page(google(GOOGLE | {"attendees": attendees}))).found
        assert isinstance(seen, ExternalEvent)
        assert (seen.answer, seen.answered) == (RsvpStatus.DECLINED, True)
        assert len(seen.attendees) <= 500


async def test_rooms_and_nameless_attendees_are_no_guests() -> None:
    at_google = [{"email": "room@resource.calendar.google.com", "resource": True}, {"displayName": "Nobody"}, {}]
    at_graph = [{"type": "resource", "emailAddress": {"address": "room@example.com"}}, {"type": "required"}, {}]
    for changes in (google(GOOGLE | {"attendees": at_google}), graph(GRAPH | {"attendees": at_graph})):
        (seen,) = (await page(changes)).found
        assert isinstance(seen, ExternalEvent)
        assert seen.attendees == ()


async def test_an_event_without_organizer_is_its_owners() -> None:
    for changes in (google(GOOGLE | {"organizer": None}), graph(GRAPH | {"organizer": None, "isOrganizer": False})):
        (seen,) = (await page(changes)).found
        assert isinstance(seen, ExternalEvent)
        assert (seen.organized_by_owner, seen.organizer_email) == (True, None)


async def test_who_is_invited_to_single_occurrences_sees_each_of_them() -> None:
    """Exchange puts them into the calendar as single events, whose UIDs have the day."""
    alone = GRAPH | {"type": "singleInstance", "seriesMasterId": None, "originalStart": None}
    first = alone | {"id": "a", "iCalUId": f"{PREFIX}07F60601{REST}10000000{'AB' * 16}"}
    second = alone | {"id": "b", "iCalUId": f"{PREFIX}07F60608{REST}10000000{'AB' * 16}"}
    broken = alone | {"id": "c", "iCalUId": f"{PREFIX}FFFFFFFF{REST}10000000{'AB' * 16}"}
    single = alone | {"id": "d", "iCalUId": f"{PREFIX}00000000{REST}10000000{'AB' * 16}"}
    seen = (await page(graph(first, second, broken, single))).found
    assert [event.original_start for event in seen if isinstance(event, ExternalEvent)] == [
        "2038-06-01T14:00:00Z",
        "2038-06-08",  # it is on another day now
        "",
        "",
    ]
    assert len({event.ical_uid for event in seen if isinstance(event, ExternalEvent)}) == 1


async def test_a_bare_occurrence_that_names_no_series_is_looked_up() -> None:
    bare = {name: GRAPH[name] for name in ("id", "start", "end")} | {"type": "occurrence"}

    class Client(Answering):
        async def call(self, _method: str, path: str, *_: Any, **__: Any) -> Any:
            return GRAPH if path == "/me/events/e1" else {"value": [bare], "@odata.deltaLink": "c"}

    (found,) = (await page(MicrosoftChanges(Client(None), deployment="tests"))).found  # type: ignore[arg-type]
    assert isinstance(found, ExternalEvent)
    assert (found.content.title, found.series_id) == ("Lunch", "s1")


async def test_graph_says_which_series_may_have_lost_instances() -> None:
    master = GRAPH | {"id": "s1", "type": "seriesMaster", "seriesMasterId": None}
    bare = {name: GRAPH[name] for name in ("@odata.etag", "start", "end", "seriesMasterId")}
    occurrence = bare | {"id": "o1", "type": "occurrence"}
    removed = {"id": "x1", "@removed": {"reason": "deleted"}}
    read = await page(graph(occurrence, master, removed))
    assert [one.event_id for one in read.found] == ["o1", "x1"]
    assert isinstance(read.found[0], ExternalEvent)
    assert (read.found[0].content.title, read.found[0].series_id) == ("Lunch", "s1")
    assert read.series == ["s1", "x1"]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "x" * 30_000, "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2038-06-01"]),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.sampled_from(["dateTime", "date", "timeZone", "emailAddress", "response"]), st.text(), max_size=2
    ),
)


def spoilt(event: Json) -> st.SearchStrategy[Json]:
    """The event with junk in some fields, or in fields of its fields, or without them."""

    def spoil(event: Json, changes: list[tuple[str, str, Any]]) -> Json:
        spoilt = copy.deepcopy(event)
        for field, inner, junk in changes:
            part = spoilt.get(field)
            if inner and isinstance(part, dict):
                part[inner] = junk
            elif inner and isinstance(part, list) and part and isinstance(part[0], dict):
                part[0][inner] = junk
            elif junk == "":
                spoilt.pop(field, None)
            else:
                spoilt[field] = junk
        return spoilt

    inner = sorted(
        {key for value in event.values() if isinstance(value, dict) for key in value} | {"", "email", "status"}
    )
    change = st.tuples(st.sampled_from(sorted(event)), st.sampled_from(inner), JUNK)
    return st.lists(change, min_size=1, max_size=4).map(lambda changes: spoil(event, changes))


@given(spoilt(GOOGLE))
async def test_whatever_google_gives_is_read_or_skipped(event: Json) -> None:
    await whole(google(event, GOOGLE | {"id": "good"}))


@given(spoilt(GRAPH))
async def test_whatever_graph_gives_is_read_or_skipped(event: Json) -> None:
    await whole(graph(event, GRAPH | {"id": "good"}))


async def whole(changes: EventChangesSource) -> None:
    """The good event is there, and what was made of the other has the types that it must have."""
    found = (await page(changes)).found
    assert "good" in [one.event_id for one in found]
    for one in found:
        assert isinstance(one.event_id, str)
        if isinstance(one, ExternalEvent):
            hash(one)
            assert all(isinstance(attendee.email, str) for attendee in one.attendees)
            for text in (one.ical_uid, one.meeting_link, one.organizer_email, one.organizer_name, one.marked_meeting):
                assert text is None or isinstance(text, str)


@pytest.mark.parametrize("answer", [{}, {"items": None, "value": 7}, {"items": [], "value": []}])
async def test_an_answer_that_is_no_page_is_a_failure_that_passes(answer: Any) -> None:
    for changes in (GoogleChanges, MicrosoftChanges):
        with pytest.raises(CallFailedError) as failed:
            await page(changes(Answering(answer), deployment="tests"))
        assert failed.value.failure.retryable


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("America/Santiago", "America/Santiago"),
        ("Pacific SA Standard Time", "America/Santiago"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("tzone://Microsoft/Custom", None),
        ("Customized Time Zone", None),
        ("", None),
        (None, None),
        (7, None),
        (["UTC"], None),
        ("x" * 10_000, None),
    ],
)
def test_zones_are_known_by_either_name(name: object, zone: str | None) -> None:
    assert iana_zone_name(name) == zone


@pytest.mark.parametrize(
    ("bias", "zone"),
    [(180, "Etc/GMT+3"), (-540, "Etc/GMT-9"), (0, "UTC"), (-330, None), (6000, None), (None, None), ("180", None)],
)
def test_a_custom_zone_is_known_by_its_bias(bias: object, zone: str | None) -> None:
    assert zone_of_bias(bias) == zone


def test_an_occurrence_has_the_uid_of_its_series() -> None:
    series = f"{PREFIX}00000000{REST}10000000{'AB' * 16}"
    assert ical_uid_from_global_object_id(f"{PREFIX}07EB0601{REST}10000000{'AB' * 16}") == series
    assert ical_uid_from_global_object_id(series) == series
    assert ical_uid_from_global_object_id(series.lower()) == series


def test_the_uid_of_an_invitation_from_elsewhere_is_unwrapped() -> None:
    data = b"vCal-Uid\x01\x00\x00\x00abc123@google.com\x00"
    wrapped = f"{PREFIX}00000000{REST}{struct.pack('<I', len(data)).hex()}{data.hex()}".upper()
    assert ical_uid_from_global_object_id(wrapped) == "abc123@google.com"


@pytest.mark.parametrize("uid", ["abc@google.com", "", "0400", PREFIX, "zz" * 40, "40" * 41])
def test_any_other_uid_stays_as_it_is(uid: str) -> None:
    assert ical_uid_from_global_object_id(uid) == uid


@given(st.binary(max_size=60))
def test_no_uid_is_too_strange(rest: bytes) -> None:
    assert ical_uid_from_global_object_id(PREFIX + rest.hex())
