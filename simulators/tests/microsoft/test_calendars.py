"""Calendars, free/busy, time zones."""

from typing import Any
from zoneinfo import available_timezones

import httpx
import pytest
from msgraph.generated.models.calendar import Calendar
from msgraph.generated.models.calendar_collection_response import CalendarCollectionResponse
from msgraph.generated.models.custom_time_zone import CustomTimeZone
from msgraph.generated.models.mailbox_settings import MailboxSettings
from msgraph.generated.models.schedule_information import ScheduleInformation
from msgraph.generated.models.time_zone_information import TimeZoneInformation
from simulators.microsoft.testing import JsonObject, Microsoft, decoded, refused

HOST, COLLEAGUE = "host@contoso.com", "colleague@contoso.com"


def at(hour: str, zone: str = "UTC") -> JsonObject:
    return {"dateTime": f"2026-06-15T{hour}:00", "timeZone": zone}


def create(graph: httpx.Client, begin: str, end: str, **more: Any) -> None:
    body = {"subject": "Secret plan", "start": at(begin), "end": at(end), **more}
    assert graph.post("/me/events", json=body).status_code == 201


def schedules(graph: httpx.Client, *addresses: str, **more: Any) -> list[JsonObject]:
    asked = {"schedules": list(addresses), "startTime": at("09:00"), "endTime": at("12:00"), **more}
    answer = graph.post("/me/calendar/getSchedule", json=asked)
    assert answer.status_code == 200, answer.text
    found: list[JsonObject] = answer.json()["value"]
    for entry in found:
        decoded(ScheduleInformation, {k: v for k, v in entry.items() if k != "workingHours"})
    return found


def test_calendars_are_listed_and_added(graph: httpx.Client) -> None:
    (default,) = graph.get("/me/calendars").json()["value"]
    calendar = decoded(Calendar, default)
    assert (calendar.name, calendar.is_default_calendar) == ("Calendar", True)
    made = graph.post("/me/calendars", json={"name": "Clients"})
    assert made.status_code == 201
    decoded(Calendar, made.json())
    listed = graph.get("/me/calendars").json()
    decoded(CalendarCollectionResponse, listed)
    assert [entry["name"] for entry in listed["value"]] == ["Calendar", "Clients"]
    assert graph.get("/me/calendar").json()["id"] == default["id"]
    assert graph.get(f"/me/calendars/{made.json()['id']}").json()["name"] == "Clients"
    refused(graph.post("/me/calendars", json={"name": "clients"}), 409, "ErrorFolderExists")
    refused(graph.get("/me/calendars/nonsense"), 404, "ErrorItemNotFound")


def test_events_of_one_calendar(graph: httpx.Client) -> None:
    other = graph.post("/me/calendars", json={"name": "Clients"}).json()["id"]
    body = {"subject": "There", "start": at("10:00"), "end": at("11:00")}
    made = graph.post(f"/me/calendars/{other}/events", json=body).json()
    create(graph, "10:00", "11:00")
    window = {"startDateTime": "2026-06-15T00:00:00Z", "endDateTime": "2026-06-16T00:00:00Z"}
    for path, subjects in (
        ("/me/events", {"There", "Secret plan"}),
        ("/me/calendar/events", {"Secret plan"}),
        (f"/me/calendars/{other}/events", {"There"}),
        ("/me/calendarView", {"Secret plan"}),
        (f"/me/calendars/{other}/calendarView", {"There"}),
    ):
        assert {entry["subject"] for entry in graph.get(path, params=window).json()["value"]} == subjects, path
    assert graph.get(f"/me/calendars/{other}/events/{made['id']}").status_code == 200
    refused(graph.get(f"/me/calendar/events/{made['id']}"), 404, "ErrorItemNotFound")


