"""Events: create, read, change, delete, and who may."""

import uuid
from typing import Any

import pytest
from simulators.google.state import Json
from simulators.google.testing import Google

HOST, GUEST, OUTSIDER = "host@example.com", "guest@example.com", "jane@elsewhere.example"
MEETING: Json = {
    "summary": "Quarterly portfolio review",
    "start": {"dateTime": "2026-06-15T15:00:00", "timeZone": "America/Santiago"},
    "end": {"dateTime": "2026-06-15T15:45:00", "timeZone": "America/Santiago"},
}


def insert(service: Any, body: Json | None = None, **params: Any) -> Json:
    made: Json = service.events().insert(calendarId="primary", body=MEETING | (body or {}), **params).execute()
    return made


def get(service: Any, event_id: str) -> Json:
    found: Json = service.events().get(calendarId="primary", eventId=event_id).execute()
    return found


def patch(service: Any, event_id: str, body: Json, **params: Any) -> Any:
    return service.events().patch(calendarId="primary", eventId=event_id, body=body, **params)


def delete(service: Any, event_id: str, **params: Any) -> Any:
    return service.events().delete(calendarId="primary", eventId=event_id, **params)


def matching(request: Any, etag: str) -> Any:
    request.headers["If-Match"] = etag
    return request


# --- insert


def test_an_own_id_is_kept_and_gives_the_ical_uid(host: Any) -> None:
    own = uuid.uuid4().hex
    event = insert(host, {"id": own})
    assert (event["id"], event["iCalUID"], event["status"]) == (own, f"{own}@google.com", "confirmed")
    assert event["organizer"] == event["creator"] == {"email": HOST, "self": True}
    assert (event["sequence"], event["eventType"], event["reminders"]) == (0, "default", {"useDefault": True})
    assert get(host, own) == event


def test_without_an_id_the_server_makes_one_and_an_own_ical_uid_is_kept(host: Any) -> None:
    event = insert(host, {"iCalUID": "abc@our.example"})
    assert event["iCalUID"] == "abc@our.example"
    assert event["id"] != "abc@our.example"
    listed = host.events().list(calendarId="primary", iCalUID="abc@our.example").execute()["items"]
    assert [item["id"] for item in listed] == [event["id"]]


def test_an_own_id_is_base32hex_of_5_to_1024_characters(google: Google, host: Any, subtests: pytest.Subtests) -> None:
    for bad in ("abcd", str(uuid.uuid4()), "UPPERCASE", "wxyz0", "ümlaut", "a" * 1025):
        with subtests.test(bad):
            google.refused(host.events().insert(calendarId="primary", body=MEETING | {"id": bad}), 400, "invalid")
    assert insert(host, {"id": "v" * 1024})["id"] == "v" * 1024
    assert insert(host, {"id": "0av9v"})["id"] == "0av9v"


def test_id_and_ical_uid_together_are_refused(google: Google, host: Any) -> None:
    body = MEETING | {"id": "abcdef", "iCalUID": "x@y"}
    google.refused(host.events().insert(calendarId="primary", body=body), 400, "invalid")


def test_a_used_id_is_a_duplicate_even_after_deletion(google: Google, host: Any) -> None:
    insert(host, {"id": "abcdef", "iCalUID": None})
    again = host.events().insert(calendarId="primary", body=MEETING | {"id": "abcdef"})
    assert google.refused(again, 409, "duplicate")["message"] == "The requested identifier already exists."
    delete(host, "abcdef").execute()
    google.refused(again, 409, "duplicate")
    by_uid = host.events().insert(calendarId="primary", body=MEETING | {"iCalUID": "abcdef@google.com"})
    google.refused(by_uid, 409, "duplicate")


