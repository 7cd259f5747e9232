"""What a person sees and does, and what a restart keeps."""

import html
import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from simulators.common.serve import running
from simulators.microsoft.app import create_app
from simulators.microsoft.settings import Settings
from simulators.microsoft.testing import JsonObject, Microsoft, Receiver, refused

HOST = "host@contoso.com"


def soon(microsoft: Microsoft, days: int = 1) -> str:
    now = datetime.fromisoformat(microsoft.control("GET", "clock")["now"])
    return (now + timedelta(days=days)).strftime("%Y-%m-%d")


def create(microsoft: Microsoft, graph: httpx.Client, **more: object) -> JsonObject:
    day = soon(microsoft)
    times = {
        "start": {"dateTime": f"{day}T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": f"{day}T11:00:00", "timeZone": "UTC"},
    }
    made: JsonObject = graph.post("/me/events", json={"subject": "Review", **times, **more}).json()
    return made


def page(microsoft: Microsoft) -> str:
    answer = microsoft.browser.get(f"/accounts/{HOST}")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def press(microsoft: Microsoft, event_id: str, action: str, **fields: str) -> httpx.Response:
    url = f"/accounts/{HOST}/events/{event_id}"
    return microsoft.browser.post(url, data={"action": action, **fields}, headers={"Origin": microsoft.url})


