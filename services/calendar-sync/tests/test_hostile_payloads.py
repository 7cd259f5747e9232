"""Whatever a provider answers, at any depth, is read or refused as no answer, and what goes on is bounded."""

import copy
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from calendar_sync.providers.errors import CallFailedError
from calendar_sync.providers.external_event import ExternalEvent, Window
from calendar_sync.providers.google.changes import GoogleChanges
from calendar_sync.providers.google.channels import GoogleChannels
from calendar_sync.providers.http import retry_after
from calendar_sync.providers.microsoft.changes import MicrosoftChanges
from calendar_sync.providers.microsoft.channels import MicrosoftSubscriptions
from calendar_sync.providers.ports import CalendarAccess
from hypothesis import example, given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
Answer = TypeVar("Answer")
ACCESS = CalendarAccess("token", "primary")
THEN = datetime(2038, 1, 1, tzinfo=UTC)
WINDOW = Window(THEN, datetime(2038, 7, 1, tzinfo=UTC))
UNTIMED = settings(deadline=None)

WHEN = {"dateTime": "2038-06-01T10:00:00-04:00", "timeZone": "America/Santiago"}
GOOGLE: Json = {
    "timeZone": "UTC",
    "nextSyncToken": "cursor",
    "items": [
        {
            "id": "e1",
            "etag": '"1"',
            "status": "confirmed",
            "summary": "Lunch",
            "description": "<b>Words</b>",
            "iCalUID": "u1",
            "recurringEventId": "s1",
            "originalStartTime": WHEN,
            "start": WHEN,
            "end": WHEN | {"dateTime": "2038-06-01T11:00:00-04:00"},
            "organizer": {"email": "boss@example.com", "displayName": "Boss"},
            "attendees": [{"email": "a@example.com", "self": True, "responseStatus": "accepted"}],
            "extendedProperties": {"private": {"meetingId": "M1", "deployment": "tests"}},
            "conferenceData": {"entryPoints": [{"entryPointType": "video", "uri": "https://meet.example.com/x"}]},
        }
    ],
}
GRAPH: Json = {
    "@odata.deltaLink": "https://graph.example.com/delta",
    "value": [
        {
            "id": "e1",
            "@odata.etag": 'W/"1"',
            "type": "exception",
            "subject": "Lunch",
            "seriesMasterId": "s1",
            "originalStart": "2038-06-01T14:00:00Z",
            "iCalUId": "u1",
            "start": {"dateTime": "2038-06-01T14:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2038-06-01T15:00:00.0000000", "timeZone": "UTC"},
            "isAllDay": False,
            "location": {"displayName": "Café"},
            "body": {"content": "Words"},
            "organizer": {"emailAddress": {"address": "boss@example.com", "name": "Boss"}},
            "responseStatus": {"response": "accepted"},
            "attendees": [{"emailAddress": {"address": "a@example.com"}, "status": {"response": "none"}}],
        },
        {"id": "x1", "@removed": {"reason": "deleted"}},
    ],
}
WATCHED: Json = {"resourceId": "r1", "expiration": "1830000000000"}
SUBSCRIBED: Json = {
    "id": "s1",
    "expirationDateTime": "2038-06-01T14:00:00Z",
    "notificationUrl": "https://hooks.example.com",
}

DEEP: Any = 0
for _ in range(200):
    DEEP = [DEEP]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "\0", "x" * 100_000, "9" * 5000, 10**400, DEEP, {}, [], [None] * 1000]),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2038-02-30", "24:00", "²"]),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
GONE = object()


@st.composite
def spoilt(draw: st.DrawFn, answer: Any) -> Any:
    """The answer with junk in up to three places at any depth, or with what stood there left out."""
    made = copy.deepcopy(answer)
    for _ in range(draw(st.integers(1, 3))):
        inside: Any = made
        while True:
            places = sorted(inside) if isinstance(inside, dict) else range(len(inside))
            if not places:
                break
            place = draw(st.sampled_from(places))
            deeper = inside[place]
            if isinstance(deeper, dict | list) and draw(st.integers(0, 3)):
                inside = deeper
                continue
            junk = draw(JUNK | st.just(GONE))
            if junk is not GONE:
                inside[place] = copy.deepcopy(junk)
            elif isinstance(inside, dict):
                del inside[place]
            break
    return made


