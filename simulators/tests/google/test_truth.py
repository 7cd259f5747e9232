"""The simulator against the discovery document: what it may ask for, and what it may answer."""

from typing import Any

import pytest
from simulators.google.calendar.handlers import HANDLERS
from simulators.google.discovery.document import document, methods
from simulators.google.discovery.validation import UntrueAnswer, check_answer
from simulators.google.state import Json
from simulators.google.testing import Google

METHODS = {method.name: method for method in methods()}
ISSUE_NAMES = {
    "events.insert", "events.get", "events.patch", "events.update", "events.delete", "events.list", "events.instances",
    "events.import", "events.move", "events.watch", "channels.stop", "freebusy.query", "calendarList.list",
    "calendarList.get", "calendars.get", "settings.get",
}  # fmt: skip


def test_every_method_of_the_document_has_a_route_and_the_needed_ones_a_handler(google: Google, host: Any) -> None:
    assert METHODS.keys() == {
        f"{resource}.{name}" for resource, part in document()["resources"].items() for name in part["methods"]
    }
    assert ISSUE_NAMES <= HANDLERS.keys() <= METHODS.keys()
    for name in METHODS.keys() - HANDLERS.keys():
        method = METHODS[name]
        resource, verb = name.split(".")
        needed: Json = {key: "x" for key, described in method.parameters.items() if described.get("required")}
        if method.request:
            needed["body"] = {}
        call = getattr(getattr(host, resource)(), verb)(**needed)
        google.refused(call, 501, "notImplemented")


GOOD: Json = {"kind": "calendar#events", "items": [{"id": "abcde", "updated": "2026-06-15T10:30:00.000Z"}]}


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD | {"surprise": 1},
        GOOD | {"items": {}},
        GOOD | {"items": [{"id": 5}]},
        GOOD | {"items": [{"updated": "15.6.2026"}]},
        GOOD | {"items": [{"start": {"date": "2026-06-15T00:00:00Z"}}]},
        GOOD | {"items": [{"start": {"dateTime": "2026-06-15T10:30:00"}}]},
        GOOD | {"items": [{"sequence": "1"}]},
        GOOD | {"items": [{"extendedProperties": {"private": {"a": 1}}}]},
        None,
    ],
)
def test_an_answer_that_does_not_fit_is_refused(wrong: Any) -> None:
    check_answer(METHODS["events.list"], GOOD)
    with pytest.raises(UntrueAnswer):
        check_answer(METHODS["events.list"], wrong)
    with pytest.raises(UntrueAnswer):
        check_answer(METHODS["events.delete"], {})


def test_an_untrue_answer_is_a_loud_500(google: Google, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> Json:
        return {"kind": "calendar#colors", "surprise": 1}

    monkeypatch.setattr("simulators.google.calendar.calendars.get_entry", wrong)
    told = google.refused(host.calendarList().get(calendarId="primary"), 500, "untrueAnswer")
    assert "surprise" in told["message"]


UNKNOWN_QUERIES = (
    "surprise=1",
    "maxResults=many",
    "maxResults=0",
    "maxResults=99999999999",
    "singleEvents=perhaps",
    "orderBy=size",
    "q=a&q=b",
    "eventTypes=party",
    "alt=xml",
)


def test_query_parameters_that_the_document_does_not_allow_are_400(google: Google, subtests: pytest.Subtests) -> None:
    bearer = {"Authorization": f"Bearer {google.connect('host@example.com').token}"}
    for query in UNKNOWN_QUERIES:
        with subtests.test(query):
            answer = google.browser.get(f"/calendar/v3/calendars/primary/events?{query}", headers=bearer)
            assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalidParameter")


def test_time_bounds_need_an_offset(google: Google, host: Any, subtests: pytest.Subtests) -> None:
    for moment in ("2026-06-15", "2026-06-15T10:30:00", "yesterday", "2026-13-15T10:30:00Z"):
        with subtests.test(moment):
            google.refused(host.events().list(calendarId="primary", timeMin=moment), 400, "badRequest")


def test_broken_json_is_a_parse_error(google: Google) -> None:
    bearer = {"Authorization": f"Bearer {google.connect('host@example.com').token}"}
    answer = google.browser.post("/calendar/v3/calendars/primary/events", content=b"{", headers=bearer)
    assert answer.json()["error"]["errors"][0]["reason"] == "parseError"


def test_calendars_settings_and_their_list(google: Google, host: Any) -> None:
    made = host.calendars().insert(body={"summary": "Clients", "timeZone": "Europe/Zurich"}).execute()
    assert made["dataOwner"] == "host@example.com"
    entries = host.calendarList().list().execute()["items"]
    assert [(entry["id"], entry.get("primary")) for entry in entries] == [
        ("host@example.com", True),
        (made["id"], None),
    ]
    assert host.calendars().get(calendarId="primary").execute()["timeZone"] == "America/Santiago"
    assert host.settings().get(setting="timezone").execute()["value"] == "America/Santiago"
    google.refused(host.settings().get(setting="moonPhase"), 404, "notFound")
    google.refused(host.calendars().delete(calendarId="primary"), 403, "cannotDeletePrimaryCalendar")
    assert host.calendars().delete(calendarId=made["id"]).execute() == ""
    google.refused(host.calendars().get(calendarId=made["id"]), 404, "notFound")


def test_the_app_created_scope_reaches_the_apps_own_calendars_only(google: Google, host: Any) -> None:
    narrow = google.calendar(google.connect("host@example.com", "https://www.googleapis.com/auth/calendar.app.created"))
    google.refused(narrow.events().list(calendarId="primary"), 404, "notFound")
    made = narrow.calendars().insert(body={"summary": "Ours"}).execute()
    assert narrow.events().list(calendarId=made["id"]).execute()["items"] == []
    assert host.events().list(calendarId="primary").execute()["items"] == []