def test_a_meeting_arrives_on_the_page_and_is_changed_there(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    agenda = {"contentType": "text", "content": "Agenda"}
    made = create(microsoft, graph, location={"displayName": "Room 1"}, body=agenda)
    shown = page(microsoft)
    assert f'data-event-id="{made["id"]}"' in shown
    for text in ("Review", "Room 1", "Agenda"):
        assert text in shown
    now = datetime.fromisoformat(microsoft.control("GET", "clock")["now"])
    graph.post(
        "/subscriptions",
        json={
            "changeType": "updated,deleted",
            "notificationUrl": receiver.url,
            "resource": "me/events",
            "expirationDateTime": (now + timedelta(hours=1)).isoformat(),
        },
    ).raise_for_status()
    assert press(microsoft, made["id"], "retitle", title="Renamed <b>").status_code == 303
    assert "Renamed &lt;b&gt;" in page(microsoft)
    day = soon(microsoft, 2)
    assert press(microsoft, made["id"], "move", start=f"{day}T15:00", end=f"{day}T16:30").status_code == 303
    local = {"Prefer": 'outlook.timezone="W. Europe Standard Time"'}
    moved = graph.get(f"/me/events/{made['id']}", headers=local).json()
    assert (moved["subject"], moved["start"]["dateTime"]) == ("Renamed <b>", f"{day}T15:00:00.0000000")
    assert press(microsoft, made["id"], "delete").status_code == 303
    refused(graph.get(f"/me/events/{made['id']}"), 404, "ErrorItemNotFound")
    assert "deleted" in {item["changeType"] for item in receiver.items(5)}


def test_the_owner_makes_an_event(microsoft: Microsoft, graph: httpx.Client) -> None:
    calendar = re.search(r'name="calendar_id" value="([^"]+)"', page(microsoft))
    assert calendar is not None
    day = soon(microsoft)
    times = {"start": f"{day}T09:00", "end": f"{day}T09:30"}
    form = {"calendar_id": html.unescape(calendar[1]), "title": "Dentist", **times}
    url = f"/accounts/{HOST}/events"
    assert microsoft.browser.post(url, data=form, headers={"Origin": microsoft.url}).status_code == 303
    (event,) = graph.get("/me/events").json()["value"]
    assert (event["subject"], event["originalStartTimeZone"]) == ("Dentist", "W. Europe Standard Time")
    backwards = microsoft.browser.post(url, data=form | {"end": f"{day}T08:00"}, headers={"Origin": microsoft.url})
    assert backwards.status_code == 400
    assert "EndDate is earlier than StartDate" in backwards.text


def test_all_day_events_are_shown_and_moved_by_days(microsoft: Microsoft, graph: httpx.Client) -> None:
    zone, day = "Pacific Standard Time", soon(microsoft)
    made = create(
        microsoft,
        graph,
        isAllDay=True,
        start={"dateTime": f"{day}T00:00:00", "timeZone": zone},
        end={"dateTime": f"{soon(microsoft, 2)}T00:00:00", "timeZone": zone},
    )
    assert f"{day} – {day} (all day)" in page(microsoft)
    assert press(microsoft, made["id"], "move", start=soon(microsoft, 3), end=soon(microsoft, 4)).status_code == 303
    shown = graph.get(f"/me/events/{made['id']}").json()
    assert shown["start"]["dateTime"][:10] == soon(microsoft, 3)
    assert shown["end"]["dateTime"][:10] == soon(microsoft, 5)
    assert press(microsoft, made["id"], "move", start="", end="nonsense").status_code == 400


def test_the_owner_answers_refiles_and_disconnects(microsoft: Microsoft, graph: httpx.Client) -> None:
    day = soon(microsoft)
    times = {name: {"dateTime": f"{day}T10:00:00", "timeZone": "UTC"} for name in ("start", "end")}
    invited = microsoft.control(
        "POST", f"accounts/{HOST}/events", {"event": {"subject": "Theirs", **times}, "organizer": "boss@fabrikam.com"}
    )
    assert "boss@fabrikam.com" in page(microsoft)
    assert press(microsoft, invited["id"], "accepted").status_code == 303
    assert graph.get(f"/me/events/{invited['id']}").json()["responseStatus"]["response"] == "accepted"
    assert "response to boss@fabrikam.com" in page(microsoft)
    other = graph.post("/me/calendars", json={"name": "Filed"}).json()["id"]
    assert press(microsoft, invited["id"], "refile", calendar_id=other).status_code == 303
    assert len(graph.get(f"/me/calendars/{other}/events").json()["value"]) == 1
    assert "Calendars.ReadWrite" in page(microsoft)
    microsoft.browser.post(f"/accounts/{HOST}/disconnect", headers={"Origin": microsoft.url})
    assert "Calendars.ReadWrite" not in page(microsoft)
    assert graph.get("/me").status_code == 401


def test_pages_take_forms_of_their_own_only(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(microsoft, graph)
    url = f"/accounts/{HOST}/events/{made['id']}"
    answer = microsoft.browser.post(url, data={"action": "delete"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert press(microsoft, made["id"], "explode").status_code == 400
    assert press(microsoft, "AAMkAnotthereatall12345", "delete").status_code == 400
    assert graph.get(f"/me/events/{made['id']}").status_code == 200


def test_hostile_text_stays_text(microsoft: Microsoft, graph: httpx.Client) -> None:
    create(
        microsoft,
        graph,
        subject="<script>alert(1)</script>",
        location={"displayName": '"><img src=x onerror=1>'},
        body={"contentType": "html", "content": "<script>alert(2)</script>"},
    )
    shown = page(microsoft)
    assert "<script" not in shown
    assert "<img" not in shown


def test_accounts_are_listed_and_made(microsoft: Microsoft) -> None:
    assert "None yet" in microsoft.browser.get("/").text
    answer = microsoft.browser.post("/accounts", data={"email": HOST}, headers={"Origin": microsoft.url})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/accounts/{HOST.replace('@', '%40')}")
    assert HOST in microsoft.browser.get("/").text
    bad = microsoft.browser.post("/accounts", data={"email": "nonsense"}, headers={"Origin": microsoft.url})
    assert bad.status_code == 400
    assert microsoft.browser.get("/accounts/nobody@contoso.com").status_code == 404
    assert microsoft.browser.get("/readyz").json() == {"status": "ready"}


def test_the_control_api_says_what_it_does_not_know(microsoft: Microsoft) -> None:
    for verb, path, status in (
        ("GET", "accounts/nobody@contoso.com/events", 404),
        ("POST", "subscriptions/none/expire", 404),
        ("POST", "accounts/nobody@contoso.com/revoke", 404),
    ):
        with pytest.raises(httpx.HTTPStatusError, match=str(status)):
            microsoft.control(verb, path, {} if verb == "POST" else None)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        microsoft.control("POST", "accounts", {"email": "nonsense"})


def test_a_restart_keeps_mailboxes_tokens_and_subscriptions(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(state_file=tmp_path / "state" / "microsoft.json")
    with running(create_app(settings)) as url, Microsoft(url, settings) as microsoft:
        tokens = microsoft.consent(HOST)
        graph = microsoft.graph_with(tokens["access_token"])
        made = create(microsoft, graph, transactionId="t")
        window = {"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2030-01-01T00:00:00Z"}
        delta = graph.get("/me/calendarView/delta", params=window).json()["@odata.deltaLink"].partition("/v1.0")[2]
        now = datetime.fromisoformat(microsoft.control("GET", "clock")["now"])
        subscription = graph.post(
            "/subscriptions",
            json={
                "changeType": "created",
                "notificationUrl": receiver.url,
                "resource": "me/events",
                "expirationDateTime": (now + timedelta(hours=1)).isoformat(),
            },
        ).json()
        keys = microsoft.browser.get("/common/discovery/v2.0/keys").json()
    stored = (tmp_path / "state" / "microsoft.json").read_text(encoding="utf-8")
    assert tokens["access_token"] not in stored
    assert tokens["refresh_token"] not in stored
    with running(create_app(settings)) as url, Microsoft(url, settings) as microsoft:
        graph = microsoft.graph_with(tokens["access_token"])
        assert create(microsoft, graph, transactionId="t")["id"] == made["id"]
        assert graph.get(delta).json()["value"] == []
        assert graph.get(f"/subscriptions/{subscription['id']}").status_code == 200
        assert microsoft.browser.get("/common/discovery/v2.0/keys").json() == keys
        fresh = create(microsoft, graph)
        assert receiver.items(1)[0]["resourceData"]["id"] == fresh["id"]
