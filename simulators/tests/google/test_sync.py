"""Lists: pages, sync tokens, and everything that ends them."""

from typing import Any

import pytest
from simulators.google.state import Json
from simulators.google.testing import Google

HOST = "host@example.com"


def insert(service: Any, day: int = 1, **more: Any) -> Json:
    body = {"summary": f"Day {day}", "start": {"date": f"2026-07-{day:02}"}, "end": {"date": f"2026-07-{day + 1:02}"}}
    made: Json = service.events().insert(calendarId="primary", body=body | more).execute()
    return made


def page(service: Any, **params: Any) -> Json:
    found: Json = service.events().list(calendarId="primary", **params).execute()
    return found


def ids(answer: Json) -> list[str]:
    return [item["id"] for item in answer["items"]]


def test_the_sync_token_comes_with_the_last_page_only(host: Any) -> None:
    made = [insert(host, day)["id"] for day in range(1, 6)]
    first = page(host, maxResults=2)
    second = page(host, maxResults=2, pageToken=first["nextPageToken"])
    last = page(host, maxResults=2, pageToken=second["nextPageToken"])
    assert ids(first) + ids(second) + ids(last) == made
    assert "nextSyncToken" not in first | second
    assert "nextPageToken" not in last
    assert page(host, syncToken=last["nextSyncToken"])["items"] == []


def test_the_library_pages_by_itself_and_an_empty_page_is_not_the_end(google: Google, host: Any) -> None:
    made = [insert(host, day)["id"] for day in range(1, 5)]
    google.fault("empty_page", times=1)
    request, pages = host.events().list(calendarId="primary", maxResults=3), []
    while request is not None:
        answer = request.execute()
        pages.append(ids(answer))
        request = host.events().list_next(request, answer)
    assert pages == [[], made[:3], made[3:]]
    google.fault("empty_page", times=1)
    assert "nextPageToken" in page(google.calendar(google.connect("empty@example.com")))


def test_a_sync_gives_changes_and_deletions_since_the_token(host: Any) -> None:
    stays, changes, goes = (insert(host, day)["id"] for day in (1, 2, 3))
    token = page(host)["nextSyncToken"]
    host.events().patch(calendarId="primary", eventId=changes, body={"summary": "New"}).execute()
    host.events().delete(calendarId="primary", eventId=goes).execute()
    new = insert(host, 4)["id"]
    answer = page(host, syncToken=token)
    assert {item["id"]: item["status"] for item in answer["items"]} == {
        changes: "confirmed",
        goes: "cancelled",
        new: "confirmed",
    }
    assert stays not in ids(answer)
    assert page(host, syncToken=answer["nextSyncToken"])["items"] == []
    # The same token may be used again: nothing is consumed.
    assert ids(page(host, syncToken=token)) == ids(answer)


def test_what_changes_while_paging_is_not_lost(host: Any) -> None:
    made = [insert(host, day)["id"] for day in range(1, 4)]
    first = page(host, maxResults=2)
    host.events().patch(calendarId="primary", eventId=made[0], body={"summary": "Late"}).execute()
    host.events().delete(calendarId="primary", eventId=made[1]).execute()
    last = page(host, maxResults=2, pageToken=first["nextPageToken"])
    assert ids(last) == [made[2]]
    assert set(ids(page(host, syncToken=last["nextSyncToken"]))) == set(made[:2])


def test_a_sync_can_have_pages_too(host: Any) -> None:
    token = page(host)["nextSyncToken"]
    made = [insert(host, day)["id"] for day in range(1, 4)]
    first = page(host, syncToken=token, maxResults=2)
    assert "nextSyncToken" not in first
    last = page(host, syncToken=token, maxResults=2, pageToken=first["nextPageToken"])
    assert ids(first) + ids(last) == made
    assert page(host, syncToken=last["nextSyncToken"])["items"] == []


def test_time_bounds_of_the_first_list_do_not_hold_back_later_changes(host: Any) -> None:
    inside, outside = insert(host, 10)["id"], insert(host, 1)["id"]
    first = page(host, timeMin="2026-07-05T00:00:00Z")
    assert ids(first) == [inside]
    host.events().patch(calendarId="primary", eventId=outside, body={"summary": "Old but new"}).execute()
    assert ids(page(host, syncToken=first["nextSyncToken"])) == [outside]


EXCLUDED: Json = {
    "iCalUID": "x",
    "orderBy": "updated",
    "privateExtendedProperty": "a=b",
    "q": "x",
    "sharedExtendedProperty": "a=b",
    "timeMin": "2026-07-05T00:00:00Z",
    "timeMax": "2026-07-05T00:00:00Z",
    "updatedMin": "2099-07-05T00:00:00Z",
    "showDeleted": False,
    "singleEvents": True,
    "eventTypes": "default",
}


