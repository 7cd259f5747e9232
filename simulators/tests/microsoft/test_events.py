"""Events: what Graph stores, answers and refuses."""

from typing import Any

import httpx
import pytest
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_collection_response import EventCollectionResponse
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.user import User
from simulators.microsoft.testing import JsonObject, Microsoft, decoded, refused

HOST = "host@contoso.com"
MARKER = "String {66F5A359-4659-4830-9070-00047EC6AC6E} Name meetingId"


def at(text: str, zone: str = "UTC") -> JsonObject:
    return {"dateTime": text, "timeZone": zone}


def meeting(**more: Any) -> JsonObject:
    base = {"subject": "Review", "start": at("2026-06-15T15:00:00"), "end": at("2026-06-15T15:45:00")}
    return base | more


def create(graph: httpx.Client, path: str = "/me/events", headers: Any = None, **more: Any) -> JsonObject:
    answer = graph.post(path, json=meeting(**more), headers=headers)
    assert answer.status_code == 201, answer.text
    made: JsonObject = answer.json()
    return made


def test_everything_graph_answers_fits_the_sdk(graph: httpx.Client) -> None:
    made = create(
        graph,
        body={"contentType": "text", "content": "Agenda"},
        location={"displayName": "Room 1"},
        attendees=[{"emailAddress": {"address": "guest@example.com", "name": "Guest"}, "type": "optional"}],
        categories=["Blue"],
        isOnlineMeeting=True,
    )
    event = decoded(Event, made)
    assert (event.subject, event.is_organizer, event.transaction_id) == ("Review", True, None)
    assert event.attendees is not None
    assert decoded(Event, graph.get(f"/me/events/{made['id']}").json()).id == made["id"]
    listed = decoded(EventCollectionResponse, graph.get("/me/events").json())
    assert listed.value is not None
    assert [entry.id for entry in listed.value] == [made["id"]]
    assert decoded(User, graph.get("/me").json()).mail == HOST


def test_errors_fit_the_sdk_and_carry_the_request_id(graph: httpx.Client) -> None:
    answer = graph.get("/me/events/AAMkAnotthereatall12345", headers={"client-request-id": "mine"})
    error = decoded(ODataError, answer.json()).error
    assert error is not None
    assert error.inner_error is not None
    assert (error.code, error.inner_error.request_id) == ("ErrorItemNotFound", answer.headers["request-id"])
    assert error.inner_error.client_request_id == answer.headers["client-request-id"] == "mine"
    assert answer.status_code == 404


def test_times_have_seven_digits_and_no_offset_in_utc_unless_preferred(graph: httpx.Client) -> None:
    pacific = at("2026-06-15T09:00", "Pacific Standard Time")
    made = create(graph, start=pacific, end=at("2026-06-15T16:30:00Z"))
    assert made["start"] == {"dateTime": "2026-06-15T09:00:00.0000000", "timeZone": "Pacific Standard Time"}
    url = f"/me/events/{made['id']}"
    plain = graph.get(url).json()
    assert plain["start"] == {"dateTime": "2026-06-15T16:00:00.0000000", "timeZone": "UTC"}
    assert plain["originalStartTimeZone"] == "Pacific Standard Time"
    answer = graph.get(url, headers={"Prefer": 'outlook.timezone="W. Europe Standard Time"'})
    assert answer.json()["end"] == {"dateTime": "2026-06-15T18:30:00.0000000", "timeZone": "W. Europe Standard Time"}
    assert answer.headers["preference-applied"] == 'outlook.timezone="W. Europe Standard Time"'
    refused(graph.get(url, headers={"Prefer": 'outlook.timezone="Mars/Phobos"'}), 400, "TimeZoneNotSupportedException")


def test_zones_are_windows_names_and_the_iana_names_graph_lists(graph: httpx.Client) -> None:
    zoned = create(graph, start=at("2026-06-15T15:00:00", "America/Santiago"), end=at("2026-06-15T19:45:00"))
    assert zoned["originalStartTimeZone"] == "Pacific SA Standard Time"
    for name in ("Europe/Madrid", "", "tzone://Microsoft/Custom"):
        answer = graph.post("/me/events", json=meeting(start=at("2026-06-15T15:00:00", name)))
        error = refused(answer, 400, "TimeZoneNotSupportedException")
        assert error["message"].endswith(f"'{name}'.")


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00.0000000"),  # in the gap: the offset before it
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00.0000000"),  # in the fold: the first one
    ],
)
def test_wall_times_in_gap_and_fold_mean_one_instant(graph: httpx.Client, wall: str, utc: str) -> None:
    made = create(graph, start=at(wall, "W. Europe Standard Time"), end=at("2026-12-01T00:00:00"))
    assert graph.get(f"/me/events/{made['id']}").json()["start"]["dateTime"] == utc