def test_free_and_busy_in_slots(microsoft: Microsoft, graph: httpx.Client) -> None:
    colleague = microsoft.graph(COLLEAGUE)
    create(colleague, "09:00", "09:40", showAs="tentative")
    create(colleague, "09:30", "10:00")
    create(colleague, "10:00", "10:30", showAs="free")
    create(colleague, "10:30", "11:00", showAs="oof")
    create(colleague, "11:00", "11:30", showAs="workingElsewhere")
    (entry,) = schedules(graph, COLLEAGUE)
    assert entry["scheduleId"] == COLLEAGUE
    assert entry["availabilityView"] == "120340"
    shown = [item["status"] for item in entry["scheduleItems"]]
    assert shown == ["tentative", "busy", "free", "oof", "workingElsewhere"]
    assert "subject" not in entry["scheduleItems"][0], "somebody else's"
    (own,) = schedules(colleague, COLLEAGUE, availabilityViewInterval=60)
    assert own["availabilityView"] == "234"
    assert (own["scheduleItems"][0]["subject"], own["scheduleItems"][0]["isPrivate"]) == ("Secret plan", False)


def test_private_events_show_no_subject(graph: httpx.Client) -> None:
    create(graph, "09:00", "10:00", sensitivity="private")
    (own,) = schedules(graph, HOST)
    assert own["scheduleItems"][0]["isPrivate"] is True
    assert "subject" not in own["scheduleItems"][0]


def test_times_follow_the_preferred_zone(graph: httpx.Client) -> None:
    create(graph, "09:00", "10:00")
    asked = {"schedules": [HOST], "startTime": at("09:00"), "endTime": at("12:00")}
    answer = graph.post("/me/calendar/getSchedule", json=asked, headers={"Prefer": 'outlook.timezone="Asia/Tokyo"'})
    (item,) = answer.json()["value"][0]["scheduleItems"]
    assert item["start"] == {"dateTime": "2026-06-15T18:00:00.0000000", "timeZone": "Asia/Tokyo"}


def test_an_unknown_address_is_an_error_inside_a_200(microsoft: Microsoft, graph: httpx.Client) -> None:
    microsoft.control("POST", "accounts", {"email": "stranger@fabrikam.com"})
    unknown, foreign, own = schedules(graph, "nobody@contoso.com", "stranger@fabrikam.com", HOST)
    for entry in (unknown, foreign):
        assert entry["error"]["responseCode"] == "5009"
        assert entry["scheduleId"] in entry["error"]["message"]
        assert "availabilityView" not in entry
    assert own["availabilityView"] == "000000"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"schedules": [f"{n}@contoso.com" for n in range(101)]}, "ErrorMailboxDataArrayTooBig"),
        ({"schedules": HOST}, "RequestBodyRead"),
        ({"availabilityViewInterval": 4}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"availabilityViewInterval": 1441}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"endTime": at("09:00")}, "ErrorInvalidTimeInterval"),
        ({"endTime": {"dateTime": "2026-12-01T00:00:00", "timeZone": "UTC"}}, "ErrorInvalidTimeInterval"),
        ({"startTime": None}, "RequestBodyRead"),
    ],
)
def test_unfit_questions_about_schedules(graph: httpx.Client, changed: JsonObject, code: str) -> None:
    asked = {"schedules": [HOST], "startTime": at("09:00"), "endTime": at("12:00")} | changed
    refused(graph.post("/me/calendar/getSchedule", json=asked), 400, code)


def test_personal_accounts_have_no_schedules(microsoft: Microsoft) -> None:
    personal = microsoft.graph("someone@outlook.com")
    asked = {"schedules": ["someone@outlook.com"], "startTime": at("09:00"), "endTime": at("12:00")}
    refused(personal.post("/me/calendar/getSchedule", json=asked), 403, "ErrorAccessDenied")


def test_supported_time_zones_in_both_standards(graph: httpx.Client) -> None:
    path = "/me/outlook/supportedTimeZones"
    windows = graph.get(path).json()["value"]
    for entry in windows:
        decoded(TimeZoneInformation, entry)
    assert {"Pacific SA Standard Time", "W. Europe Standard Time", "UTC"} <= {entry["alias"] for entry in windows}
    iana = graph.get(f"{path}(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')").json()["value"]
    names = {entry["alias"] for entry in iana}
    assert {"America/Santiago", "Europe/Berlin"} <= names <= available_timezones()
    assert graph.get(f"{path}(TimeZoneStandard=microsoft.graph.timeZoneStandard'Windows')").json()["value"] == windows
    refused(graph.get(f"{path}(TimeZoneStandard='Mars')"), 404, "ErrorItemNotFound")