def test_parameters_that_exclude_a_sync_token(google: Google, host: Any, subtests: pytest.Subtests) -> None:
    token = page(host)["nextSyncToken"]
    for name, value in EXCLUDED.items():
        with subtests.test(name):
            google.refused(host.events().list(calendarId="primary", syncToken=token, **{name: value}), 400, "invalid")


def test_a_filtered_list_ends_without_a_sync_token(host: Any) -> None:
    insert(host)
    assert "nextSyncToken" not in page(host, q="day")
    assert "nextSyncToken" not in page(host, orderBy="updated")
    assert "nextSyncToken" in page(host, timeMax="2027-01-01T00:00:00Z", singleEvents=True)


def test_an_expired_token_is_410_and_a_made_up_one_400(google: Google, host: Any) -> None:
    token = page(host)["nextSyncToken"]
    request = host.events().list(calendarId="primary", syncToken=token)
    google.control("POST", "sync-tokens/expire", {"account": "somebody@else.example"})
    request.execute()
    google.control("POST", "sync-tokens/expire", {"account": HOST})
    told = google.refused(request, 410, "fullSyncRequired")
    assert told["errors"][0] == {
        "domain": "calendar",
        "reason": "fullSyncRequired",
        "message": "Sync token is no longer valid, a full sync is required.",
        "locationType": "parameter",
        "location": "syncToken",
    }
    google.control("POST", "sync-tokens/expire", {"account": HOST, "bare": True})
    assert google.refused(request, 410, None) == {"code": 410, "message": "Gone"}
    google.refused(host.events().list(calendarId="primary", syncToken=token[:-4] + "AAAA"), 400, "invalid")
    google.refused(host.events().list(calendarId="primary", pageToken="AAAA"), 400, "invalid")


def test_a_token_expires_by_age_and_a_far_updated_min_is_410(google: Google, host: Any) -> None:
    token = page(host)["nextSyncToken"]
    google.control("POST", "clock", {"advanceSeconds": 29 * 86_400})
    google.refused(host.events().list(calendarId="primary", syncToken=token), 410, "fullSyncRequired")
    early = host.events().list(calendarId="primary", updatedMin="2020-01-01T00:00:00Z")
    google.refused(early, 410, "updatedMinTooLongAgo")


def test_a_page_token_belongs_to_its_own_list(google: Google, host: Any) -> None:
    for day in range(1, 4):
        insert(host, day)
    token = page(host, maxResults=1)["nextPageToken"]
    google.refused(host.events().list(calendarId="primary", pageToken=token, singleEvents=True), 400, "invalid")
    assert len(page(host, pageToken=token, maxResults=5)["items"]) == 2


def test_order_search_and_bounds(google: Google, host: Any) -> None:
    late, early = insert(host, 9, summary="Review PORTFOLIO")["id"], insert(host, 2, location="Santiago")["id"]
    assert ids(page(host, singleEvents=True, orderBy="startTime")) == [early, late]
    assert ids(page(host, q="portfolio review")) == [late]
    assert ids(page(host, q="santiago")) == [early]
    google.refused(host.events().list(calendarId="primary", orderBy="startTime"), 400, "invalid")
    bounds = {"timeMin": "2026-07-05T00:00:00Z", "timeMax": "2026-07-05T00:00:00Z"}
    told = google.refused(host.events().list(calendarId="primary", **bounds), 400, "timeRangeEmpty")
    assert told["errors"][0]["domain"] == "calendar"


def test_bounds_are_exclusive(host: Any) -> None:
    body = {"start": {"dateTime": "2026-07-05T10:00:00Z"}, "end": {"dateTime": "2026-07-05T11:00:00Z"}}
    host.events().insert(calendarId="primary", body=body).execute()
    assert page(host, timeMin="2026-07-05T11:00:00Z")["items"] == []
    assert page(host, timeMax="2026-07-05T10:00:00Z")["items"] == []
    assert len(page(host, timeMin="2026-07-05T10:59:59Z")["items"]) == 1


def test_updated_min_lists_deletions_as_well(google: Google, host: Any) -> None:
    gone = insert(host)["id"]
    google.control("POST", "clock", {"advanceSeconds": 60})
    now = google.control("GET", "clock")["now"]
    host.events().delete(calendarId="primary", eventId=gone).execute()
    assert [(item["id"], item["status"]) for item in page(host, updatedMin=now)["items"]] == [(gone, "cancelled")]
