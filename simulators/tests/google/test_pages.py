"""The pages where a person looks after a simulated calendar."""

import html
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.google.state import Json
from simulators.google.testing import Google

HOST, GUEST = "host@example.com", "guest@example.com"
PAGE = f"/accounts/{HOST}"


def insert(service: Any, **more: Any) -> Json:
    start = (datetime.now(UTC) + timedelta(days=2)).replace(hour=14, minute=0, second=0, microsecond=0)
    times = {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": (start + timedelta(hours=1)).isoformat()}}
    made: Json = service.events().insert(calendarId="primary", body={"summary": "Review"} | times | more).execute()
    return made


def press(google: Google, event_id: str, action: str, page: str = PAGE, **fields: str) -> int:
    form = {"calendar_id": page.rsplit("/", 1)[1], "action": action} | fields
    return google.browser.post(f"{page}/events/{event_id}", data=form, headers={"Origin": google.url}).status_code


def test_a_meeting_arrives_on_the_page(google: Google, host: Any) -> None:
    assert HOST in google.browser.get("/").text
    insert(host, location="Room 4", description="Agenda\nNumbers")
    page = google.browser.get(PAGE).text
    for text in ("Review", "Room 4", "Agenda\nNumbers", "America/Santiago", "calendar</li>"):
        assert text in page


def test_a_person_retitles_moves_and_deletes_and_the_program_sees_it(google: Google, host: Any) -> None:
    event = insert(host)
    token = host.events().list(calendarId="primary").execute()["nextSyncToken"]

    def changed() -> Json:
        (item,) = host.events().list(calendarId="primary", syncToken=token).execute()["items"]
        found: Json = item
        return found

    assert press(google, event["id"], "retitle", title="Review, again") == 303
    assert changed()["summary"] == "Review, again"
    day = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    assert press(google, event["id"], "move", start=f"{day}T09:00", end=f"{day}T10:30") == 303
    assert changed()["start"]["dateTime"].startswith(f"{day}T09:00:00")
    assert changed()["start"]["timeZone"] == "America/Santiago"
    assert press(google, event["id"], "delete") == 303
    assert changed()["status"] == "cancelled"
    assert "deleted" in google.browser.get(PAGE).text


def described(host: Any, event: Json) -> str:
    found: Json = host.events().get(calendarId="primary", eventId=event["id"]).execute()
    return str(found["description"])


def test_what_a_person_saves_is_stored_as_html(google: Google, host: Any) -> None:
    event = insert(host)
    typed = "*Agenda*  & more\r\nJoin: https://meet.example.com/a?b=1&c=2"
    assert press(google, event["id"], "describe", description=typed) == 303
    link = "https://meet.example.com/a?b=1&amp;c=2"
    as_html = f'<b>Agenda</b>&nbsp; &amp; more<br>Join: <a href="{link}">{link}</a>'
    assert described(host, event) == as_html
    shown = html.unescape(google.browser.get(PAGE).text)
    assert typed.replace("\r\n", "\n") in shown
    assert press(google, event["id"], "retitle", title="Again") == 303
    assert described(host, event) == as_html


def test_saving_an_event_turns_the_plain_text_of_programs_into_html(google: Google, host: Any) -> None:
    event = insert(host, description="1 < 2\nhttps://meet.example.com/x")
    assert press(google, event["id"], "retitle", title="Again") == 303
    link = '<a href="https://meet.example.com/x">https://meet.example.com/x</a>'
    assert described(host, event) == f"1 &lt; 2<br>{link}"


def test_the_editor_can_be_chosen(google: Google, host: Any) -> None:
    event = insert(host, description="One\nTwo")
    google.control("PUT", "behaviour", {"editor": "plain"})
    assert press(google, event["id"], "describe", description="One\nTwo\nThree") == 303
    assert described(host, event) == "One\nTwo\nThree"
    google.control("PATCH", f"accounts/{HOST}/events/{event['id']}?editor=html", {"summary": "Renamed"})
    assert described(host, event) == "One<br>Two<br>Three"
    google.control("PATCH", f"accounts/{HOST}/events/{event['id']}", {"description": "As\nit is"})
    assert described(host, event) == "As\nit is"


def test_a_person_creates_an_event(google: Google, host: Any) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    form = {"title": "Lunch", "start": f"{day}T12:00", "end": f"{day}T13:00", "calendar_id": HOST}
    assert google.browser.post(f"{PAGE}/events", data=form).status_code == 303
    (event,) = host.events().list(calendarId="primary").execute()["items"]
    assert (event["summary"], event["start"]["dateTime"][:19]) == ("Lunch", f"{day}T12:00:00")
    backwards = google.browser.post(f"{PAGE}/events", data=form | {"end": f"{day}T11:00"})
    assert backwards.status_code == 400
    assert "The specified time range is empty." in backwards.text


def test_all_day_events_are_moved_by_their_last_day(google: Google, host: Any) -> None:
    first = (datetime.now(UTC) + timedelta(days=3)).date()
    days = {"start": {"date": first.isoformat()}, "end": {"date": (first + timedelta(days=1)).isoformat()}}
    event = host.events().insert(calendarId="primary", body=days).execute()
    last = first + timedelta(days=2)
    assert press(google, event["id"], "move", start=first.isoformat(), end=last.isoformat()) == 303
    moved = host.events().get(calendarId="primary", eventId=event["id"]).execute()
    assert moved["end"] == {"date": (last + timedelta(days=1)).isoformat()}
    assert press(google, event["id"], "move", start="soon", end="later") == 400


def test_a_guest_answers_and_cannot_do_more(google: Google, host: Any) -> None:
    google.control("POST", "accounts", {"email": GUEST})
    event = insert(host, attendees=[{"email": GUEST}])
    page = f"/accounts/{GUEST}"
    assert "Going?" in google.browser.get(page).text
    assert press(google, event["id"], "tentative", page) == 303
    found = host.events().get(calendarId="primary", eventId=event["id"]).execute()
    assert found["attendees"][0]["responseStatus"] == "tentative"
    assert press(google, event["id"], "retitle", page, title="Mine") == 403
    assert press(google, event["id"], "explode", page) == 400


def test_one_instance_of_a_series_is_changed_alone(google: Google, host: Any) -> None:
    insert(host, recurrence=["RRULE:FREQ=DAILY;COUNT=3"], **series_times())
    expanded = host.events().list(calendarId="primary", singleEvents=True, orderBy="startTime")
    second = expanded.execute()["items"][1]
    assert press(google, second["id"], "retitle", title="Special") == 303
    assert [item["summary"] for item in expanded.execute()["items"]] == ["Review", "Special", "Review"]


def series_times() -> Json:
    day = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    zone = {"timeZone": "America/Santiago"}
    return {"start": {"dateTime": f"{day}T09:00:00"} | zone, "end": {"dateTime": f"{day}T10:00:00"} | zone}


def test_removing_access_revokes_the_grant(google: Google, host: Any) -> None:
    listing = host.events().list(calendarId="primary")
    listing.execute()
    assert google.browser.post(f"{PAGE}/disconnect").status_code == 303
    assert "None." in google.browser.get(PAGE).text
    bearer = google.browser.get("/calendar/v3/calendars/primary/events")
    assert bearer.status_code == 401


def test_pages_escape_load_nothing_and_take_forms_of_their_own_only(google: Google, host: Any) -> None:
    insert(host, summary="<script>alert(1)</script>", description='"><img src=x onerror=alert(1)>')
    page = google.browser.get(PAGE)
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    foreign = google.browser.post(f"{PAGE}/disconnect", headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert google.browser.get("/accounts/nobody@example.com").status_code == 404


def test_a_person_makes_an_account(google: Google) -> None:
    made = google.browser.post("/accounts", data={"email": "New@Example.com", "time_zone": "Europe/Zurich"})
    assert (made.status_code, made.headers["location"]) == (303, "/accounts/new%40example.com")
    assert "Europe/Zurich" in google.browser.get(made.headers["location"]).text
    assert google.browser.post("/accounts", data={"email": "nobody"}).status_code == 400
    assert google.browser.post("/accounts", data={"email": "a@b.c", "time_zone": "Mars"}).status_code == 400


def test_the_owner_by_control_api(google: Google, host: Any) -> None:
    body = {"summary": "By hand", "start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}}
    event = google.control("POST", f"accounts/{HOST}/events", body)
    google.control("PATCH", f"accounts/{HOST}/events/{event['id']}", {"summary": "Changed"})
    found = host.events().get(calendarId="primary", eventId=event["id"]).execute()
    assert found["summary"] == "Changed"
    google.control("DELETE", f"accounts/{HOST}/events/{event['id']}")
    (kept,) = google.control("GET", f"accounts/{HOST}/events")
    assert kept["resource"]["status"] == "cancelled"
    assert google.browser.delete(f"/_control/accounts/{HOST}/events/{event['id']}").status_code == 410
    assert google.browser.post(f"/_control/accounts/{HOST}/events", json={}).status_code == 400