def test_bodies_come_back_as_html_unless_text_is_preferred(graph: httpx.Client) -> None:
    made = create(graph, body={"contentType": "text", "content": "a < b\nnext"})
    assert made["body"]["contentType"] == "html"
    assert "a &lt; b<br>\r\nnext" in made["body"]["content"]
    assert made["bodyPreview"] == "a < b\nnext"
    body = {"contentType": "HTML", "content": "<p>x &amp; y</p>"}
    assert graph.patch(f"/me/events/{made['id']}", json={"body": body}).json()["body"]["content"].startswith("<html>")
    text = graph.get(f"/me/events/{made['id']}", headers={"Prefer": 'outlook.body-content-type="text"'}).json()
    assert text["body"] == {"contentType": "text", "content": "x & y\r\n"}


def test_a_repeated_transaction_makes_one_event(microsoft: Microsoft, graph: httpx.Client) -> None:
    first = create(graph, transactionId="t-1")
    again = create(graph, transactionId="t-1", subject="Not even looked at")
    assert (again["id"], again["subject"], again["transactionId"]) == (first["id"], "Review", "t-1")
    assert len(graph.get("/me/events").json()["value"]) == 1
    assert create(graph, transactionId="t-2")["id"] != first["id"]
    microsoft.advance(days=1, seconds=1)
    graph = microsoft.graph(HOST)
    assert create(graph, transactionId="t-1")["id"] != first["id"], "nobody promises for how long"
    refused(graph.patch(f"/me/events/{first['id']}", json={"transactionId": "other"}), 400, "ErrorInvalidRequest")
    assert graph.patch(f"/me/events/{first['id']}", json={"transactionId": "t-1"}).status_code == 200


def test_extended_properties_come_with_expand_only_and_can_be_searched(graph: httpx.Client) -> None:
    made = create(graph, singleValueExtendedProperties=[{"id": MARKER, "value": "it's mine"}])
    other = create(graph, singleValueExtendedProperties=[{"id": MARKER, "value": "theirs"}])
    assert "singleValueExtendedProperties" not in graph.get(f"/me/events/{made['id']}").json()
    expand = f"singleValueExtendedProperties($filter=id eq '{MARKER}')"
    shown = graph.get(f"/me/events/{made['id']}", params={"$expand": expand}).json()
    event = decoded(Event, shown)
    assert event.single_value_extended_properties is not None
    (found,) = event.single_value_extended_properties
    lowered = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name meetingId"
    assert (found.id, found.value) == (lowered, "it's mine")
    any_of = "singleValueExtendedProperties/Any(ep: ep/id eq '{}' and ep/value eq '{}')"
    searched = graph.get("/me/events", params={"$filter": any_of.format(MARKER, "it''s mine")}).json()["value"]
    assert [entry["id"] for entry in searched] == [made["id"]]
    upsert = {"singleValueExtendedProperties": [{"id": MARKER, "value": "it's mine"}]}
    graph.patch(f"/me/events/{other['id']}", json=upsert)
    assert len(graph.get("/me/events", params={"$filter": any_of.format(MARKER, "it''s mine")}).json()["value"]) == 2
    assert graph.get("/me/events", params={"$filter": any_of.format(MARKER, "nobody")}).json()["value"] == []
    bad = meeting(singleValueExtendedProperties=[{"id": "meetingId", "value": "x"}])
    refused(graph.post("/me/events", json=bad), 400, "ErrorInvalidProperty")
    refused(graph.get("/me/events", params={"$expand": "singleValueExtendedProperties"}), 400, "ErrorInvalidUrlQuery")


