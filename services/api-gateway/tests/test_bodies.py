"""What a body may say: each limit, each refusal naming its field, and what is quietly put right."""

import json
import time
from typing import Any

import pytest

from tests.support.example import EXAMPLE
from tests.support.gateway import Gateway, body, signed

GUEST = {"email": "jane.roe@example.com"}


async def test_the_least_that_makes_a_meeting(api: Gateway) -> None:
    assert await api.details() == []
    (command,) = api.bus.commands
    assert command.content.title is None
    assert command.content.all_day is False
    assert command.invitees == []


@pytest.mark.parametrize("field", ["startDateTime", "endDateTime", "timezone", "locationType"])
@pytest.mark.parametrize("value", [..., None])
async def test_what_is_required(api: Gateway, field: str, value: Any) -> None:
    (detail,) = await api.details(**{field: value})
    assert detail.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("title", 255),
        ("description", 8000),
        ("internalNotes", 8000),
        ("meetingInformation", 8000),
        ("locationDetail", 2048),
        ("meetingPassword", 2048),
        ("meetingProvider", 2048),
    ],
)
async def test_texts_have_a_longest_length_in_characters(api: Gateway, field: str, longest: int) -> None:
    assert await api.details(**{field: "ñ" * longest}) == []
    (detail,) = await api.details(**{field: "ñ" * (longest + 1)})
    assert detail.startswith(f"{field}: ")
    assert "ñ" not in detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "a\nb"),
        ("title", "a\r\nBcc: everybody@example.com"),
        ("title", "a\tb"),
        ("title", "\x00"),
        ("title", "\x7f"),
        ("title", "\x85"),
        ("title", "\x9b31m"),
        ("title", "\x1b[31m"),
        ("description", "a\x00b"),
        ("description", "a\x0bb"),
        ("internalNotes", "\x08"),
        ("meetingInformation", "\x1b"),
        ("locationDetail", "a\nb"),
        ("meetingPassword", "a\nb"),
        ("meetingProvider", "a\rb"),
        ("meetingLink", "https://example.com/\r\nx"),
    ],
)
async def test_control_characters_are_refused(api: Gateway, field: str, value: str) -> None:
    (detail,) = await api.details(**{field: value})
    assert detail.startswith(f"{field}: must not contain control characters")


async def test_long_texts_may_have_lines_and_every_text_any_script(api: Gateway) -> None:
    lines = "First\r\n\tSecond\nThird"
    assert await api.details(description=lines, internalNotes=lines, meetingInformation=lines) == []
    assert await api.details(title="Revisión — 四半期 📈 \u200f") == []


@pytest.mark.parametrize("field", ["title", "description", "meetingLink", "meetingProvider", "timezone"])
@pytest.mark.parametrize("value", [7, True, ["text"], {"text": "text"}])
async def test_a_text_is_a_text(api: Gateway, field: str, value: Any) -> None:
    (detail,) = await api.details(**{field: value})
    assert detail.startswith(f"{field}: ")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "//example.com/",
        "example.com",
        "https://",
        "https:///path",
        "https://exa mple.com/",
        "http:example.com",
        "https://[::1",
        " https://example.com/",
        "https://user:secret@example.com/",
        "https://zoom.us@evil.example/",
        "https:\\\\example.com/",
        "https://example.com:65536/",
        "https://example.com/\u202egpj",
    ],
)
async def test_a_link_is_an_http_link(api: Gateway, link: str) -> None:
    (detail,) = await api.details(meetingLink=link)
    assert detail.startswith("meetingLink: ")


@pytest.mark.parametrize(
    "link", ["https://meet.google.com/abc-defg-hij", "HTTP://EXAMPLE.COM", "https://例え.jp/?q=1#x", "https://[::1]/"]
)
async def test_links_that_are_links(api: Gateway, link: str) -> None:
    assert await api.details(meetingLink=link) == []


async def test_the_scheme_of_a_link_is_written_in_lower_case(api: Gateway) -> None:
    assert await api.details(meetingLink="Https://zoom.us/J/1") == []
    assert api.bus.commands[0].content.meeting_link == "https://zoom.us/J/1"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("Jane@EXAMPLE.com", "Jane@example.com"),
        ("x@faß.de", "x@faß.de"),
        ("x@xn--fa-hia.de", "x@xn--fa-hia.de"),
        ("x@example。com", "x@example.com"),
        (" jane@example.com ", "jane@example.com"),
    ],
)
async def test_an_address_is_kept_as_it_was_written(api: Gateway, given: str, address: str) -> None:
    assert await api.details(externalAttendees=[{"email": given}]) == []
    assert api.bus.commands[0].invitees[0].email == address


