"""Recurring events: expansion, exceptions, and what a changed rule drops."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from simulators.google.state import Json
from simulators.google.testing import Google

ZURICH = ZoneInfo("Europe/Zurich")


def weekly(service: Any, **more: Any) -> Json:
    """Mondays at 10:00 in Zurich, four times, over the change to winter time on 25 October 2026."""
    body = {
        "summary": "Weekly",
        "start": {"dateTime": "2026-10-12T10:00:00", "timeZone": "Europe/Zurich"},
        "end": {"dateTime": "2026-10-12T11:00:00", "timeZone": "Europe/Zurich"},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    }
    made: Json = service.events().insert(calendarId="primary", body=body | more).execute()
    return made


def listed(service: Any, **params: Any) -> list[Json]:
    found: list[Json] = service.events().list(calendarId="primary", **params).execute()["items"]
    return found


def starts(items: list[Json]) -> list[str]:
    return [item["start"]["dateTime"] for item in items]


def test_single_events_expands_a_series_and_keeps_its_local_hour(host: Any) -> None:
    master = weekly(host)
    assert [item["id"] for item in listed(host)] == [master["id"]]
    items = listed(host, singleEvents=True, orderBy="startTime", timeZone="Europe/Zurich")
    assert starts(items) == [
        "2026-10-12T10:00:00+02:00",
        "2026-10-19T10:00:00+02:00",
        "2026-10-26T10:00:00+01:00",
        "2026-11-02T10:00:00+01:00",
    ]
    assert items[2]["id"] == f"{master['id']}_20261026T090000Z"
    assert {item["recurringEventId"] for item in items} == {master["id"]}
    assert {item["iCalUID"] for item in items} == {master["iCalUID"]}
    assert "recurrence" not in items[0]


def test_a_window_cuts_the_expansion(host: Any) -> None:
    weekly(host)
    window = {"timeMin": "2026-10-19T08:30:00Z", "timeMax": "2026-10-26T09:00:00Z", "singleEvents": True}
    assert starts(listed(host, timeZone="UTC", **window)) == ["2026-10-19T08:00:00Z"]
    # Unexpanded, the series is listed when any occurrence falls inside.
    assert len(listed(host, timeMin="2026-11-02T00:00:00Z")) == 1
    assert listed(host, timeMin="2026-11-03T00:00:00Z") == []


def test_exdate_rdate_and_all_day_series(host: Any) -> None:
    weekly(host, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Europe/Zurich:20261019T100000"])
    assert len(listed(host, singleEvents=True)) == 2
    days = {"start": {"date": "2027-01-30"}, "end": {"date": "2027-02-01"}, "recurrence": ["RRULE:FREQ=YEARLY;COUNT=2"]}
    weekly(host, **days)
    items = listed(host, singleEvents=True, timeMin="2027-01-01T00:00:00Z", orderBy="startTime")
    assert [(item["start"], item["end"]) for item in items] == [
        ({"date": "2027-01-30"}, {"date": "2027-02-01"}),
        ({"date": "2028-01-30"}, {"date": "2028-02-01"}),
    ]
    assert items[0]["id"].endswith("_20270130")


def test_a_rule_that_cannot_be_read_is_400(google: Google, host: Any, subtests: pytest.Subtests) -> None:
    days = {"start": {"date": "2026-06-15"}, "end": {"date": "2026-06-16"}}
    for rule in ("FREQ=WEEKLY", "RRULE:FREQ=SOMETIMES", "RRULE:", "DTSTART:20260101T000000Z", "RRULE:INTERVAL=2"):
        with subtests.test(rule):
            body = days | {"recurrence": [rule]}
            google.refused(host.events().insert(calendarId="primary", body=body), 400, "invalid")


def test_a_changed_instance_becomes_an_event_of_its_own(google: Google, host: Any) -> None:
    master = weekly(host)
    events = host.events()
    instance = f"{master['id']}_20261019T080000Z"
    found = events.get(calendarId="primary", eventId=instance).execute()
    later = {"start": {"dateTime": "2026-10-20T10:00:00+02:00"}, "end": {"dateTime": "2026-10-20T11:00:00+02:00"}}
    request = events.patch(calendarId="primary", eventId=instance, body=later)
    request.headers["If-Match"] = found["etag"]
    moved = request.execute()
    assert moved["originalStartTime"]["dateTime"] == "2026-10-19T05:00:00-03:00"
    assert moved["sequence"] == 1
    google.refused(request, 412, "conditionNotMet")
    items = listed(host, singleEvents=True, orderBy="startTime", timeZone="UTC")
    assert starts(items)[:2] == ["2026-10-12T08:00:00Z", "2026-10-20T08:00:00Z"]
    assert len(items) == 4
    assert {item["id"] for item in listed(host)} == {master["id"], instance}
    google.refused(events.get(calendarId="primary", eventId=f"{master['id']}_20261020T080000Z"), 404, "notFound")
    google.refused(events.get(calendarId="primary", eventId=f"{master['id']}_20269920T080000Z"), 404, "notFound")


def test_a_deleted_instance_is_a_cancelled_exception_with_three_fields(host: Any) -> None:
    master = weekly(host)
    instance = f"{master['id']}_20261019T080000Z"
    host.events().delete(calendarId="primary", eventId=instance).execute()
    # Cancelled exceptions are listed even without showDeleted, unless series are expanded.
    gone = next(item for item in listed(host) if item["id"] == instance)
    assert gone == {
        "kind": "calendar#event",
        "etag": gone["etag"],
        "id": instance,
        "status": "cancelled",
        "recurringEventId": master["id"],
        "originalStartTime": {"dateTime": "2026-10-19T05:00:00-03:00", "timeZone": "Europe/Zurich"},
    }
    assert len(listed(host, singleEvents=True)) == 3
    assert len(listed(host, singleEvents=True, showDeleted=True)) == 4


def test_show_deleted_with_single_events_gives_the_instances_of_a_deleted_series_but_not_the_series(host: Any) -> None:
    master = weekly(host)
    host.events().delete(calendarId="primary", eventId=master["id"]).execute()
    assert listed(host, singleEvents=True) == []
    items = listed(host, singleEvents=True, showDeleted=True)
    assert {item["status"] for item in items} == {"cancelled"}
    assert {item["recurringEventId"] for item in items} == {master["id"]}
    assert len(items) == 4
    assert [item["id"] for item in listed(host, showDeleted=True)] == [master["id"]]


def test_instances_pages_through_one_series(host: Any) -> None:
    master, _ = weekly(host), weekly(host)
    instances = host.events().instances
    first = instances(calendarId="primary", eventId=master["id"], maxResults=3).execute()
    rest = instances(
        calendarId="primary", eventId=master["id"], maxResults=3, pageToken=first["nextPageToken"]
    ).execute()
    assert [len(first["items"]), len(rest["items"])] == [3, 1]
    assert {item["recurringEventId"] for item in first["items"] + rest["items"]} == {master["id"]}
    one = instances(calendarId="primary", eventId=master["id"], originalStart="2026-10-26T10:00:00+01:00").execute()
    assert [item["id"] for item in one["items"]] == [f"{master['id']}_20261026T090000Z"]


def test_a_sync_tells_of_instances_that_a_changed_rule_dropped(host: Any) -> None:
    master = weekly(host)
    events = host.events()
    moved = f"{master['id']}_20261102T090000Z"
    events.patch(calendarId="primary", eventId=moved, body={"summary": "Special"}).execute()
    token = events.list(calendarId="primary", singleEvents=True).execute()["nextSyncToken"]
    events.patch(
        calendarId="primary", eventId=master["id"], body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}
    ).execute()
    changed = events.list(calendarId="primary", singleEvents=True, syncToken=token).execute()["items"]
    gone = [item for item in changed if item["status"] == "cancelled"]
    assert [item["id"] for item in gone] == [moved]
    assert gone[0]["recurringEventId"] == master["id"]
    assert len(changed) == 4
    assert len(listed(host, singleEvents=True)) == 3


def expanded(service: Any) -> list[Json]:
    """Every instance of the calendar, page by page, in the order of time."""
    items, page = [], None
    while True:
        answer = service.events().list(calendarId="primary", singleEvents=True, pageToken=page, maxResults=50).execute()
        items += answer["items"]
        page = answer.get("nextPageToken")
        if page is None:
            return sorted(items, key=begin)


def begin(item: Json) -> datetime:
    return datetime.fromisoformat(item["start"]["dateTime"])


def test_a_series_is_moved_with_its_changed_instances(host: Any) -> None:
    series, events = weekly(host), host.events()
    other = host.calendars().insert(body={"summary": "Clients"}).execute()["id"]
    first, second, third, _ = events.instances(calendarId="primary", eventId=series["id"]).execute()["items"]
    events.patch(calendarId="primary", eventId=second["id"], body={"summary": "Special"}).execute()
    events.delete(calendarId="primary", eventId=third["id"]).execute()
    events.move(calendarId="primary", eventId=series["id"], destination=other).execute()
    assert listed(host, singleEvents=True) == []
    there = events.instances(calendarId=other, eventId=series["id"]).execute()["items"]
    assert [item["summary"] for item in there] == ["Weekly", "Special", "Weekly"]
    assert first["id"] in {item["id"] for item in there}


def test_instances_are_listed_beside_plain_events(host: Any) -> None:
    plain = {
        "summary": "Plain",
        "start": {"dateTime": "2026-10-13T10:00:00Z"},
        "end": {"dateTime": "2026-10-13T11:00:00Z"},
    }
    host.events().insert(calendarId="primary", body=plain).execute()
    series = weekly(host)
    found = host.events().instances(calendarId="primary", eventId=series["id"]).execute()["items"]
    assert [item["recurringEventId"] for item in found] == [series["id"]] * 4


def test_a_zone_that_google_does_not_know_is_refused(google: Google, host: Any) -> None:
    times = {"dateTime": "2026-10-13T10:00:00", "timeZone": "America/Coyhaique"}
    body = {"summary": "South", "start": times, "end": times | {"dateTime": "2026-10-13T11:00:00"}}
    google.refused(host.events().insert(calendarId="primary", body=body), 400, "invalid")


def test_an_endless_series_is_expanded_up_to_a_horizon(google: Google, host: Any) -> None:
    weekly(host, recurrence=["RRULE:FREQ=WEEKLY"])
    now = datetime.fromisoformat(google.control("POST", "clock", {"frozen": True})["now"])
    items, horizon = expanded(host), now + timedelta(days=730)
    assert len({item["id"] for item in items}) == len(items)
    assert begin(items[-1]) < horizon <= begin(items[-1]) + timedelta(days=7, hours=1)


def test_what_begins_at_the_horizon_is_beyond_it(google: Google, host: Any) -> None:
    """Whatever hour it is: the horizon is an instant, not a day."""
    weekly(host, recurrence=["RRULE:FREQ=WEEKLY"])
    now = datetime.fromisoformat(google.control("POST", "clock", {"frozen": True})["now"])
    last = begin(expanded(host)[-1]).astimezone(ZURICH)
    to_next = (last + timedelta(days=7)).astimezone(UTC) - timedelta(days=730) - now
    google.control("POST", "clock", {"advanceSeconds": to_next.total_seconds()})
    assert begin(expanded(host)[-1]) == last
    google.control("POST", "clock", {"advanceSeconds": 0.001})
    assert begin(expanded(host)[-1]) == last + timedelta(days=7)
    google.control("POST", "clock", {"advanceSeconds": 86_400})
    assert begin(expanded(host)[-1]) == last + timedelta(days=7)


def test_a_guest_answers_for_one_instance(google: Google, host: Any) -> None:
    guest = google.calendar(google.connect("guest@example.com"))
    master = weekly(host, attendees=[{"email": "guest@example.com"}])
    instance = f"{master['id']}_20261019T080000Z"
    answer = {"attendees": [{"email": "guest@example.com", "responseStatus": "declined"}]}
    guest.events().patch(calendarId="primary", eventId=instance, body=answer).execute()
    items = listed(host, singleEvents=True, orderBy="startTime")
    answers = [item["attendees"][0]["responseStatus"] for item in items]
    assert answers == ["needsAction", "declined", "needsAction", "needsAction"]
