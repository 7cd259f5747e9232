"""Meetings with guests: what Exchange mails on its own, and the guests' own copies."""

from typing import Any

import httpx
from simulators.microsoft.testing import JsonObject, Microsoft, refused

HOST, GUEST = "host@contoso.com", "guest@contoso.com"
JUNE = {"startDateTime": "2026-06-01T00:00:00Z", "endDateTime": "2026-07-01T00:00:00Z"}


def guests(*addresses: str) -> list[JsonObject]:
    return [{"emailAddress": {"address": address}, "type": "required"} for address in addresses]


def create(graph: httpx.Client, *addresses: str, **more: Any) -> JsonObject:
    start, end = ({"dateTime": f"2026-06-15T{hour}:00:00", "timeZone": "UTC"} for hour in (10, 11))
    body = {"subject": "Review", "start": start, "end": end, "attendees": guests(*addresses), **more}
    answer = graph.post("/me/events", json=body)
    assert answer.status_code == 201, answer.text
    made: JsonObject = answer.json()
    return made


def mails(microsoft: Microsoft, email: str = HOST) -> list[tuple[str, str]]:
    """Kind and recipient of what was sent since the last look."""
    sent = [(mail["kind"], mail["to"]) for mail in microsoft.control("GET", f"accounts/{email}/mails")]
    microsoft.control("DELETE", f"accounts/{email}/mails")
    return sent


def copy_of(graph: httpx.Client) -> JsonObject:
    """The one event in a mailbox."""
    (found,) = graph.get("/me/events").json()["value"]
    event: JsonObject = found
    return event


def test_guests_are_mailed_at_once_and_nothing_prevents_it(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "a@x.org", "b@x.org")
    assert mails(microsoft) == [("invitation", "a@x.org"), ("invitation", "b@x.org")]
    assert [guest["status"]["response"] for guest in made["attendees"]] == ["none", "none"]
    graph.patch(f"/me/events/{made['id']}", json={"subject": "Changed"})
    assert mails(microsoft) == [("update", "a@x.org"), ("update", "b@x.org")]
    graph.delete(f"/me/events/{made['id']}")
    assert mails(microsoft) == [("cancellation", "a@x.org"), ("cancellation", "b@x.org")]


def test_without_guests_nobody_is_mailed(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph)
    graph.patch(f"/me/events/{made['id']}", json={"subject": "Changed"})
    graph.delete(f"/me/events/{made['id']}")
    assert mails(microsoft) == []


def test_a_repeated_transaction_mails_once(microsoft: Microsoft, graph: httpx.Client) -> None:
    create(graph, "a@x.org", transactionId="t")
    create(graph, "a@x.org", transactionId="t")
    assert mails(microsoft) == [("invitation", "a@x.org")]


def test_a_change_of_guests_alone_mails_only_those_concerned(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "a@x.org", "b@x.org")
    mails(microsoft)
    graph.patch(f"/me/events/{made['id']}", json={"attendees": guests("A@x.org", "c@x.org")})
    assert mails(microsoft) == [("invitation", "c@x.org"), ("cancellation", "b@x.org")]


def test_what_concerns_the_own_copy_alone_is_not_mailed(microsoft: Microsoft, graph: httpx.Client) -> None:
    made = create(graph, "a@x.org")
    mails(microsoft)
    graph.patch(f"/me/events/{made['id']}", json={"showAs": "free", "categories": ["Red"], "isReminderOn": False})
    assert mails(microsoft) == []


def test_cancel_is_for_organisers(microsoft: Microsoft, graph: httpx.Client) -> None:
    guest = microsoft.graph(GUEST)
    made = create(graph, GUEST)
    mails(microsoft)
    error = refused(guest.post(f"/me/events/{copy_of(guest)['id']}/cancel", json={}), 400, "ErrorAccessDenied")
    assert "You need to be an organizer" in error["message"]
    answer = graph.post(f"/me/events/{made['id']}/cancel", json={"comment": "Sorry"})
    assert (answer.status_code, answer.content) == (202, b"")
    refused(graph.get(f"/me/events/{made['id']}"), 404, "ErrorItemNotFound")
    assert mails(microsoft) == [("cancellation", GUEST)]
    left = copy_of(guest)
    assert (left["isCancelled"], left["subject"], left["showAs"]) == (True, "Canceled: Review", "free")