@pytest.mark.parametrize("value", ["PHONE", "online", "", 1, None])
async def test_a_place_is_of_one_of_two_kinds(api: Gateway, value: Any) -> None:
    (detail,) = await api.details(locationType=value)
    assert detail.startswith("locationType: ")


@pytest.mark.parametrize("value", ["true", 1, "", 0])
async def test_all_day_is_true_or_false(api: Gateway, value: Any) -> None:
    (detail,) = await api.details(allDay=value)
    assert detail.startswith("allDay: ")


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["startDateTime", "endDateTime"])
@pytest.mark.parametrize(
    "value",
    [
        "2026-06-15T15:00:00Z",
        "2026-06-15T15:00:00+00:00",
        "2026-06-15T15:00:00-04:00",
        "2026-06-15T15:00:00z",
        "2026-06-15",
        "2026-06-15 15:00:00",
        "20260615T150000",
        "2026-06-31T15:00:00",
        "2026-06-15T24:00:00",
        "2026-06-15T15:60:00",
        "2026-06-15T15:00:60",
        "1899-12-31T15:00:00",
        "2200-01-01T15:00:00",
        "0000-01-01T00:00:00",
        "２０２６-06-15T15:00:00",
        "soon",
        "",
        1781535600,
        1781535600.5,
        True,
        ["2026-06-15T15:00:00"],
    ],
)
async def test_a_time_is_a_local_date_time(api: Gateway, field: str, value: Any) -> None:
    (detail,) = await api.details(**{field: value})
    assert detail.startswith(f"{field}: ")


@pytest.mark.parametrize("value", ["2026-06-15T14:59", "2026-06-15T14:59:59", "2026-06-15T14:59:59.123456"])
async def test_seconds_and_their_fractions_may_be_left_out(api: Gateway, value: str) -> None:
    assert await api.details(startDateTime=value) == []


@pytest.mark.parametrize(
    "zone", ["", "Chile", "america/santiago", "+02:00", "GMT+1", "../../etc/passwd", "/etc/passwd", "a" * 3000, "\x00"]
)
async def test_a_zone_is_a_name_of_the_iana_database(api: Gateway, zone: str) -> None:
    (detail,) = await api.details(timezone=zone)
    assert detail.startswith("timezone: ")


@pytest.mark.parametrize(
    "zone", ["America/Santiago", "UTC", "Europe/Oslo", "Asia/Kathmandu", "America/Argentina/Ushuaia"]
)
async def test_zones_of_the_iana_database(api: Gateway, zone: str) -> None:
    assert await api.details(timezone=zone) == []


@pytest.mark.parametrize(
    ("start", "end", "zone"),
    [
        pytest.param("2026-06-15T15:00:00", "2026-06-15T15:00:00", "UTC", id="no time at all"),
        pytest.param("2026-06-15T15:00:00", "2026-06-15T14:59:59", "UTC", id="backwards"),
        pytest.param("2026-06-15T15:00:00", "2027-06-16T15:00:01", "UTC", id="longer than 366 days"),
        pytest.param("2026-03-29T02:30:00", "2026-03-29T03:30:00", "Europe/Oslo", id="only in a skipped hour"),
    ],
)
async def test_the_end_is_after_the_start_as_instants(api: Gateway, start: str, end: str, zone: str) -> None:
    (detail,) = await api.details(startDateTime=start, endDateTime=end, timezone=zone)
    assert detail.startswith("endDateTime: must be ")


async def test_the_error_names_the_end_as_the_contract_says(api: Gateway) -> None:
    details = await api.details(endDateTime="2026-06-15T15:00:00")
    assert details == ["endDateTime: must be after startDateTime"]


# --- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["contactIds", "staffIds"])
@pytest.mark.parametrize("value", ["", "a b", "C/1", "C1\n", "é", "C" * 65, 7, None, "$ne", {"$ne": ""}])
async def test_an_id_is_at_most_64_plain_characters(api: Gateway, field: str, value: Any) -> None:
    (detail,) = await api.details(**{field: ["C1", value]})
    assert detail.startswith(f"{field}[1]: ")
    assert api.directory.asked == []


async def test_the_longest_id(api: Gateway) -> None:
    assert await api.details(contactIds=["C" * 64]) == []