def test_every_zone_that_is_offered_is_taken(graph: httpx.Client) -> None:
    path = "/me/outlook/supportedTimeZones"
    found = [
        *graph.get(path).json()["value"],
        *graph.get(f"{path}(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')").json()["value"],
    ]
    assert len(found) > 200
    for entry in found:
        answer = graph.get("/me/events", headers={"Prefer": f'outlook.timezone="{entry["alias"]}"'})
        assert answer.status_code == 200, entry


def test_the_zone_of_the_mailbox_is_in_its_settings(microsoft: Microsoft, graph: httpx.Client) -> None:
    microsoft.control("POST", "accounts", {"email": HOST, "timeZone": "Pacific SA Standard Time"})
    assert graph.get("/me/mailboxSettings").json()["timeZone"] == "Pacific SA Standard Time"
    blind = microsoft.graph_with(microsoft.consent(HOST, "Calendars.ReadWrite")["access_token"])
    refused(blind.get("/me/mailboxSettings"), 403, "ErrorAccessDenied")


# --- several mailboxes ----------------------------------------------------------------------------------------------

SHARED = ("Calendars.ReadWrite", "Calendars.ReadWrite.Shared", "User.Read")


def test_a_mailbox_that_is_shared_is_used_as_far_as_its_owner_allows(microsoft: Microsoft, graph: httpx.Client) -> None:
    create(graph, "10:00", "11:00")
    for email in ("reader@contoso.com", "editor@contoso.com", "stranger@contoso.com"):
        microsoft.control("POST", "accounts", {"email": email})
    for role in ("reader", "editor"):
        microsoft.control("POST", f"accounts/{HOST}/shares", {"account": f"{role}@contoso.com", "role": role})
    body = {"subject": "Theirs", "start": at("13:00"), "end": at("14:00")}
    for email, read, write in (
        ("reader@contoso.com", 200, 403),
        ("editor@contoso.com", 200, 201),
        ("stranger@contoso.com", 403, 403),
    ):
        client = microsoft.graph(email, *SHARED)
        assert client.get(f"/users/{HOST}/events").status_code == read
        assert client.post(f"/users/{HOST}/calendar/events", json=body).status_code == write
        assert client.get("/me/events").json()["value"] == []
    without = microsoft.graph("editor@contoso.com")
    refused(without.get(f"/users/{HOST}/events"), 403, "ErrorAccessDenied")
    assert [event["subject"] for event in graph.get("/me/events").json()["value"]] == ["Secret plan", "Theirs"]


def test_a_name_to_sign_in_with_need_not_be_the_address(microsoft: Microsoft) -> None:
    account = {"email": HOST, "principalName": "h.host@Contoso.onmicrosoft.com"}
    microsoft.control("POST", "accounts", account)
    client = microsoft.graph(HOST)
    me = client.get("/me").json()
    assert (me["mail"], me["userPrincipalName"]) == (HOST, "h.host@Contoso.onmicrosoft.com")
    for name in (me["id"], me["mail"], me["userPrincipalName"], "H.HOST@CONTOSO.onmicrosoft.com"):
        assert client.get(f"/users/{name}/events").status_code == 200
    assert "proxyAddresses" not in me
    selected = client.get("/me?$select=mail,proxyAddresses").json()
    assert selected["proxyAddresses"] == [f"SMTP:{HOST}", "smtp:h.host@Contoso.onmicrosoft.com"]
    microsoft.control("POST", "accounts", account | {"hasMail": False})
    assert client.get("/me").json()["mail"] is None


def test_a_mailbox_may_have_a_zone_of_its_own_making(microsoft: Microsoft) -> None:
    microsoft.control("POST", "accounts", {"email": HOST, "customBias": 240})
    settings = decoded(MailboxSettings, microsoft.graph(HOST).get("/me/mailboxSettings").json())
    assert settings.time_zone == "Customized Time Zone"
    assert settings.working_hours is not None
    custom = settings.working_hours.time_zone
    assert isinstance(custom, CustomTimeZone)
    assert (custom.name, custom.bias) == ("Customized Time Zone", 240)