NO_EVENTS: list[tuple[Any, Any, str]] = [
    ({"dateTime": "2026-06-15T15:00:00Z"}, {"dateTime": "2026-06-15T15:00:00Z"}, "timeRangeEmpty"),
    ({"dateTime": "2026-06-15T15:00:00Z"}, {"dateTime": "2026-06-15T14:00:00Z"}, "timeRangeEmpty"),
    ({"date": "2026-06-15"}, {"date": "2026-06-15"}, "timeRangeEmpty"),
    ({"date": "2026-06-15"}, {"dateTime": "2026-06-15T14:00:00Z"}, "invalid"),
    ({"date": "2026-02-30"}, {"date": "2026-03-01"}, "invalid"),
    ({"dateTime": "2026-06-15T15:00:00"}, {"dateTime": "2026-06-15T16:00:00"}, "required"),
    ({"dateTime": "2026-06-15T15:00:00", "timeZone": "Mars/Base"}, {"dateTime": "2026-06-15T16:00:00Z"}, "invalid"),
    ({"dateTime": "yesterday"}, {"dateTime": "2026-06-15T16:00:00Z"}, "invalid"),
    ({"date": "2026-06-15", "dateTime": "2026-06-15T15:00:00Z"}, {"date": "2026-06-16"}, "invalid"),
    (None, {"date": "2026-06-16"}, "required"),
    ({"date": 7}, {"date": "2026-06-16"}, "badRequest"),
]


def test_times_that_make_no_event_are_400(google: Google, host: Any, subtests: pytest.Subtests) -> None:
    for start, end, reason in NO_EVENTS:
        with subtests.test(start=start, end=end):
            google.refused(host.events().insert(calendarId="primary", body={"start": start, "end": end}), 400, reason)


def test_times_come_back_in_the_calendars_zone_with_the_zone_they_were_given_in(host: Any) -> None:
    zurich = {"dateTime": "2026-06-15T21:00:00", "timeZone": "Europe/Zurich"}
    event = insert(host, {"start": zurich, "end": {"dateTime": "2026-06-15T20:00:00.5Z"}})
    assert event["start"] == {"dateTime": "2026-06-15T15:00:00-04:00", "timeZone": "Europe/Zurich"}
    assert event["end"] == {"dateTime": "2026-06-15T16:00:00-04:00", "timeZone": "America/Santiago"}
    elsewhere = host.events().get(calendarId="primary", eventId=event["id"], timeZone="UTC").execute()
    assert elsewhere["start"]["dateTime"] == "2026-06-15T19:00:00Z"


def test_all_day_events_end_exclusively_and_have_no_time(host: Any) -> None:
    event = insert(host, {"start": {"date": "2026-06-15"}, "end": {"date": "2026-06-16"}})
    assert (event["start"], event["end"]) == ({"date": "2026-06-15"}, {"date": "2026-06-16"})

    def day(number: int) -> list[Json]:
        low, high = f"2026-06-{number}T00:00:00-04:00", f"2026-06-{number}T23:59:59-04:00"
        found: list[Json] = host.events().list(calendarId="primary", timeMin=low, timeMax=high).execute()["items"]
        return found

    assert [len(day(number)) for number in (14, 15, 16)] == [0, 1, 0]


def test_googles_own_conference_text_is_stripped_from_the_description(host: Any) -> None:
    ruler = "-::~:~::~:~:~:~:~:~:~:~:~:~:~::~:~::-"
    event = insert(host, {"description": f"Agenda\n\n{ruler}\nJoin with Google Meet\n{ruler}"})
    assert event["description"] == "Agenda"


def test_bodies_that_are_no_event_are_400(google: Google, host: Any) -> None:
    assert google.refused(host.events().insert(calendarId="primary", body=MEETING | {"summary": 7}), 400, "badRequest")[
        "message"
    ].startswith("Invalid value at 'summary'")
    google.refused(host.events().insert(calendarId="primary", body=[1]), 400, "badRequest")
    google.refused(
        host.events().insert(calendarId="primary", body=MEETING | {"attendees": [{"email": "x"}]}), 400, "invalid"
    )
    google.refused(
        host.events().insert(calendarId="primary", body=MEETING | {"eventType": "fromGmail"}),
        400,
        "eventTypeRestriction",
    )
    google.refused(host.events().insert(calendarId="nobody@example.com", body=MEETING), 404, "notFound")
    event = insert(host, {"unknownField": 1, "reminders": {"useDefault": False, "unknownField": 1}})
    assert "unknownField" not in event
    assert event["reminders"] == {"useDefault": False}