async def test_each_person_is_asked_for_once_and_the_caller_never(api: Gateway) -> None:
    me = api.client.headers["x-user-id"]
    assert await api.details(contactIds=["C1", "C1"], staffIds=["TS1", me, "TS1"]) == []
    assert api.directory.asked == ["C1", "TS1"]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "jane",
        "jane@",
        "@example.com",
        "jane roe@example.com",
        "jane@exa mple.com",
        "jane@example.com\r\nBcc: all@example.com",
        "jane@example.com, all@example.com",
        "Jane <jane@example.com>",
        "jane@example..com",
        "a" * 65 + "@example.com",
        "jane@" + "a" * 250 + ".com",
        "josé@example.com",
        "jane@💩.la",
        "jane@example.com.",
        '"jane"@example.com',
        None,
        7,
        ...,
    ],
)
async def test_a_guest_has_an_address(api: Gateway, email: Any) -> None:
    guest = {} if email is ... else {"email": email}
    (detail,) = await api.details(externalAttendees=[GUEST, guest])
    assert detail.startswith("externalAttendees[1].email: ")


@pytest.mark.parametrize("language", ["FRENCH", "english", "", 1])
async def test_a_guest_speaks_a_language_we_have(api: Gateway, language: Any) -> None:
    (detail,) = await api.details(externalAttendees=[GUEST | {"language": language}])
    assert detail.startswith("externalAttendees[0].language: ")


@pytest.mark.parametrize("name", ["a" * 256, "Jane\nRoe", "Jane\x00"])
async def test_a_guests_name_is_one_line(api: Gateway, name: str) -> None:
    (detail,) = await api.details(externalAttendees=[GUEST | {"name": name}])
    assert detail.startswith("externalAttendees[0].name: ")


@pytest.mark.parametrize(
    ("country_code", "phone"),
    [
        ("+1", "5551234567"),  # the contract's example: possible, though 555 is not assigned
        ("1", "5551234567"),
        ("+1", "(555) 123-4567"),
        ("+56", "912345678"),
        ("+56", "9 1234 5678"),
        ("+47", "40.00.00.00"),
        (None, None),
    ],
)
async def test_a_possible_telephone_number(api: Gateway, country_code: str | None, phone: str | None) -> None:
    assert await api.details(externalAttendees=[GUEST | {"countryCode": country_code, "phone": phone}]) == []


@pytest.mark.parametrize(
    ("country_code", "phone", "field"),
    [
        ("+1", "555123", "phone"),
        ("+1", "55512345678901", "phone"),
        ("+999", "5551234567", "phone"),
        ("+1", None, "phone"),
        (None, "5551234567", "phone"),
        ("+1", "", "phone"),
        ("+1", "phone", "phone"),
        ("+1", "٥٥٥١٢٣٤٥٦٧", "phone"),
        ("+1", "5551234567;ext=1", "phone"),
        ("+1", "555\n1234567", "phone"),
        ("US", "5551234567", "countryCode"),
        ("++1", "5551234567", "countryCode"),
        ("+0", "5551234567", "countryCode"),
        ("+12345", "5551234567", "countryCode"),
        ("", "5551234567", "countryCode"),
    ],
)
async def test_no_possible_telephone_number(
    api: Gateway, country_code: str | None, phone: str | None, field: str
) -> None:
    (detail,) = await api.details(externalAttendees=[GUEST | {"countryCode": country_code, "phone": phone}])
    assert detail.startswith(f"externalAttendees[0].{field}: ")


async def test_more_than_500_people_are_not_even_looked_up(api: Gateway) -> None:
    me = api.client.headers["x-user-id"]
    contacts, colleagues = [f"C{number}" for number in range(400)], [f"TS{number}" for number in range(100)]
    assert await api.details(contactIds=contacts * 2, staffIds=[me, *colleagues]) == []
    assert len(api.directory.asked) == 500
    api.directory.asked.clear()
    details = await api.details(contactIds=contacts, staffIds=[me, *colleagues, "TS100"])
    assert details == ["participants: at most 500 are allowed"]
    assert api.directory.asked == []


