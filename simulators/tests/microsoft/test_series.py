"""Recurring events: occurrences, exceptions, deletions, and how views show them."""

from typing import Any

import httpx
import pytest
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_collection_response import EventCollectionResponse
from simulators.microsoft.testing import JsonObject, decoded, refused

ZONE = "W. Europe Standard Time"
ENDLESS = {"type": "noEnd", "startDate": "2026-06-01"}
JUNE = {"startDateTime": "2026-06-01T00:00:00Z", "endDateTime": "2026-07-01T00:00:00Z"}


def series(
    graph: httpx.Client, pattern: JsonObject, span: JsonObject, start: str = "2026-06-01T10:00:00"
) -> JsonObject:
    body = {
        "subject": "Weekly",
        "start": {"dateTime": start, "timeZone": ZONE},
        "end": {"dateTime": start.replace("T10:", "T11:"), "timeZone": ZONE},
        "recurrence": {"pattern": pattern, "range": {"startDate": start[:10], **span}},
    }
    answer = graph.post("/me/events", json=body)
    assert answer.status_code == 201, answer.text
    made: JsonObject = answer.json()
    return made


def weekly(graph: httpx.Client, **span: Any) -> JsonObject:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["Monday"]}
    return series(graph, pattern, span or {"type": "endDate", "endDate": "2026-06-22"})


def view(graph: httpx.Client, **window: str) -> list[JsonObject]:
    answer = graph.get("/me/calendarView", params={**JUNE, "$top": "100", **window})
    found: list[JsonObject] = answer.json()["value"]
    return found


def starts(items: list[JsonObject]) -> list[str]:
    return [item["start"]["dateTime"][:16] for item in items]


def test_a_view_shows_whole_occurrences_and_a_list_shows_the_master(graph: httpx.Client) -> None:
    master = weekly(graph)
    assert decoded(Event, master).recurrence is not None
    assert (master["type"], master["seriesMasterId"]) == ("seriesMaster", None)
    listed = graph.get("/me/events").json()["value"]
    assert [entry["id"] for entry in listed] == [master["id"]]
    occurrences = view(graph)
    assert starts(occurrences) == [f"2026-06-{day}T08:00" for day in ("01", "08", "15", "22")]
    decoded(EventCollectionResponse, {"value": occurrences})
    for entry in occurrences:
        assert (entry["type"], entry["seriesMasterId"]) == ("occurrence", master["id"])
        assert (entry["subject"], entry["recurrence"]) == ("Weekly", None)
        assert graph.get(f"/me/events/{entry['id']}").json()["start"] == entry["start"]
    assert len({entry["iCalUId"] for entry in occurrences}) == 4, "each occurrence has a UID of its own"
    assert len({entry["id"] for entry in occurrences}) == 4


def test_occurrences_keep_their_wall_time_across_a_change_of_the_clocks(graph: httpx.Client) -> None:
    three = {"type": "numbered", "numberOfOccurrences": 3}
    series(graph, {"type": "daily", "interval": 1}, three, "2026-10-24T10:00:00")
    shown = view(graph, startDateTime="2026-10-01T00:00:00Z", endDateTime="2026-11-01T00:00:00Z")
    assert starts(shown) == ["2026-10-24T08:00", "2026-10-25T09:00", "2026-10-26T09:00"]


@pytest.mark.parametrize(
    ("pattern", "first", "dates"),
    [
        ({"type": "daily", "interval": 2}, "2026-06-01", ["06-01", "06-03", "06-05"]),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "friday"]},
            "2026-06-01",
            ["06-01", "06-05", "06-15"],
        ),
        ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, "2026-01-31", ["01-31", "02-28", "03-31"]),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday"], "index": "last"},
            "2026-06-01",
            ["06-30", "07-28", "08-25"],
        ),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["saturday", "sunday"], "index": "first"},
            "2026-06-01",
            ["06-06", "07-04", "08-01"],
        ),
        (
            {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2},
            "2028-02-29",
            ["02-29", "02-28", "02-28"],
        ),
        (
            {"type": "relativeYearly", "interval": 1, "daysOfWeek": ["monday"], "index": "second", "month": 6},
            "2026-06-01",
            ["06-08", "06-14", "06-12"],
        ),
    ],
)
def test_every_kind_of_pattern(graph: httpx.Client, pattern: JsonObject, first: str, dates: list[str]) -> None:
    series(graph, pattern, {"type": "numbered", "numberOfOccurrences": 3}, f"{first}T10:00:00")
    shown = view(graph, startDateTime=f"{first}T00:00:00Z", endDateTime=f"{int(first[:4]) + 3}-12-31T00:00:00Z")
    assert [entry["start"]["dateTime"][5:10] for entry in shown] == dates