def test_plain_filters_order_selection_and_pages(microsoft: Microsoft, graph: httpx.Client) -> None:
    for number in range(12):
        create(
            graph,
            subject=f"Meeting {number:02}",
            start=at(f"2026-06-{20 - number:02}T10:00:00"),
            end=at("2026-06-25T10:00:00"),
        )
    first = graph.get("/me/events", params={"$orderby": "start/dateTime", "$select": "subject"}).json()
    assert [entry["subject"] for entry in first["value"]][:2] == ["Meeting 11", "Meeting 10"]
    assert set(first["value"][0]) == {"@odata.etag", "id", "subject"}
    assert len(first["value"]) == 10
    assert first["@odata.nextLink"].startswith(f"{microsoft.url}/v1.0/me/events?")
    rest = graph.get(first["@odata.nextLink"]).json()
    assert [entry["subject"] for entry in rest["value"]] == ["Meeting 01", "Meeting 00"]
    assert "@odata.nextLink" not in rest
    late = {"$filter": "start/dateTime ge '2026-06-19T00:00' and subject ne 'Meeting 00'"}
    assert [entry["subject"] for entry in graph.get("/me/events", params=late).json()["value"]] == ["Meeting 01"]
    preferred = graph.get("/me/events", headers={"Prefer": "odata.maxpagesize=3"})
    assert (len(preferred.json()["value"]), preferred.headers["preference-applied"]) == (3, "odata.maxpagesize=3")
    assert len(graph.get("/me/events", params={"$top": "50"}).json()["value"]) == 12
    refused(graph.get("/me/events", params={"$filter": "body/content eq 1 or 2"}), 400, "ErrorInvalidUrlQueryFilter")
    refused(graph.get("/me/events", params={"$top": "many"}), 400, "BadRequest")
    refused(graph.get("/me/events", params={"$orderby": "nonsense"}), 400, "ErrorInvalidUrlQuery")


def test_if_match_guards_updates_and_deletions(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph)
    url, etag = f"/me/events/{made['id']}", {"If-Match": made["@odata.etag"]}
    assert made["@odata.etag"] == f'W/"{made["changeKey"]}"'
    changed = graph.patch(url, json={"subject": "New"}, headers=etag)
    assert changed.json()["changeKey"] != made["changeKey"]
    refused(graph.patch(url, json={"subject": "Newer"}, headers=etag), 412, "ErrorIrresolvableConflict")
    refused(graph.delete(url, headers=etag), 412, "ErrorIrresolvableConflict")
    assert graph.get(url).json()["subject"] == "New"
    assert graph.patch(url, json={"subject": "Newest"}).status_code == 200, "without If-Match the last one wins"
    microsoft.control("POST", f"accounts/{HOST}/events/{made['id']}/touch")
    fresh = graph.get(url).json()
    assert fresh["subject"] == "Newest"
    refused(
        graph.patch(url, json={"subject": "X"}, headers={"If-Match": changed.json()["@odata.etag"]}),
        412,
        "ErrorIrresolvableConflict",
    )
    assert graph.delete(url, headers={"If-Match": fresh["@odata.etag"]}).status_code == 204


def test_concurrent_writes_can_also_end_in_409(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph)
    microsoft.fault("error", operation="events.update", status=409, times=1)
    refused(graph.patch(f"/me/events/{made['id']}", json={"subject": "X"}), 409, "ErrorIrresolvableConflict")
    assert graph.get(f"/me/events/{made['id']}").json()["subject"] == "Review"


def test_a_deleted_event_is_gone(graph: httpx.Client) -> None:
    made = create(graph)
    assert graph.delete(f"/me/events/{made['id']}").status_code == 204
    for answer in (graph.get(f"/me/events/{made['id']}"), graph.delete(f"/me/events/{made['id']}")):
        refused(answer, 404, "ErrorItemNotFound")
    refused(graph.get("/me/events/nonsense"), 400, "ErrorInvalidIdMalformed")


def test_ids_change_with_the_calendar_unless_immutable(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph)
    immutable = {"Prefer": 'IdType="ImmutableId"'}
    lasting = graph.get(f"/me/events/{made['id']}", headers=immutable).json()["id"]
    assert lasting != made["id"]
    other = graph.post("/me/calendars", json={"name": "Private"}).json()
    microsoft.control("POST", f"accounts/{HOST}/events/{made['id']}/move", {"calendarId": other["id"]})
    refused(graph.get(f"/me/events/{made['id']}"), 404, "ErrorItemNotFound")
    moved = graph.get(f"/me/events/{lasting}").json()
    assert moved["id"] not in (made["id"], lasting)
    assert graph.get(f"/me/events/{moved['id']}", headers=immutable).json()["id"] == lasting
    (listed,) = graph.get(f"/me/calendars/{other['id']}/events", headers=immutable).json()["value"]
    assert listed["id"] == lasting
    refused(graph.get(f"/me/calendar/events/{moved['id']}"), 404, "ErrorItemNotFound")