@pytest.mark.parametrize(
    ("path", "field", "item"),
    [
        ("/api/v1/meetings", "externalAttendees", {"email": "x"}),
        ("/api/v1/meetings", "externalAttendees", {}),
        ("/api/v1/meetings", "contactIds", " "),
        ("/api/v1/meetings", "staffIds", 7),
        ("/api/v1/availability/check", "userUuids", " "),
        ("/api/v2/meetings", "filters", {}),
        ("/api/v2/meetings", "sort", 7),
    ],
)
async def test_a_list_that_is_too_long_is_refused_before_its_items_are_looked_at(
    api: Gateway, path: str, field: str, item: Any
) -> None:
    count = 250_000 // (len(json.dumps(item)) + 2)
    began = time.process_time()
    answer = await api.client.post(path, json=body() | {field: [item] * count})
    took = time.process_time() - began
    assert answer.status_code == 400
    assert [detail for detail in answer.json()["details"] if detail.startswith(field)] == [
        f"{field}: List should have at most {MAX_ITEMS[field]} items"
    ]
    assert took < 0.25, "seconds; looking at each item takes several times as long"


MAX_ITEMS = {
    "externalAttendees": 1000,
    "contactIds": 1000,
    "staffIds": 1000,
    "userUuids": 500,
    "filters": 50,
    "sort": 10,
}


# --- leniency -------------------------------------------------------------------------------------------------------


async def test_unknown_fields_are_ignored(api: Gateway) -> None:
    assert await api.details(hostUuid="TS-OTHER", status="CANCELED", nonsense={"deep": [1]}, __proto__=1) == []
    (command,) = api.bus.commands
    assert command.actor.user_id == api.client.headers["x-user-id"]


async def test_null_and_empty_texts_are_no_content_of_a_new_meeting(api: Gateway) -> None:
    empty = {"title": "", "description": None, "meetingLink": "", "meetingPassword": "", "allDay": None}
    assert await api.details(**empty, contactIds=None, staffIds=None, externalAttendees=None) == []
    content = api.bus.commands[0].content
    assert (content.title, content.description, content.meeting_link, content.meeting_password) == (None,) * 4


async def test_what_a_client_writes_into_internal_notes_is_dropped(api: Gateway) -> None:
    api.client.headers["x-user-type"] = "CLIENT"
    api.client.headers["Authorization"] = f"Bearer {signed({'userType': 'CLIENT'})}"
    assert await api.details(internalNotes="for staff") == []
    await api.client.put("/api/v1/meetings/M1", json={"internalNotes": "for staff", "title": "x"})
    created, updated = api.bus.commands
    assert created.content.internal_notes is None
    assert (updated.changes.internal_notes, updated.changes.title) == (None, "x")


@pytest.mark.parametrize("field", ["title", "description", "meetingLink", "locationDetail", "meetingPassword"])
async def test_an_update_tells_null_from_empty(api: Gateway, field: str) -> None:
    for value in (None, "", ...):
        given = {} if value is ... else {field: value}
        answer = await api.client.put("/api/v1/meetings/M1", json=given)
        assert answer.status_code == 200, answer.text
    unchanged, cleared, omitted = (command.changes.model_dump()[field] for command in api.bus.commands)
    assert (unchanged, cleared, omitted) == (None, "", None)


async def test_an_update_tells_no_list_from_an_empty_one(api: Gateway) -> None:
    await api.client.put("/api/v1/meetings/M1", json={"contactIds": None, "externalAttendees": []})
    (command,) = api.bus.commands
    assert (command.contacts, command.staff, command.externals) == (None, None, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "a\nb"),
        ("title", "a" * 256),
        ("startDateTime", "2026-06-15T15:00:00Z"),
        ("timezone", "Nowhere"),
        ("locationType", "PHONE"),
        ("meetingLink", "javascript:alert(1)"),
        ("allDay", "yes"),
        ("contactIds", ["a b"]),
        ("externalAttendees", [{"email": "jane"}]),
    ],
)
async def test_an_update_has_the_rules_of_a_create(api: Gateway, field: str, value: Any) -> None:
    answer = await api.client.put("/api/v1/meetings/M1", json={field: value})
    assert answer.status_code == 400
    assert answer.json()["details"][0].startswith(field)
    assert api.bus.commands == []


async def test_all_problems_are_told_at_once_and_none_repeats_what_was_sent(api: Gateway) -> None:
    details = await api.details(title="secret\n", timezone="secret", meetingLink="secret", contactIds=["secret!"])
    assert {detail.partition(":")[0] for detail in details} == {"title", "meetingLink", "contactIds[0]", "timezone"}
    assert not any("secret" in detail for detail in details)


async def test_the_example_of_the_contract_is_accepted_word_for_word(api: Gateway) -> None:
    answer = await api.client.post("/api/v1/meetings", content=EXAMPLE, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
