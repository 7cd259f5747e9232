"""The life of a meeting through the gateway: create, read, change, cancel, hide, list."""

import asyncio
import json
import re
from typing import Any

import pytest

from tests.support.callers import MEETINGS, Caller, done, path_of, refused
from tests.support.example import EXAMPLE
from tests.support.gateway import body
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

FIELD = re.compile(r"\w+")
MEETING_FIELDS = frozenset(
    FIELD.findall(
        """meetingUuid tenantUuid title startDateTime endDateTime timezone allDay locationType locationDetail
    description internalNotes meetingInformation meetingLink meetingPassword meetingProvider status source
    hostUuid hostType hostName hostEmail createdByUuid createdByType createdAt updatedAt durationMinutes
    attendeeCount participants canEdit canCancel canResend canRemoveFromCalendar organizerEmail organizerName
    externallyOrganized showExternalCalendarIcon externalSyncStatus lastSyncOperation syncFailedAt
    syncFailureCode syncFailureReason canRetrySync externalSyncFailureVisibleToViewer"""
    )
)
SUMMARY_FIELDS = frozenset(
    FIELD.findall(
        """meetingUuid title startDateTime endDateTime timezone allDay locationType locationDetail meetingLink status
    source hostUuid hostName durationMinutes attendeeCount canEdit canCancel canResend canRemoveFromCalendar
    externallyOrganized showExternalCalendarIcon externalSyncStatus canRetrySync
    externalSyncFailureVisibleToViewer rsvpStatus createdAt updatedAt"""
    )
)
PARTICIPANT_FIELDS = frozenset(
    FIELD.findall(
        """participantUuid participantEntityUuid participantType email name language countryCode phone rsvpStatus
    canResend lastInvitationResentAt"""
    )
)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ANA, JOHN, PEDRO = (
    "C019B9D0FD0E5772F9E8ED189895D40C4",
    "C019B9D14C8A67F20B1D59E3A7F04826B",
    "C019B9D18B57F7C4A8E02D6F13B9A57C0",
)


async def test_the_example_of_the_contract_is_created_with_every_field(valentina: Caller) -> None:
    answer = await valentina.http.post(MEETINGS, content=EXAMPLE, headers={"Content-Type": "application/json"})
    meeting = done(answer, 201)
    assert set(meeting) == MEETING_FIELDS
    given = json.loads(EXAMPLE)
    for field in given.keys() - {"contactIds", "staffIds", "externalAttendees"}:
        assert meeting[field] == given[field], field
    person = valentina.person
    assert meeting["tenantUuid"] == person.tenant_uuid
    assert (meeting["hostUuid"], meeting["hostType"]) == (person.user_id, person.user_type)
    assert (meeting["createdByUuid"], meeting["createdByType"]) == (person.user_id, person.user_type)
    assert (meeting["hostEmail"], meeting["organizerEmail"]) == (person.email, None)
    assert (meeting["hostName"], meeting["organizerName"]) == ("Valentina Paz Rojas Fuentes", None)
    assert (meeting["status"], meeting["source"]) == ("ACTIVE", "INTERNAL")
    assert (meeting["durationMinutes"], meeting["attendeeCount"]) == (45, 3)
    assert (meeting["canEdit"], meeting["canCancel"], meeting["canRemoveFromCalendar"]) == (True, True, False)
    assert meeting["externalSyncStatus"] == "NOT_APPLICABLE"
    assert (meeting["externallyOrganized"], meeting["showExternalCalendarIcon"]) == (False, False)
    for field in ("lastSyncOperation", "syncFailedAt", "syncFailureCode", "syncFailureReason", "meetingInformation"):
        assert meeting[field] is None
    assert INSTANT.fullmatch(meeting["createdAt"])
    assert INSTANT.fullmatch(meeting["updatedAt"])
    assert re.fullmatch("M[0-9A-F]{32}", meeting["meetingUuid"])
    contact, staff, guest = meeting["participants"]
    for one in meeting["participants"]:
        assert set(one) >= PARTICIPANT_FIELDS
        assert re.fullmatch("MP[0-9A-F]{32}", one["participantUuid"])
        assert one["rsvpStatus"] == "UNKNOWN"
    assert (contact["participantEntityUuid"], contact["participantType"]) == (ANA, "CONTACT")
    assert (contact["email"], contact["language"]) == ("ana.gonzalez@mail.example.com", None)
    assert contact["name"] == "Ana María González Pérez"
    assert (staff["participantEntityUuid"], staff["participantType"]) == (given["staffIds"][0], "PARTNER_STAFF")
    assert (guest["participantEntityUuid"], guest["participantType"]) == (None, "EXTERNAL")
    assert {name: guest[name] for name in given["externalAttendees"][0]} == given["externalAttendees"][0]
    assert answer.headers["etag"] == '"1"'