def test_ids_are_case_sensitive(graph: httpx.Client) -> None:
    made = create(graph)
    swapped = "AA" + made["id"][2:].swapcase()
    refused(graph.get(f"/me/events/{swapped}"), 404, "ErrorItemNotFound")


def test_all_day_needs_midnight_twice_in_one_zone(graph: httpx.Client) -> None:
    zone = "W. Europe Standard Time"
    start, end = at("2026-06-15T00:00:00", zone), at("2026-06-16T00:00:00", zone)
    day: dict[str, Any] = {"isAllDay": True, "start": start, "end": end}
    made = create(graph, **day)
    url = f"/me/events/{made['id']}"
    assert graph.get(url).json()["start"] == {"dateTime": "2026-06-15T00:00:00.0000000", "timeZone": "UTC"}
    own = graph.get(url, headers={"Prefer": f'outlook.timezone="{zone}"'}).json()
    assert own["end"] == {"dateTime": "2026-06-16T00:00:00.0000000", "timeZone": zone}
    shifted = graph.get(url, headers={"Prefer": 'outlook.timezone="Pacific Standard Time"'}).json()
    assert shifted["start"]["dateTime"] == "2026-06-14T15:00:00.0000000", "another zone moves the date"
    for spoiled, told in (
        ({"start": at("2026-06-15T09:00:00", zone)}, "Event.Start property for an all-day event needs to"),
        ({"end": at("2026-06-15T23:59:59", zone)}, "Event.End property for an all-day event needs to"),
        ({"end": at("2026-06-16T00:00:00")}, "in the same time zone"),
        ({"end": at("2026-06-15T00:00:00", zone)}, "at least 24 hours"),
    ):
        error = refused(graph.post("/me/events", json=meeting(**day | spoiled)), 400, "ErrorInvalidRequest")
        assert told in error["message"]
    refused(graph.patch(url, json={"start": at("2026-06-15T09:00:00", zone)}), 400, "ErrorInvalidRequest")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"subject": "No times"}, "ErrorPropertyValidationFailure"),
        (meeting(end=at("2026-06-15T14:00:00")), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (meeting(end=at("2046-06-15T14:00:00")), "ErrorCalendarDurationIsTooLong"),
        (meeting(start="2026-06-15T15:00:00"), "RequestBodyRead"),
        (meeting(start=at("tomorrow")), "RequestBodyRead"),
        (meeting(title="Wrong name"), "RequestBodyRead"),
        (meeting(subject=7), "RequestBodyRead"),
        (meeting(showAs="asleep"), "RequestBodyRead"),
        (meeting(isAllDay="yes"), "RequestBodyRead"),
        (meeting(isReminderOn=1), "RequestBodyRead"),
        (meeting(reminderMinutesBeforeStart=True), "RequestBodyRead"),
        (meeting(body="text"), "RequestBodyRead"),
        (meeting(location="Room"), "RequestBodyRead"),
        (meeting(attendees={}), "RequestBodyRead"),
        (meeting(attendees=[{"emailAddress": {}}]), "ErrorInvalidRequest"),
        (meeting(attendees=[{"emailAddress": {"address": f"{n}@x.org"}} for n in range(501)]), "ErrorInvalidRequest"),
        ([], "RequestBodyRead"),
    ],
)
def test_what_makes_no_event_is_refused(graph: httpx.Client, body: Any, code: str) -> None:
    refused(graph.post("/me/events", json=body), 400, code)
    assert graph.get("/me/events").json()["value"] == []


def test_a_refused_update_changes_nothing(graph: httpx.Client) -> None:
    made = create(graph)
    bad = {"start": at("2026-06-15T14:00:00"), "subject": "Half", "showAs": "asleep"}
    refused(graph.patch(f"/me/events/{made['id']}", json=bad), 400, "RequestBodyRead")
    assert graph.get(f"/me/events/{made['id']}").json() | {"@odata.context": ""} == made | {"@odata.context": ""}


def test_unreadable_requests(graph: httpx.Client) -> None:
    refused(graph.post("/me/events", content=b"{", headers={"Content-Type": "application/json"}), 400, "BadRequest")
    refused(graph.post("/me/events", content=b"{}", headers={"Content-Type": "text/plain"}), 400, "BadRequest")
    refused(graph.get("/me/nonsense"), 400, "BadRequest")
    refused(graph.put("/me/events/AAMkA", json={}), 400, "BadRequest")


