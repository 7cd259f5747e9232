"""Delta rounds: pages, tombstones, tokens and how they end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from msgraph.generated.users.item.calendar_view.delta.delta_get_response import DeltaGetResponse
from simulators.microsoft.testing import JsonObject, Microsoft, decoded, refused

HOST = "host@contoso.com"
YEAR = {"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"}
NEXT, DELTA = "@odata.nextLink", "@odata.deltaLink"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


def create(graph: httpx.Client, day: str, path: str = "/me/events", **more: Any) -> JsonObject:
    start, end = ({"dateTime": f"{day}T{hour}:00:00", "timeZone": "UTC"} for hour in (10, 11))
    made: JsonObject = graph.post(path, json={"subject": day, "start": start, "end": end, **more}).json()
    return made


def pages(graph: httpx.Client, link: str, headers: dict[str, str] | None = None) -> Iterator[JsonObject]:
    """Every page from a link to the delta link, each decoded by the SDK."""
    while link:
        answer = graph.get(link, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "odata.track-changes" in answer.headers["preference-applied"]
        body: JsonObject = answer.json()
        decoded(DeltaGetResponse, body)
        yield body
        link = body.get(NEXT, "")


def begin(graph: httpx.Client, path: str = "/me/calendarView/delta") -> str:
    """Where a full round begins."""
    return str(graph.build_request("GET", path, params=YEAR).url)


def full(graph: httpx.Client, headers: dict[str, str] | None = None) -> list[JsonObject]:
    return list(pages(graph, begin(graph), headers))


def following(graph: httpx.Client, page: JsonObject, headers: dict[str, str] | None = None) -> list[JsonObject]:
    """The items of the next round."""
    return [item for body in pages(graph, page[DELTA], headers) for item in body["value"]]


def removed(*ids: str) -> list[JsonObject]:
    return [{"@odata.type": "#microsoft.graph.event", "id": item, "@removed": {"reason": "deleted"}} for item in ids]


def test_a_round_ends_with_a_delta_link_on_its_last_page(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = [create(graph, f"2026-06-{day:02}")["id"] for day in range(1, 6)]
    came = full(graph, headers={"Prefer": "odata.maxpagesize=2"})
    assert [[item["id"] for item in page["value"]] for page in came] == [made[:2], made[2:4], made[4:]]
    assert [sorted({NEXT, DELTA} & set(page)) for page in came] == [[NEXT], [NEXT], [DELTA]]
    assert came[0][NEXT].startswith(f"{microsoft.url}/v1.0/me/calendarView/delta?$skiptoken=")
    assert came[2][DELTA].startswith(f"{microsoft.url}/v1.0/me/calendarView/delta?$deltatoken=")
    assert "2026" not in came[2][DELTA], "opaque"
    (whole,) = full(graph)
    assert whole["value"][0]["subject"] == "2026-06-01"
    assert whole["value"][0]["@odata.type"] == "#microsoft.graph.event"


def test_the_next_round_brings_what_changed(graph: httpx.Client) -> None:
    kept, changed, deleted = (create(graph, f"2026-06-0{day}") for day in (1, 2, 3))
    (page,) = full(graph)
    graph.patch(f"/me/events/{changed['id']}", json={"subject": "Changed"})
    graph.delete(f"/me/events/{deleted['id']}")
    added = create(graph, "2026-06-04")
    items = following(graph, page)
    assert [(item["id"], item.get("subject")) for item in items] == [
        (changed["id"], "Changed"), (deleted["id"], None), (added["id"], "2026-06-04"),
    ]  # fmt: skip
    assert items[1] == removed(deleted["id"])[0]
    assert kept["id"] not in {item["id"] for item in items}
    (empty,) = pages(graph, next(iter(pages(graph, page[DELTA])))[DELTA])
    assert empty["value"] == []


def test_the_same_link_may_be_used_again(graph: httpx.Client) -> None:
    (page,) = full(graph)
    made = create(graph, "2026-06-01")
    assert [item["id"] for item in following(graph, page)] == [made["id"]]
    assert [item["id"] for item in following(graph, page)] == [made["id"]]


def test_the_window_is_baked_in_and_what_lies_outside_comes_as_removed(graph: httpx.Client) -> None:
    inside = create(graph, "2026-06-01")
    (page,) = full(graph)
    later = {"dateTime": "2028-06-01T10:00:00", "timeZone": "UTC"}
    graph.patch(f"/me/events/{inside['id']}", json={"start": later, "end": later})
    outside = create(graph, "2028-01-01")
    assert following(graph, page) == removed(inside["id"], outside["id"]), "though both are there"
    assert graph.get(f"/me/events/{inside['id']}").status_code == 200


def test_what_came_and_went_between_rounds_is_a_tombstone(graph: httpx.Client) -> None:
    (page,) = full(graph)
    made = create(graph, "2026-06-01")
    graph.delete(f"/me/events/{made['id']}")
    assert following(graph, page) == removed(made["id"])
    assert full(graph)[0]["value"] == []


def test_each_calendar_is_tracked_alone_and_a_move_changes_the_id(microsoft: Microsoft, graph: httpx.Client) -> None:
    other = graph.post("/me/calendars", json={"name": "Other"}).json()["id"]
    made = create(graph, "2026-06-01")
    lasting = graph.get(f"/me/events/{made['id']}", headers=IMMUTABLE).json()["id"]
    path = f"/me/calendars/{other}/calendarView/delta"
    (here,), (there,) = full(graph), pages(graph, begin(graph, path))
    assert there["value"] == []
    microsoft.control("POST", f"accounts/{HOST}/events/{made['id']}/move", {"calendarId": other})
    assert following(graph, here) == removed(made["id"])
    (arrived,) = following(graph, there)
    assert arrived["id"] not in (made["id"], lasting)
    assert following(graph, here, IMMUTABLE) == removed(lasting), "tokens serve both kinds of id"
    assert [item["id"] for item in following(graph, there, IMMUTABLE)] == [lasting]
    wrong = there[DELTA].replace(f"/calendars/{other}", "")
    refused(graph.get(wrong), 400, "BadRequest")


def test_a_series_comes_as_its_master_and_bare_occurrences(graph: httpx.Client) -> None:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]}
    span = {"type": "endDate", "startDate": "2026-06-01", "endDate": "2026-06-15"}
    master = create(graph, "2026-06-01", recurrence={"pattern": pattern, "range": span})
    (page,) = full(graph)
    whole, *bare = page["value"]
    assert (whole["type"], whole["subject"]) == ("seriesMaster", "2026-06-01")
    assert len(bare) == 3
    for item in bare:
        assert set(item) == {"@odata.type", "@odata.etag", "seriesMasterId", "type", "start", "end", "id"}
        assert item["seriesMasterId"] == master["id"]
    graph.patch(f"/me/events/{bare[1]['id']}", json={"subject": "Special"})
    graph.delete(f"/me/events/{bare[2]['id']}")
    items = following(graph, page)
    assert [item.get("type") for item in items] == ["seriesMaster", "occurrence", "exception", None]
    assert items[2]["subject"] == "Special", "an exception comes whole"
    assert items[3:] == removed(bare[2]["id"])
    (page,) = full(graph)
    graph.delete(f"/me/events/{master['id']}")
    assert following(graph, page) == removed(master["id"], bare[0]["id"], bare[1]["id"])


def test_a_shortened_series_loses_occurrences(graph: httpx.Client) -> None:
    recurrence = {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": "2026-06-01", "numberOfOccurrences": 3},
    }
    master = create(graph, "2026-06-01", recurrence=recurrence)
    (page,) = full(graph)
    recurrence["range"]["numberOfOccurrences"] = 1
    graph.patch(f"/me/events/{master['id']}", json={"recurrence": recurrence})
    items = following(graph, page)
    assert [item["id"] for item in items[:2]] == [master["id"], page["value"][1]["id"]]
    assert items[2:] == removed(page["value"][2]["id"], page["value"][3]["id"])


def test_query_options_are_refused(graph: httpx.Client) -> None:
    marker = "Integer {66f5a359-4659-4830-9070-00047ec6ac6e} Id 0x8570"
    expansion = f"singleValueExtendedProperties($filter=id eq '{marker}')"
    for name in ("$select", "$filter", "$orderby", "$expand", "$search"):
        options = YEAR | {name: expansion if name == "$expand" else "subject"}
        error = refused(graph.get("/me/calendarView/delta", params=options), 400, "ErrorInvalidUrlQuery")
        assert name in error["message"]
    refused(graph.get("/me/calendarView/delta"), 400, "ErrorInvalidParameter")


def test_an_outdated_token_is_gone_and_says_where_to_start_again(microsoft: Microsoft, graph: httpx.Client) -> None:
    create(graph, "2026-06-01")
    create(graph, "2026-06-02")
    first = next(pages(graph, begin(graph), {"Prefer": "odata.maxpagesize=1"}))
    (page,) = (again,) = full(graph)
    microsoft.control("POST", f"accounts/{HOST}/delta/invalidate", {})
    for link in (page[DELTA], first[NEXT]):
        answer = graph.get(link)
        refused(answer, 410, "SyncStateNotFound")
        (again,) = pages(graph, answer.headers["location"])
        assert len(again["value"]) == 2
    microsoft.control("POST", f"accounts/{HOST}/delta/invalidate", {"status": 400, "code": "resyncRequired"})
    answer = graph.get(again[DELTA])
    refused(answer, 400, "resyncRequired")
    assert "location" not in answer.headers


@pytest.mark.parametrize("token", ["", "nonsense", "eJwDAAAAAAE", "%00", "A" * 5000])
def test_a_token_that_is_none(graph: httpx.Client, token: str) -> None:
    code = "BadRequest" if token else "ErrorInvalidParameter"
    refused(graph.get(f"/me/calendarView/delta?$deltatoken={token}"), 400, code)


def test_a_token_serves_its_own_mailbox_only(microsoft: Microsoft, graph: httpx.Client) -> None:
    (page,) = full(graph)
    refused(microsoft.graph("other@contoso.com").get(page[DELTA]), 400, "BadRequest")


def test_a_page_can_be_empty_and_have_a_next_one(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "2026-06-01")
    microsoft.fault("empty_page", times=1)
    first, second = full(graph)
    assert (first["value"], NEXT in first) == ([], True)
    assert [item["id"] for item in second["value"]] == [made["id"]]


def test_items_can_come_twice(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "2026-06-01")
    microsoft.fault("repeated_items", account=HOST, times=1)
    (page,) = full(graph)
    assert [item["id"] for item in page["value"]] == [made["id"], made["id"]]


def test_a_removal_can_have_another_reason(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "2026-06-01")
    (page,) = full(graph)
    graph.delete(f"/me/events/{made['id']}")
    microsoft.fault("removed_as_changed", times=1)
    assert [item["@removed"] for item in following(graph, page)] == [{"reason": "changed"}]


def test_a_removed_occurrence_may_not_be_told(microsoft: Microsoft, graph: httpx.Client) -> None:
    span = {"type": "numbered", "startDate": "2026-06-01", "numberOfOccurrences": 3}
    master = create(graph, "2026-06-01", recurrence={"pattern": {"type": "daily", "interval": 1}, "range": span})
    other = create(graph, "2026-06-05")
    (page,) = full(graph)
    first, second, third = [item["id"] for item in page["value"] if item.get("type") == "occurrence"]
    microsoft.fault("untold_removal", account=HOST)
    graph.delete(f"/me/events/{second}")
    graph.delete(f"/me/events/{other['id']}")
    assert [item["id"] for item in following(graph, page)] == [master["id"], first, third, other["id"]]


def test_a_change_between_pages_is_not_lost(graph: httpx.Client) -> None:
    one, two = create(graph, "2026-06-01"), create(graph, "2026-06-02")
    walk = pages(graph, begin(graph), {"Prefer": "odata.maxpagesize=1"})
    first = next(walk)
    graph.patch(f"/me/events/{one['id']}", json={"subject": "Too late for the first page"})
    graph.delete(f"/me/events/{two['id']}")
    last = next(walk)
    assert [item["id"] for item in first["value"]] == [one["id"]]
    subjects = {item["id"]: item.get("subject") for item in following(graph, last)}
    assert subjects == {one["id"]: "Too late for the first page", two["id"]: None}


def test_times_of_delta_follow_the_preferred_zone(graph: httpx.Client) -> None:
    create(graph, "2026-06-01")
    (page,) = full(graph, headers={"Prefer": 'outlook.timezone="Tokyo Standard Time"'})
    assert page["value"][0]["start"] == {"dateTime": "2026-06-01T19:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    assert datetime.fromisoformat(page["value"][0]["createdDateTime"]).tzinfo == UTC


@pytest.mark.parametrize(
    "path",
    [
        "/me/calendarView/delta()",
        "/me/calendarView/microsoft.graph.delta()",
        "/ME/CalendarView/Delta",
        "/me/calendar/calendarview/delta()",
    ],
)
def test_every_spelling_of_delta_that_clients_use_is_understood(graph: httpx.Client, path: str) -> None:
    made = create(graph, "2026-06-15")
    (page,) = pages(graph, begin(graph, path))
    assert [item["id"] for item in page["value"]] == [made["id"]]
    assert following(graph, page) == []