# --- change


def test_patch_merges_update_replaces_and_null_deletes(host: Any) -> None:
    private = {"private": {"meetingId": "M1", "generation": "1"}}
    event = insert(host, {"description": "Agenda", "location": "Room 4", "extendedProperties": private})
    change = {"location": None, "extendedProperties": {"private": {"generation": None, "deployment": "d"}}}
    patched = patch(host, event["id"], change).execute()
    assert "location" not in patched
    assert patched["description"] == "Agenda"
    assert patched["extendedProperties"] == {"private": {"meetingId": "M1", "deployment": "d"}}
    replaced = host.events().update(calendarId="primary", eventId=event["id"], body=MEETING).execute()
    assert {"description", "extendedProperties"}.isdisjoint(replaced)
    assert (replaced["created"], replaced["iCalUID"]) == (event["created"], event["iCalUID"])
    assert len({event["etag"], patched["etag"], replaced["etag"]}) == 3


def test_a_patch_replaces_the_list_of_attendees_as_a_whole(host: Any) -> None:
    event = insert(host, {"attendees": [{"email": GUEST}, {"email": OUTSIDER}]})
    patched = patch(host, event["id"], {"attendees": [{"email": OUTSIDER}]}).execute()
    assert [guest["email"] for guest in patched["attendees"]] == [OUTSIDER]


def test_switching_to_all_day_needs_the_other_form_set_to_null(google: Google, host: Any) -> None:
    event = insert(host)
    days = {"start": {"date": "2026-06-15"}, "end": {"date": "2026-06-16"}}
    google.refused(patch(host, event["id"], days), 400, "invalid")
    empty = {"dateTime": None, "timeZone": None}
    whole_day = {side: value | empty for side, value in days.items()}
    assert patch(host, event["id"], whole_day).execute()["start"] == {"date": "2026-06-15"}


def test_the_sequence_rises_with_the_time_only_and_never_falls(google: Google, host: Any) -> None:
    event = insert(host)
    assert patch(host, event["id"], {"summary": "Renamed"}).execute()["sequence"] == 0
    assert patch(host, event["id"], {"end": {"dateTime": "2026-06-15T16:00:00-04:00"}}).execute()["sequence"] == 1
    assert patch(host, event["id"], {"sequence": 7}).execute()["sequence"] == 7
    told = google.refused(patch(host, event["id"], {"sequence": 6}), 400, "invalid")
    assert told["message"].startswith("Invalid sequence value.")


