"""freeBusy.query."""

from typing import Any

from simulators.google.state import Json
from simulators.google.testing import Google

HOST, COLLEAGUE = "host@example.com", "colleague@example.com"
WINDOW = {"timeMin": "2026-06-15T12:00:00Z", "timeMax": "2026-06-15T20:00:00Z"}


def ask(service: Any, *calendars: str, **more: Any) -> Json:
    body = WINDOW | {"items": [{"id": name} for name in calendars]} | more
    answer: Json = service.freebusy().query(body=body).execute()
    return answer


def block(service: Any, start: int, end: int, **more: Any) -> Json:
    times = {"start": {"dateTime": f"2026-06-15T{start:02}:00:00Z"}, "end": {"dateTime": f"2026-06-15T{end:02}:00:00Z"}}
    made: Json = service.events().insert(calendarId="primary", body=times | more).execute()
    return made


def test_busy_times_are_merged_clipped_and_in_utc(host: Any) -> None:
    for start, end in ((10, 13), (15, 16), (15, 17), (17, 18), (19, 23)):
        block(host, start, end)
    assert ask(host, HOST)["calendars"][HOST]["busy"] == [
        {"start": "2026-06-15T12:00:00Z", "end": "2026-06-15T13:00:00Z"},
        {"start": "2026-06-15T15:00:00Z", "end": "2026-06-15T18:00:00Z"},
        {"start": "2026-06-15T19:00:00Z", "end": "2026-06-15T20:00:00Z"},
    ]
    local = ask(host, "primary", timeZone="America/Santiago")["calendars"]["primary"]["busy"]
    assert local[1] == {"start": "2026-06-15T11:00:00-04:00", "end": "2026-06-15T14:00:00-04:00"}


def test_what_does_not_block(google: Google, host: Any) -> None:
    block(host, 13, 14, transparency="transparent")
    gone = block(host, 14, 15)
    host.events().delete(calendarId="primary", eventId=gone["id"]).execute()
    block(host, 15, 16, eventType="workingLocation", workingLocationProperties={"type": "homeOffice", "homeOffice": {}})
    declined = {"attendees": [{"email": HOST, "responseStatus": "declined"}]}
    google.control("POST", "accounts", {"email": COLLEAGUE})
    block(google.calendar(google.connect(COLLEAGUE)), 16, 17, **declined)
    assert ask(host, HOST)["calendars"][HOST]["busy"] == []
    block(host, 17, 18, eventType="outOfOffice")
    assert len(ask(host, HOST)["calendars"][HOST]["busy"]) == 1


def test_series_and_all_day_events_block_in_the_calendars_zone(host: Any) -> None:
    day = {"start": {"date": "2026-06-14"}, "end": {"date": "2026-06-15"}, "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]}
    host.events().insert(calendarId="primary", body=day).execute()
    wide = {"timeMin": "2026-06-14T00:00:00Z", "timeMax": "2026-06-17T00:00:00Z"}
    assert ask(host, HOST, **wide)["calendars"][HOST]["busy"] == [
        {"start": "2026-06-14T04:00:00Z", "end": "2026-06-16T04:00:00Z"}
    ]


def test_a_calendar_that_cannot_be_read_has_its_error_inside_the_200(google: Google, host: Any) -> None:
    google.control("POST", "accounts", {"email": COLLEAGUE})
    answer = ask(host, HOST, COLLEAGUE, "nobody@example.com")["calendars"]
    missing = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
    assert answer == {HOST: {"busy": []}, COLLEAGUE: missing, "nobody@example.com": missing}
    google.control("POST", "shares", {"calendarId": COLLEAGUE, "account": HOST, "role": "freeBusyReader"})
    assert ask(host, COLLEAGUE)["calendars"][COLLEAGUE] == {"busy": []}
    google.fault("freebusy_error", operation=COLLEAGUE)
    assert ask(host, COLLEAGUE)["calendars"][COLLEAGUE]["errors"][0]["reason"] == "internalError"


def test_limits(google: Google, host: Any) -> None:
    many = [f"user{number}@example.com" for number in range(51)]
    reasons = {calendar["errors"][0]["reason"] for calendar in ask(host, *many)["calendars"].values()}
    assert reasons == {"tooManyCalendarsRequested"}
    empty = {"timeMin": WINDOW["timeMin"], "timeMax": WINDOW["timeMin"], "items": []}
    google.refused(host.freebusy().query(body=empty), 400, "timeRangeEmpty")
    google.refused(host.freebusy().query(body={"items": []}), 400, "required")
    google.refused(host.freebusy().query(body=WINDOW | {"items": [], "calendarExpansionMax": 51}), 400, "invalid")