def test_subject_and_uid_can_be_null(microsoft: Microsoft, graph: httpx.Client) -> None:
    body = {"event": meeting(subject=None), "withoutUid": True}
    made = microsoft.control("POST", f"accounts/{HOST}/events", body)
    shown = graph.get(f"/me/events/{made['id']}").json()
    assert (shown["subject"], shown["iCalUId"], shown["seriesMasterId"]) == (None, None, None)


def test_whoever_removes_the_join_blob_removes_the_online_meeting(graph: httpx.Client) -> None:
    made = create(graph, isOnlineMeeting=True, body={"contentType": "html", "content": "<p>Agenda</p>"})
    assert made["onlineMeetingProvider"] == "teamsForBusiness"
    assert made["onlineMeeting"]["joinUrl"] in made["body"]["content"]
    url = f"/me/events/{made['id']}"
    kept = {"contentType": "html", "content": made["body"]["content"].replace("Agenda", "New agenda")}
    assert graph.patch(url, json={"body": kept}).json()["isOnlineMeeting"] is True
    gone = graph.patch(url, json={"body": {"contentType": "html", "content": "<p>Only this</p>"}}).json()
    assert (gone["isOnlineMeeting"], gone["onlineMeeting"]) == (False, None)


def test_location_and_locations_correspond(graph: httpx.Client) -> None:
    made = create(graph, location={"displayName": "Room 1"})
    assert [place["displayName"] for place in made["locations"]] == ["Room 1"]
    both = [{"displayName": "Room 2"}, {"displayName": "Home"}]
    changed = graph.patch(f"/me/events/{made['id']}", json={"locations": both}).json()
    assert changed["location"]["displayName"] == "Room 2; Home"
    nowhere = graph.patch(f"/me/events/{made['id']}", json={"location": None}).json()
    assert (nowhere["location"]["displayName"], nowhere["locations"]) == ("", [])


def test_permissions_decide(microsoft: Microsoft) -> None:
    reader = microsoft.graph(HOST, "Calendars.Read")
    assert reader.get("/me/events").status_code == 200
    refused(reader.post("/me/events", json=meeting()), 403, "ErrorAccessDenied")
    stranger = microsoft.graph(HOST, "User.Read")
    assert stranger.get("/me").status_code == 200
    refused(stranger.get("/me/events"), 403, "ErrorAccessDenied")
    refused(reader.get("/users/somebody@contoso.com/events"), 403, "ErrorAccessDenied")
    assert reader.get(f"/users/{HOST}/events").status_code == 200


def test_tokens_are_needed_and_expire(microsoft: Microsoft, graph: httpx.Client) -> None:
    bare = microsoft.graph_with("forged")
    assert "expired" in refused(bare.get("/me"), 401, "InvalidAuthenticationToken")["message"]
    empty = graph.get("/me", headers={"Authorization": ""})
    assert "empty" in refused(empty, 401, "InvalidAuthenticationToken")["message"]
    assert empty.headers["www-authenticate"].startswith("Bearer")
    microsoft.advance(minutes=59)
    assert graph.get("/me").status_code == 200
    microsoft.advance(minutes=1)
    refused(graph.get("/me"), 401, "InvalidAuthenticationToken")


def test_mailboxes_are_apart(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph)
    other = microsoft.graph("other@contoso.com")
    refused(other.get(f"/me/events/{made['id']}"), 404, "ErrorItemNotFound")
    assert other.get("/me/events").json()["value"] == []


def test_nulls_that_sdks_send_leave_what_they_name(graph: httpx.Client) -> None:
    start, end = ({"dateTime": f"2026-06-15T{hour}:00:00", "timeZone": "UTC"} for hour in (10, 11))
    nulls = dict.fromkeys(("attendees", "isAllDay", "showAs", "recurrence", "categories", "transactionId", "locations"))
    made = graph.post("/me/events", json={"subject": "Review", "start": start, "end": end, **nulls})
    assert made.status_code == 201, made.text
    changed = graph.patch(f"/me/events/{made.json()['id']}", json={"subject": None, "attendees": None, "start": None})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["subject"], changed.json()["start"]) == (None, made.json()["start"])