def test_an_endless_series_fills_any_window(graph: httpx.Client) -> None:
    weekly(graph, type="noEnd")
    assert len(view(graph, startDateTime="2027-06-01T00:00:00Z", endDateTime="2027-07-01T00:00:00Z")) == 4


@pytest.mark.parametrize(
    ("pattern", "span"),
    [
        ({"type": "hourly"}, ENDLESS),
        ({"type": "daily", "interval": 0}, ENDLESS),
        ({"type": "weekly", "daysOfWeek": ["someday"]}, ENDLESS),
        ({"type": "daily"}, ENDLESS | {"type": "endDate", "endDate": "2026-05-01"}),
        ({"type": "daily"}, ENDLESS | {"startDate": "someday"}),
        ({"type": "absoluteMonthly"}, ENDLESS),
        (None, ENDLESS),
    ],
)
def test_what_is_no_series_is_refused(graph: httpx.Client, pattern: JsonObject, span: JsonObject) -> None:
    recurrence = {"pattern": pattern, "range": span}
    times = {name: {"dateTime": "2026-06-01T10:00:00", "timeZone": ZONE} for name in ("start", "end")}
    refused(graph.post("/me/events", json={**times, "recurrence": recurrence}), 400, "ErrorInvalidRequest")


def test_one_occurrence_can_be_changed_or_deleted(graph: httpx.Client) -> None:
    master = weekly(graph)
    _, second, third, _ = view(graph)
    moved = {
        "start": {"dateTime": "2026-06-09T12:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-06-09T13:00:00", "timeZone": "UTC"},
        "subject": "This time on Tuesday",
    }
    changed = graph.patch(f"/me/events/{second['id']}", json=moved).json()
    assert (changed["type"], changed["id"]) == ("exception", second["id"])
    assert changed["originalStart"] == "2026-06-08T08:00:00Z"
    assert graph.delete(f"/me/events/{third['id']}").status_code == 204
    refused(graph.get(f"/me/events/{third['id']}"), 404, "ErrorItemNotFound")
    left = view(graph)
    assert starts(left) == ["2026-06-01T08:00", "2026-06-09T12:00", "2026-06-22T08:00"]
    assert [entry["subject"] for entry in left] == ["Weekly", "This time on Tuesday", "Weekly"]
    assert graph.patch(f"/me/events/{master['id']}", json={"subject": "Renamed"}).status_code == 200
    assert [entry["subject"] for entry in view(graph)] == ["Renamed", "This time on Tuesday", "Renamed"]
    never = {"recurrence": None}
    refused(graph.patch(f"/me/events/{left[0]['id']}", json=never), 400, "ErrorInvalidRequest")


def test_instances_of_a_master(graph: httpx.Client) -> None:
    master = weekly(graph)
    shown = graph.get(f"/me/events/{master['id']}/instances", params=JUNE).json()["value"]
    assert [entry["id"] for entry in shown] == [entry["id"] for entry in view(graph)]
    single = graph.patch(f"/me/events/{master['id']}", json={"recurrence": None}).json()
    assert (single["type"], len(view(graph))) == ("singleInstance", 1)


def test_a_window_is_needed_and_ignores_the_preferred_zone(graph: httpx.Client) -> None:
    weekly(graph)
    error = refused(graph.get("/me/calendarView"), 400, "ErrorInvalidParameter")
    assert error["message"].startswith("This request requires a time window")
    refused(graph.get("/me/calendarView", params=JUNE | {"endDateTime": "later"}), 400, "ErrorInvalidParameter")
    refused(graph.get("/me/calendarView", params=JUNE | {"endDateTime": "2020-01-01"}), 400, "ErrorInvalidParameter")
    decade = JUNE | {"endDateTime": "2036-01-01"}
    wide = refused(graph.get("/me/calendarView", params=decade), 400, "ErrorInvalidParameter")
    assert "1825" in wide["message"]
    prefer = {"Prefer": 'outlook.timezone="Pacific Standard Time"'}
    edge = {"startdatetime": "2026-06-01T09:00:00", "enddatetime": "2026-06-08T08:00:00"}
    assert graph.get("/me/calendarView", params=edge, headers=prefer).json()["value"] == [], "half open, in UTC"
    wider = {"startdatetime": "2026-06-01T10:30:00+02:00", "enddatetime": "2026-06-08T08:00:01Z"}
    assert len(graph.get("/me/calendarView", params=wider, headers=prefer).json()["value"]) == 2