def test_a_guest_has_a_copy_of_its_own_and_answers_from_it(microsoft: Microsoft, graph: httpx.Client) -> None:
    guest = microsoft.graph(GUEST)
    made = create(graph, GUEST)
    mine = copy_of(guest)
    assert mine["id"] != made["id"]
    assert mine["iCalUId"] == made["iCalUId"]
    assert (mine["isOrganizer"], mine["showAs"]) == (False, "tentative")
    assert mine["responseStatus"]["response"] == "notResponded"
    assert guest.post(f"/me/events/{mine['id']}/accept", json={"comment": "Fine"}).status_code == 202
    assert copy_of(guest)["responseStatus"]["response"] == "accepted"
    status = graph.get(f"/me/events/{made['id']}").json()["attendees"][0]["status"]
    assert status["response"] == "accepted"
    assert status["time"] != "0001-01-01T00:00:00Z"
    assert mails(microsoft, GUEST) == [("response", HOST)]
    assert guest.post(f"/me/events/{mine['id']}/tentativelyAccept", json={"sendResponse": False}).status_code == 202
    assert mails(microsoft, GUEST) == []
    assert graph.get(f"/me/events/{made['id']}").json()["attendees"][0]["status"]["response"] == "accepted"
    assert guest.post(f"/me/events/{mine['id']}/decline").status_code == 202
    refused(guest.get(f"/me/events/{mine['id']}"), 404, "ErrorItemNotFound")
    assert graph.get(f"/me/events/{made['id']}").json()["attendees"][0]["status"]["response"] == "declined"


def test_a_hidden_guest_list_shows_each_guest_only_themselves(microsoft: Microsoft, graph: httpx.Client) -> None:
    guest = microsoft.graph(GUEST)
    made = create(graph, GUEST, "other@example.com", hideAttendees=True)
    assert [one["emailAddress"]["address"] for one in copy_of(guest)["attendees"]] == [GUEST]
    assert len(graph.get(f"/me/events/{made['id']}").json()["attendees"]) == 2


def test_an_answer_written_into_the_organisers_copy_is_no_answer(graph: httpx.Client) -> None:
    made = create(graph, "a@x.org")
    said = [guests("a@x.org")[0] | {"status": {"response": "accepted", "time": "2026-06-01T00:00:00Z"}}]
    changed = graph.patch(f"/me/events/{made['id']}", json={"attendees": said}).json()
    assert changed["attendees"][0]["status"]["response"] == "none"


def test_a_new_time_asks_again(microsoft: Microsoft, graph: httpx.Client) -> None:
    guest = microsoft.graph(GUEST)
    made = create(graph, GUEST)
    guest.post(f"/me/events/{copy_of(guest)['id']}/accept", json={})
    graph.patch(f"/me/events/{made['id']}", json={"subject": "Same time"})
    assert copy_of(guest)["responseStatus"]["response"] == "accepted"
    graph.patch(f"/me/events/{made['id']}", json={"end": {"dateTime": "2026-06-15T12:00:00", "timeZone": "UTC"}})
    again = copy_of(guest)
    assert (again["responseStatus"]["response"], again["showAs"]) == ("notResponded", "tentative")
    assert again["subject"] == "Same time"
    assert graph.get(f"/me/events/{made['id']}").json()["attendees"][0]["status"]["response"] == "none"


def test_the_organiser_cannot_answer(graph: httpx.Client) -> None:
    made = create(graph, "a@x.org")
    refused(graph.post(f"/me/events/{made['id']}/accept", json={}), 400, "ErrorInvalidRequest")


def test_unwanted_responses_are_refused(microsoft: Microsoft, graph: httpx.Client) -> None:
    guest = microsoft.graph(GUEST)
    create(graph, GUEST, responseRequested=False)
    url = f"/me/events/{copy_of(guest)['id']}/accept"
    refused(guest.post(url, json={}), 400, "ErrorInvalidRequest")
    refused(guest.post(url, json={"sendResponse": "no"}), 400, "RequestBodyRead")
    assert guest.post(url, json={"sendResponse": False}).status_code == 202


def test_somebody_outside_can_invite(microsoft: Microsoft, graph: httpx.Client) -> None:
    times = {name: {"dateTime": "2026-06-15T10:00:00", "timeZone": "UTC"} for name in ("start", "end")}
    body = {"event": {"subject": "Theirs", **times}, "organizer": "boss@fabrikam.com"}
    microsoft.control("POST", f"accounts/{HOST}/events", body)
    shown = copy_of(graph)
    assert (shown["isOrganizer"], shown["organizer"]["emailAddress"]["address"]) == (False, "boss@fabrikam.com")
    assert mails(microsoft) == []
    assert graph.post(f"/me/events/{shown['id']}/accept", json={}).status_code == 202
    assert mails(microsoft) == [("response", "boss@fabrikam.com")]