class Answering:
    """A client of either provider that always gets the same answer."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def call(self, *_: Any, **__: Any) -> Any:
        return copy.deepcopy(self._answer)

    follow = call


def bounded(text: str | None, longest: int) -> bool:
    return text is None or (isinstance(text, str) and len(text) <= longest)


async def refused_at_most(call: Awaitable[Answer]) -> Answer | None:
    """The answer; None when it is refused in a way that another may mend."""
    try:
        return await call
    except CallFailedError as refused:
        if refused.failure.retryable:
            return None
        raise


async def read(changes: GoogleChanges | MicrosoftChanges) -> None:
    page = await refused_at_most(changes.fetch_page(ACCESS, sync_token=None, page=None, window=WINDOW))
    if page is None:
        return
    assert page.sync_token or page.next_page
    for one in page.found:
        assert isinstance(one.event_id, str)
        assert one.event_id
        if isinstance(one, ExternalEvent):
            hash(one)
            assert one.content.when.starts_at <= one.content.when.ends_at
            assert all(
                bounded(text, 20_000) for text in (one.content.title, one.content.location, one.content.description)
            )
            assert bounded(one.ical_uid, 1024)
            assert bounded(one.meeting_link, 2048)
            assert bounded(one.organizer_email, 320)
            assert bounded(one.organizer_name, 255)
            assert len(one.attendees) <= 500
            assert all(bounded(other.email, 320) and bounded(other.name, 255) for other in one.attendees)


@UNTIMED
@given(spoilt(GOOGLE))
async def test_google_may_answer_anything_to_a_pull(answer: Json) -> None:
    await read(GoogleChanges(Answering(answer), deployment="tests"))  # type: ignore[arg-type]


@UNTIMED
@given(spoilt(GRAPH))
async def test_graph_may_answer_anything_to_a_pull(answer: Json) -> None:
    await read(MicrosoftChanges(Answering(answer), deployment="tests"))  # type: ignore[arg-type]


@UNTIMED
@given(spoilt(WATCHED))
async def test_google_may_answer_anything_to_a_watch(answer: Json) -> None:
    bell = GoogleChannels(Answering(answer), address="https://hooks.example.com")  # type: ignore[arg-type]
    await refused_at_most(bell.create(ACCESS, "c1", "secret", THEN))


@UNTIMED
@given(spoilt(SUBSCRIBED))
async def test_graph_may_answer_anything_to_a_subscription(answer: Json) -> None:
    bell = MicrosoftSubscriptions(Answering(answer), address="https://hooks.example.com")  # type: ignore[arg-type]
    await refused_at_most(bell.create(ACCESS, "c1", "secret", THEN))
    await refused_at_most(bell.renew(ACCESS, "s1", THEN))


@UNTIMED
@given(spoilt({"value": [SUBSCRIBED], "@odata.nextLink": "https://graph.example.com/next"}))
async def test_graph_may_list_anything_as_subscriptions(answer: Json) -> None:
    bell = MicrosoftSubscriptions(Answering(answer), address="https://hooks.example.com")  # type: ignore[arg-type]
    await refused_at_most(bell.list_own(ACCESS))


@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
@UNTIMED
@given(st.text(max_size=40) | st.integers().map(str))
@example("²")
@example("9" * 400)
@example("Mon, 01 Jan 99999999 00:00:00 GMT")
@example("Mon, 01 Jan 2038 00:00:00 -0000")
def test_any_retry_after_is_a_wait_or_none(name: str, value: str) -> None:
    wait = retry_after({name: value})
    assert wait is None or 0 <= wait <= 86_400