async def test_a_meeting_is_read_as_it_was_answered(valentina: Caller) -> None:
    created = await valentina.creates(contactIds=[ANA], externalAttendees=[{"email": "jane.roe@example.com"}])
    assert await valentina.sees(created) == created


async def test_times_are_returned_as_given_and_lengths_are_real(valentina: Caller) -> None:
    meeting = await valentina.creates(
        startDateTime="2026-10-25T01:00:00", endDateTime="2026-10-25T04:00:00", timezone="Europe/Oslo"
    )
    assert (meeting["startDateTime"], meeting["endDateTime"]) == ("2026-10-25T01:00:00", "2026-10-25T04:00:00")
    assert meeting["durationMinutes"] == 240
    all_day = await valentina.creates(
        startDateTime="2026-06-15T09:00:00", endDateTime="2026-06-16T23:59:59", allDay=True
    )
    assert (all_day["startDateTime"], all_day["endDateTime"]) == ("2026-06-15T09:00:00", "2026-06-16T23:59:59")
    assert all_day["durationMinutes"] == 2 * 24 * 60


async def test_an_update_changes_what_it_names_and_is_seen_by_all(valentina: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(title="Before", description="Stays", contactIds=[ANA])
    changed = await valentina.changes(meeting, title="After", description=None)
    assert (changed["title"], changed["description"]) == ("After", "Stays")
    assert changed["updatedAt"] > meeting["updatedAt"]
    assert {**changed, "title": "Before", "updatedAt": meeting["updatedAt"]} == meeting
    assert (await ana.sees(meeting))["title"] == "After"


async def test_an_update_of_nothing_is_no_new_version(valentina: Caller) -> None:
    meeting = await valentina.creates(title="Same")
    answer = await valentina.put(path_of(meeting), {"title": "Same", "contactIds": [], "unknown": 1})
    assert done(answer) == meeting
    assert answer.headers["etag"] == '"1"'


async def test_people_are_replaced_by_kind_and_who_stays_stays_the_same(valentina: Caller) -> None:
    guest = {"email": "jane.roe@example.com", "name": "Jane Roe"}
    meeting = await valentina.creates(contactIds=[ANA, JOHN], externalAttendees=[guest])
    before = {one["email"]: one["participantUuid"] for one in meeting["participants"]}
    changed = await valentina.changes(meeting, contactIds=[PEDRO, ANA])
    after = {one["participantEntityUuid"]: one for one in changed["participants"]}
    assert set(after) == {PEDRO, ANA, None}
    assert after[ANA]["participantUuid"] == before["ana.gonzalez@mail.example.com"]
    assert after[None]["participantUuid"] == before["jane.roe@example.com"]
    assert (after[PEDRO]["email"], after[PEDRO]["canResend"]) == (None, False)


async def test_a_guest_who_cannot_be_mailed_is_visible_as_such(valentina: Caller) -> None:
    meeting = await valentina.creates(contactIds=[PEDRO])

    async def failure() -> str | None:
        [guest] = (await valentina.sees(meeting))["participants"]
        code: str | None = guest["deliveryFailureCode"]
        return code

    assert await until(failure, what="the failed delivery") == "ADDRESS_REJECTED"


async def test_whoever_is_the_same_person_is_one_participant(valentina: Caller) -> None:
    meeting = await valentina.creates(
        contactIds=[ANA, ANA],
        staffIds=[valentina.user_id],
        externalAttendees=[
            {"email": "Jane.Roe@example.com"},
            {"email": "jane.roe@EXAMPLE.com"},
            {"email": "ANA.GONZALEZ@mail.example.com"},
            {"email": valentina.person.email.upper()},
        ],
    )
    assert [one["participantType"] for one in meeting["participants"]] == ["CONTACT", "EXTERNAL"]
    assert meeting["attendeeCount"] == 2


@pytest.mark.parametrize(("guests", "status"), [(500, 201), (501, 400)])
async def test_at_most_500_participants(valentina: Caller, guests: int, status: int) -> None:
    people = [{"email": f"guest{number}@example.com"} for number in range(guests)]
    answer = await valentina.post(MEETINGS, body(externalAttendees=people))
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["details"] == ["participants: at most 500 are allowed"]


async def test_canceled_is_the_end(valentina: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    canceled = await valentina.cancels(meeting)
    assert canceled["status"] == "CANCELED"
    assert (canceled["canEdit"], canceled["canCancel"], canceled["canRemoveFromCalendar"]) == (False, False, True)
    refused(await valentina.put(path_of(meeting), {"title": "New"}), 409, "BE0420")
    refused(await valentina.post(f"{path_of(meeting)}/cancel"), 409, "BE0420")
    assert (await ana.sees(meeting))["status"] == "CANCELED"


async def test_hiding_takes_a_canceled_meeting_off_the_callers_list_alone(valentina: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    hidden = f"{path_of(meeting)}/calendar-visibility"
    refused(await ana.delete(hidden), 409, "BE0421")
    await valentina.cancels(meeting)
    for _ in range(2):
        answer = await ana.delete(hidden)
        assert (answer.status_code, answer.content) == (204, b"")
    listed = [one["meetingUuid"] for one in await ana.calendar()]
    assert meeting["meetingUuid"] not in listed
    assert meeting["meetingUuid"] in [one["meetingUuid"] for one in await valentina.calendar()]
    assert (await ana.sees(meeting))["canRemoveFromCalendar"] is False


async def test_a_list_is_paged_newest_start_first_and_in_summary_form(camila: Caller) -> None:
    before = done(await camila.get(MEETINGS))["totalElements"]
    created = [
        await camila.creates(
            title=f"Paged {day}", startDateTime=f"2150-06-{day:02d}T10:00:00", endDateTime=f"2150-06-{day:02d}T11:00:00"
        )
        for day in (3, 1, 2)
    ]
    pages = [done(await camila.get(MEETINGS, page=number, size=2)) for number in (0, 1)]
    for number, page in enumerate(pages):
        assert list(page) == ["content", "page", "size", "totalElements", "totalPages"]
        assert (page["page"], page["size"], page["totalElements"]) == (number, 2, before + 3)
        assert page["totalPages"] == -(-(before + 3) // 2)
    content = [*pages[0]["content"], *pages[1]["content"]]
    everything = await camila.calendar()
    assert content == everything[:4]
    ours = [meeting["meetingUuid"] for meeting in created]
    assert [one["title"] for one in everything if one["meetingUuid"] in ours] == ["Paged 3", "Paged 2", "Paged 1"]
    assert [one["startDateTime"] for one in content] == sorted((one["startDateTime"] for one in content), reverse=True)
    for summary in content:
        assert set(summary) == SUMMARY_FIELDS
    shared = SUMMARY_FIELDS - {"rsvpStatus"}
    (summary,) = [one for one in everything if one["meetingUuid"] == ours[0]]
    assert {name: summary[name] for name in shared} == {name: created[0][name] for name in shared}
    assert summary["rsvpStatus"] is None
    beyond = done(await camila.get(MEETINGS, page=10_000, size=100))
    assert (beyond["content"], beyond["totalElements"]) == ([], before + 3)


@pytest.mark.parametrize("parameters", [{"size": 0}, {"size": 101}, {"page": -1}, {"page": "first"}])
async def test_paging_has_bounds(valentina: Caller, parameters: dict[str, Any]) -> None:
    refused(await valentina.get(MEETINGS, **parameters), 400, "BE0201")


async def test_a_list_holds_what_one_hosts_and_what_one_is_invited_to(
    valentina: Caller, daniel: Caller, ana: Caller
) -> None:
    meeting = await valentina.creates(
        contactIds=[ANA], startDateTime="2151-01-01T10:00:00", endDateTime="2151-01-01T11:00:00"
    )
    lists = await asyncio.gather(*(one.calendar() for one in (valentina, daniel, ana)))
    on = [any(one["meetingUuid"] == meeting["meetingUuid"] for one in listed) for listed in lists]
    assert on == [True, False, True]
    (hers,) = [one for one in lists[2] if one["meetingUuid"] == meeting["meetingUuid"]]
    assert (hers["rsvpStatus"], hers["canEdit"], hers["hostUuid"]) == ("UNKNOWN", False, valentina.user_id)