def test_reminders_alone_do_not_move_updated_but_change_the_etag(google: Google, host: Any) -> None:
    event = insert(host)
    google.control("POST", "clock", {"advanceSeconds": 60})
    reminders = {"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]}}
    changed = patch(host, event["id"], reminders).execute()
    assert changed["updated"] == event["updated"]
    assert changed["etag"] != event["etag"]
    assert patch(host, event["id"], {"summary": "Other"}).execute()["updated"] > event["updated"]


def test_the_event_type_cannot_change(google: Google, host: Any) -> None:
    event = insert(host, {"eventType": "outOfOffice"})
    google.refused(patch(host, event["id"], {"eventType": "default"}), 400, "eventTypeRestriction")
    listed = host.events().list(calendarId="primary", eventTypes=["default", "focusTime"]).execute()["items"]
    assert listed == []
    assert host.events().list(calendarId="primary", eventTypes="outOfOffice").execute()["items"][0]["id"] == event["id"]


# --- etags


def test_a_stale_if_match_is_412_for_patch_update_and_delete(google: Google, host: Any) -> None:
    event = insert(host)
    stale = event["etag"]
    patch(host, event["id"], {"summary": "Somebody was faster"}).execute()
    for request in (
        patch(host, event["id"], {"summary": "Mine"}),
        host.events().update(calendarId="primary", eventId=event["id"], body=MEETING),
        delete(host, event["id"]),
    ):
        told = google.refused(matching(request, stale), 412, "conditionNotMet")
        assert (told["errors"][0]["locationType"], told["errors"][0]["location"]) == ("header", "If-Match")
    current = get(host, event["id"])
    assert current["summary"] == "Somebody was faster"
    assert matching(patch(host, event["id"], {"summary": "Mine"}), current["etag"]).execute()["summary"] == "Mine"
    assert matching(delete(host, event["id"]), "*").execute() == ""


def test_if_none_match_saves_the_body_of_an_unchanged_event(google: Google, host: Any) -> None:
    event = insert(host)
    request = host.events().get(calendarId="primary", eventId=event["id"])
    request.headers["If-None-Match"] = event["etag"]
    google.refused_without_body(request, 304)
    patch(host, event["id"], {"summary": "New"}).execute()
    assert request.execute()["summary"] == "New"


# --- delete


def test_a_deleted_event_leaves_a_tombstone(google: Google, host: Any) -> None:
    event = insert(host)
    assert delete(host, event["id"]).execute() == ""
    assert get(host, event["id"])["status"] == "cancelled"
    assert google.refused(delete(host, event["id"]), 410, "deleted")["message"] == "Resource has been deleted"
    google.refused(patch(host, event["id"], {"summary": "x"}), 410, "deleted")
    assert host.events().list(calendarId="primary").execute()["items"] == []
    (shown,) = host.events().list(calendarId="primary", showDeleted=True).execute()["items"]
    assert set(shown) == {"kind", "etag", "id", "status"}
    google.refused(delete(host, "neverwas"), 404, "notFound")


def test_the_organizer_can_confirm_a_deleted_event_again(host: Any) -> None:
    event = insert(host)
    delete(host, event["id"]).execute()
    body = MEETING | {"status": "confirmed"}
    back = host.events().update(calendarId="primary", eventId=event["id"], body=body).execute()
    assert (back["status"], back["id"]) == ("confirmed", event["id"])


# --- guests


@pytest.fixture
def guest(google: Google) -> Any:
    return google.calendar(google.connect(GUEST))


def test_a_guests_copy_follows_the_organizers_and_carries_the_answer_back(guest: Any, host: Any) -> None:
    private = {"private": {"mine": "1"}, "shared": {"ours": "2"}}
    event = insert(host, {"attendees": [{"email": GUEST}], "extendedProperties": private})
    copy = get(guest, event["id"])
    assert (copy["iCalUID"], copy["organizer"]) == (event["iCalUID"], {"email": HOST})
    assert copy["attendees"] == [{"email": GUEST, "responseStatus": "needsAction", "self": True}]
    assert copy["extendedProperties"] == {"shared": {"ours": "2"}}

    patch(guest, event["id"], {"attendees": [{"email": GUEST, "responseStatus": "accepted"}]}).execute()
    assert get(host, event["id"])["attendees"][0]["responseStatus"] == "accepted"
    patch(host, event["id"], {"summary": "Moved on"}).execute()
    assert get(guest, event["id"])["summary"] == "Moved on"
    patch(host, event["id"], {"attendees": []}).execute()
    assert get(guest, event["id"])["status"] == "cancelled"


def test_a_hidden_guest_list_shows_each_guest_only_themselves(guest: Any, host: Any) -> None:
    guests = [{"email": GUEST}, {"email": OUTSIDER}]
    event = insert(host, {"attendees": guests, "guestsCanSeeOtherGuests": False})
    assert [one["email"] for one in get(guest, event["id"])["attendees"]] == [GUEST]
    assert len(get(host, event["id"])["attendees"]) == 2


def test_a_guest_cannot_change_what_belongs_to_the_organizer(google: Google, guest: Any, host: Any) -> None:
    event = insert(host, {"attendees": [{"email": GUEST}, {"email": OUTSIDER}]})
    for change in (
        {"summary": "Mine"},
        {"end": {"dateTime": "2026-06-15T21:00:00Z"}},
        {"attendees": [{"email": GUEST}]},
    ):
        google.refused(patch(guest, event["id"], change), 403, "forbiddenForNonOrganizer")
    own = patch(guest, event["id"], {"reminders": {"useDefault": False}, "transparency": "transparent"}).execute()
    assert own["transparency"] == "transparent"
    assert "transparency" not in get(host, event["id"])
    patch(host, event["id"], {"guestsCanModify": True}).execute()
    assert patch(guest, event["id"], {"summary": "Allowed"}).execute()["summary"] == "Allowed"


def test_a_guest_who_deletes_declines_and_a_host_who_deletes_cancels(google: Google, guest: Any, host: Any) -> None:
    first, second = (insert(host, {"attendees": [{"email": GUEST}]}) for _ in range(2))
    delete(guest, first["id"]).execute()
    assert get(host, first["id"])["attendees"][0]["responseStatus"] == "declined"
    google.refused(patch(guest, first["id"], {"status": "confirmed"}), 403, "forbidden")
    delete(host, second["id"]).execute()
    assert get(guest, second["id"])["status"] == "cancelled"


def test_with_more_than_200_guests_answers_no_longer_spread(guest: Any, host: Any) -> None:
    for others, spreads in ((199, True), (200, False)):
        crowd = [{"email": f"guest{number}@elsewhere.example"} for number in range(others)]
        event = insert(host, {"attendees": [{"email": GUEST}, *crowd]})
        answer = [{"email": GUEST, "responseStatus": "accepted"}, *crowd]
        patch(guest, event["id"], {"attendees": answer}).execute()
        assert (get(host, event["id"])["attendees"][0]["responseStatus"] == "accepted") is spreads


def test_mails_go_out_as_send_updates_says_and_by_default_not_at_all(google: Google, guest: Any, host: Any) -> None:
    assert guest is not None
    people = {"attendees": [{"email": GUEST}, {"email": OUTSIDER}]}

    def mailed(**params: Any) -> set[tuple[str, str]]:
        before = len(google.control("GET", "mails"))
        event = insert(host, people, **params)
        delete(host, event["id"], **params).execute()
        return {(mail["to"], mail["about"]) for mail in google.control("GET", "mails")[before:]}

    assert mailed() == set()
    assert mailed(sendUpdates="none") == set()
    assert mailed(sendUpdates="externalOnly") == {(OUTSIDER, "invitation"), (OUTSIDER, "cancellation")}
    assert mailed(sendUpdates="all") == {
        (to, about) for to in (GUEST, OUTSIDER) for about in ("invitation", "cancellation")
    }


def test_more_attendees_than_asked_for_are_left_out(host: Any) -> None:
    event = insert(host, {"attendees": [{"email": HOST}, {"email": GUEST}, {"email": OUTSIDER}]})
    found = host.events().get(calendarId="primary", eventId=event["id"], maxAttendees=1).execute()
    assert [guest["email"] for guest in found["attendees"]] == [HOST]
    assert found["attendeesOmitted"] is True


# --- properties, import, move, conferences, partial answers


def test_private_properties_are_found_by_exact_value(host: Any) -> None:
    one = insert(host, {"extendedProperties": {"private": {"meetingId": "M1", "generation": "1"}}})
    insert(host, {"extendedProperties": {"private": {"meetingId": "M2", "generation": "1"}}})

    def found(*pairs: str) -> list[str]:
        answer = host.events().list(calendarId="primary", privateExtendedProperty=list(pairs)).execute()
        return [item["id"] for item in answer["items"]]

    assert found("meetingId=M1") == [one["id"]]
    assert len(found("generation=1")) == 2
    assert found("generation=1", "meetingId=M1") == [one["id"]]
    assert found("meetingId=M") == []


def test_an_import_upserts_by_ical_uid_and_invites_nobody(google: Google, guest: Any, host: Any) -> None:
    body = MEETING | {"iCalUID": "outside@x", "organizer": {"email": OUTSIDER}, "attendees": [{"email": GUEST}]}
    first = host.events().import_(calendarId="primary", body=body).execute()
    second = host.events().import_(calendarId="primary", body=body | {"summary": "Again"}).execute()
    assert (second["id"], second["summary"]) == (first["id"], "Again")
    assert (first["organizer"], first["privateCopy"]) == ({"email": OUTSIDER}, True)
    assert guest.events().list(calendarId="primary").execute()["items"] == []
    delete(host, first["id"]).execute()
    assert host.events().import_(calendarId="primary", body=body).execute()["status"] == "confirmed"
    assert google.control("GET", "mails") == []


def test_a_moved_event_keeps_its_id_and_leaves_a_tombstone(google: Google, host: Any) -> None:
    second = host.calendars().insert(body={"summary": "Clients"}).execute()["id"]
    event = insert(host)
    moved = host.events().move(calendarId="primary", eventId=event["id"], destination=second).execute()
    assert (moved["id"], moved["organizer"]["email"]) == (event["id"], second)
    assert get(host, event["id"])["status"] == "cancelled"
    google.refused(host.events().move(calendarId=second, eventId=event["id"], destination=second), 400,
                   "cannotChangeOrganizerOfInstance")  # fmt: skip


def test_a_meet_conference_is_made_asynchronously_and_needs_version_1(google: Google, host: Any) -> None:
    key = {"type": "hangoutsMeet"}
    wanted = {"conferenceData": {"createRequest": {"requestId": "r1", "conferenceSolutionKey": key}}}
    assert "conferenceData" not in insert(host, wanted)
    google.control("POST", "clock", {"frozen": True})
    event = insert(host, wanted, conferenceDataVersion=1)
    assert event["conferenceData"]["createRequest"]["status"] == {"statusCode": "pending"}
    google.control("POST", "clock", {"advanceSeconds": 1})
    done = get(host, event["id"])
    assert done["conferenceData"]["createRequest"]["status"] == {"statusCode": "success"}
    assert done["hangoutLink"] == done["conferenceData"]["entryPoints"][0]["uri"]
    # Its completion is a change like any other.
    google.refused(matching(patch(host, event["id"], {"summary": "x"}), event["etag"]), 412, "conditionNotMet")

    repeated = patch(host, event["id"], wanted, conferenceDataVersion=1).execute()
    assert repeated["hangoutLink"] == done["hangoutLink"]
    assert patch(host, event["id"], {"conferenceData": None}).execute()["hangoutLink"] == done["hangoutLink"]
    gone = patch(host, event["id"], {"conferenceData": None}, conferenceDataVersion=1).execute()
    assert {"conferenceData", "hangoutLink"}.isdisjoint(gone)

    google.fault("conference_failure", times=1)
    event = insert(host, wanted, conferenceDataVersion=1)
    google.control("POST", "clock", {"advanceSeconds": 1})
    failed = get(host, event["id"])["conferenceData"]
    assert failed["createRequest"]["status"] == {"statusCode": "failure"}
    assert "entryPoints" not in failed


def test_a_reader_sees_no_private_details_and_cannot_write(google: Google, guest: Any, host: Any) -> None:
    google.control("POST", "shares", {"calendarId": HOST, "account": GUEST, "role": "reader"})
    insert(host, {"visibility": "private", "description": "Secret"})
    (seen,) = guest.events().list(calendarId=HOST).execute()["items"]
    assert {"summary", "description", "attendees"}.isdisjoint(seen)
    google.refused(guest.events().insert(calendarId=HOST, body=MEETING), 403, "requiredAccessLevel")
    google.control("POST", "shares", {"calendarId": HOST, "account": GUEST, "role": "freeBusyReader"})
    google.refused(guest.events().list(calendarId=HOST), 403, "requiredAccessLevel")


def test_fields_selects_a_part_of_the_answer(google: Google, host: Any) -> None:
    event = insert(host)
    found = host.events().list(calendarId="primary", fields="items(id,start/dateTime),nextSyncToken").execute()
    assert set(found) == {"items", "nextSyncToken"}
    assert found["items"] == [{"id": event["id"], "start": {"dateTime": "2026-06-15T15:00:00-04:00"}}]
    google.refused(host.events().list(calendarId="primary", fields="items(id"), 400, "invalidParameter")
