"""Finding meetings and free staff through the gateway, on the whole platform."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.support.callers import Caller, done, path_of, refused

pytestmark = pytest.mark.e2e

SEARCH = "/api/v2/meetings"
CHECK = "/api/v1/availability/check"
ANA = "C019B9D0FD0E5772F9E8ED189895D40C4"


def where(field: str, operator: str, **operands: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, **operands}


async def found(caller: Caller, *filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The page that a search finds."""
    answer = await caller.post(SEARCH, {"filters": list(filters), **more})
    page: dict[str, Any] = done(answer)
    assert list(page) == ["content", "page", "size", "totalElements", "totalPages"]
    return page


async def titles(caller: Caller, *filters: dict[str, Any], **more: Any) -> list[str]:
    return [one["title"] for one in (await found(caller, *filters, **more))["content"]]


async def availability(caller: Caller, people: list[str], start: str, end: str, zone: str | None = None) -> list[str]:
    """The statuses of these people in a window, after a check that the answer names them in the order asked."""
    window = {"userUuids": people, "startDateTime": start, "endDateTime": end, "timezone": zone}
    answers = done(await caller.post(CHECK, window))["availabilities"]
    assert [one["userUuid"] for one in answers] == people
    return [one["status"] for one in answers]


class Mark:
    """Meetings of one test: each title begins with a mark that no other has."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._mark = uuid4().hex
        self.mine = where("title", "STARTS_WITH", value=self._mark)

    async def create(self, title: str, **changes: Any) -> dict[str, Any]:
        return await self._caller.creates(title=f"{self._mark} {title}", **changes)

    async def titles(self, *filters: dict[str, Any], **more: Any) -> list[str]:
        """The titles found among the meetings of this test, without the mark."""
        return [one.removeprefix(f"{self._mark} ") for one in await titles(self._caller, self.mine, *filters, **more)]


async def test_text_is_found_in_any_case_and_taken_literally(valentina: Caller) -> None:
    mark = Mark(valentina)
    for title in ("Plan (a|b)", "plan .*", "PLAN $ École"):
        await mark.create(title)
    for operator, text, expected in (
        ("contains", "plan", {"Plan (a|b)", "plan .*", "PLAN $ École"}),
        ("CONTAINS", "(A|B)", {"Plan (a|b)"}),
        ("ENDS_WITH", ".*", {"plan .*"}),
        ("Ends_With", "éCOLE", {"PLAN $ École"}),
        ("CONTAINS", "p.*n", set()),
        ("CONTAINS", "plan $", {"PLAN $ École"}),
    ):
        assert set(await mark.titles(where("title", operator, value=text))) == expected, (operator, text)


async def test_pages_follow_each_other(valentina: Caller) -> None:
    mark = Mark(valentina)
    same_start = [mark.create(f"{number}") for number in range(7)]
    created = {meeting["meetingUuid"] for meeting in await asyncio.gather(*same_start)}
    for sort in (["startDateTime,asc"], ["startDateTime,desc"], ["status,asc", "allDay,desc"]):
        pages = [await found(valentina, mark.mine, sort=sort, page=page, size=3) for page in range(4)]
        assert [(page["page"], page["size"], page["totalElements"], page["totalPages"]) for page in pages] == [
            (number, 3, 7, 3) for number in range(4)
        ]
        seen = [one["meetingUuid"] for page in pages for one in page["content"]]
        assert len(seen) == 7
        assert set(seen) == created


async def test_wall_times_are_compared_as_given_and_sorted_as_instants(valentina: Caller) -> None:
    mark = Mark(valentina)
    await mark.create(
        "Tokyo", timezone="Asia/Tokyo", startDateTime="2026-06-16T09:00:00", endDateTime="2026-06-16T10:00:00"
    )
    await mark.create(
        "Lima", timezone="America/Lima", startDateTime="2026-06-15T20:00:00", endDateTime="2026-06-15T21:00:00"
    )
    after = where("startDateTime", "GREATER_THAN", value="2026-06-15T23:59:59")
    assert await mark.titles(after) == ["Tokyo"]
    assert await mark.titles(sort=["startDateTime,asc"]) == ["Tokyo", "Lima"]  # 00:00 and 01:00 in UTC


async def test_people_and_states_can_be_asked_about(valentina: Caller, daniel: Caller, ana: Caller) -> None:
    mark = Mark(valentina)
    guest = {"email": "jane.roe@example.com", "name": "Jane Roe"}
    alone = await mark.create("alone")
    await mark.create("with Ana", contactIds=[ANA], internalNotes="Ask about the house.")
    await mark.create("with all", contactIds=[ANA], staffIds=[daniel.user_id], externalAttendees=[guest])
    await valentina.cancels(alone)
    with_ana = where("participants.participantEntityUuid", "EQUALS", value=ANA)
    assert set(await mark.titles(with_ana)) == {"with Ana", "with all"}
    assert set(await mark.titles(where("participants.email", "NOT_EQUALS", value=guest["email"]))) == {
        "alone",
        "with Ana",
    }
    assert await mark.titles(where("participants.participantEntityUuid", "IS_NULL")) == ["with all"]
    assert await mark.titles(where("attendeeCount", "RANGE", min=1, max=2)) == ["with Ana"]
    assert await mark.titles(where("status", "EQUALS", value="CANCELED")) == ["alone"]
    noted = where("internalNotes", "CONTAINS", value="HOUSE")
    assert await mark.titles(noted) == ["with Ana"]
    assert await titles(ana, mark.mine, noted) == []
    assert len(await titles(ana, mark.mine, where("internalNotes", "IS_NULL"))) == 2
    assert len(await titles(daniel, mark.mine)) == 1


async def test_a_canceled_meeting_that_was_hidden_is_not_found(valentina: Caller) -> None:
    mark = Mark(valentina)
    meeting = await mark.create("hidden")
    await valentina.cancels(meeting)
    assert await mark.titles() == ["hidden"]
    assert (await valentina.delete(f"{path_of(meeting)}/calendar-visibility")).status_code == 204
    assert await mark.titles() == []


async def test_other_tenants_find_nothing(valentina: Caller, ingrid: Caller) -> None:
    mark = Mark(valentina)
    meeting = await mark.create("ours")
    by_id = where("meetingUuid", "EQUALS", value=meeting["meetingUuid"])
    assert await titles(valentina, by_id) == [meeting["title"]]
    assert await titles(ingrid, by_id) == []
    assert await titles(ingrid, where("tenantUuid", "EQUALS", value=valentina.person.tenant_uuid)) == []


async def test_a_wrong_search_is_400_with_what_would_be_right(valentina: Caller) -> None:
    answer = await valentina.post(SEARCH, {"filters": [where("status", "EQUALS", value="DONE")]})
    assert refused(answer, 400, "BE0201")["details"] == ["filters[0].value: must be one of ACTIVE, CANCELED"]


async def test_who_has_time(valentina: Caller, daniel: Caller, camila: Caller, ingrid: Caller) -> None:
    staff = [one.user_id for one in (valentina, daniel, camila, ingrid)]
    people = [*staff, ANA, "TS-NOBODY", staff[0]]
    day = {"startDateTime": "2031-03-10T10:00:00", "endDateTime": "2031-03-10T11:00:00", "timezone": "America/Lima"}
    free = ["AVAILABLE", "AVAILABLE", "AVAILABLE", "UNKNOWN", "UNKNOWN", "UNKNOWN", "AVAILABLE"]
    at_ten = ("2031-03-10T15:00:00", "2031-03-10T15:30:00")  # UTC
    assert await availability(valentina, people, *at_ten) == free
    meeting = await Mark(valentina).create("busy", staffIds=staff[1:3], contactIds=[ANA], **day)
    busy = ["BUSY", "BUSY", "BUSY", "UNKNOWN", "UNKNOWN", "UNKNOWN", "BUSY"]
    assert await availability(valentina, people, *at_ten) == busy
    assert await availability(valentina, people, "2031-03-10T09:00:00", "2031-03-10T10:00:00", "America/Lima") == free
    assert await availability(valentina, people, "2031-03-10T11:00:00", "2031-03-10T12:00:00", "America/Lima") == free
    done(await daniel.put(f"{path_of(meeting)}/rsvp", {"status": "DECLINED"}))
    declined = ["BUSY", "AVAILABLE", "BUSY", "UNKNOWN", "UNKNOWN", "UNKNOWN", "BUSY"]
    assert await availability(valentina, people, *at_ten) == declined
    await valentina.cancels(meeting)
    assert await availability(valentina, people, *at_ten) == free


async def test_a_whole_day_is_taken_in_the_meetings_own_zone(valentina: Caller) -> None:
    me = [valentina.user_id]
    await Mark(valentina).create(
        "holiday",
        allDay=True,
        startDateTime="2031-10-26T00:00:00",
        endDateTime="2031-10-26T23:59:59",
        timezone="Europe/Madrid",
    )
    # The clocks go back that day, so it has 25 hours: from 22:00 the day before to 23:00 in UTC.
    assert await availability(valentina, me, "2031-10-25T21:00:00", "2031-10-25T22:00:00") == ["AVAILABLE"]
    assert await availability(valentina, me, "2031-10-25T22:00:00", "2031-10-25T22:00:01") == ["BUSY"]
    assert await availability(valentina, me, "2031-10-26T22:59:59", "2031-10-26T23:30:00") == ["BUSY"]
    assert await availability(valentina, me, "2031-10-26T23:00:00", "2031-10-26T23:30:00") == ["AVAILABLE"]
