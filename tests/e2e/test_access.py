"""Who may see and do what: host, participant, outsider, another tenant; staff and clients; known and unknown people."""

from typing import Any

import httpx
import pytest

from tests.support.callers import MEETINGS, Caller, Json, done, path_of, refused
from tests.support.gateway import body

pytestmark = pytest.mark.e2e

ANA, LARS = "C019B9D0FD0E5772F9E8ED189895D40C4", "C019B9D1C20E47A6D94F71B85C3E6D012"
CAMILA, MARTA = "PS0199CA8F08C270B5A5B0DFD3B565B332", "TS019C066D93BC7E1FA4480D6E52C7B9A3"
NOWHERE = {"meetingUuid": "M019A16FF372A70B5A9307B00CE85E4DA"}

BODIES: dict[str, Any] = {
    "PUT /api/v1/meetings/{meetingUuid}": {"title": "Mine now"},
    "PUT /api/v1/meetings/{meetingUuid}/rsvp": {"status": "ACCEPTED"},
}
"""What an operation on a meeting is sent, where it needs a body."""


@pytest.fixture(scope="session")
async def operations(valentina: Caller) -> list[tuple[str, str]]:
    """Every operation on a meeting that needs a token, as the gateway describes itself."""
    description = done(await valentina.get("/openapi.json"))
    found = [
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if "{meetingUuid}" in path and operation.get("security")
    ]
    assert len(found) >= 4
    return found


async def call(caller: Caller, method: str, path: str, meeting: Json) -> httpx.Response:
    participant = next(iter(meeting.get("participants", [])), {"participantUuid": "MP019A16FF372A70B5A9307B00CE85E4DA"})
    at = path.replace("{meetingUuid}", meeting["meetingUuid"]).replace(
        "{participantUuid}", participant["participantUuid"]
    )
    given = BODIES.get(f"{method} {path}")
    return await caller.http.request(method, at, **({} if given is None else {"json": given}))


async def test_to_another_tenant_a_meeting_does_not_exist(
    valentina: Caller, ingrid: Caller, operations: list[tuple[str, str]]
) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    for method, path in operations:
        theirs, nobodys = await call(ingrid, method, path, meeting), await call(ingrid, method, path, NOWHERE)
        error, same = refused(theirs, 404, "BE0411"), refused(nobodys, 404, "BE0411")
        assert (error["message"], error["details"]) == (same["message"], same["details"]), (method, path)
    assert await valentina.sees(meeting) == meeting


async def test_to_an_outsider_of_the_tenant_a_meeting_is_closed(
    valentina: Caller, daniel: Caller, operations: list[tuple[str, str]]
) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    for method, path in operations:
        refused(await call(daniel, method, path, meeting), 403, "BE0403")
    assert await valentina.sees(meeting) == meeting


async def test_ones_own_token_with_another_tenants_header_is_403(
    valentina: Caller, ingrid: Caller, operations: list[tuple[str, str]]
) -> None:
    meeting = await valentina.creates()
    for method, path in operations:
        at = path.replace("{meetingUuid}", meeting["meetingUuid"]).replace("{participantUuid}", "MP1")
        headers = {"x-tenant-uuid": valentina.person.tenant_uuid}
        refused(await ingrid.http.request(method, at, headers=headers), 403, "BE0407")
    for method in ("GET", "POST"):
        answer = await ingrid.http.request(method, MEETINGS, headers={"x-tenant-uuid": valentina.person.tenant_uuid})
        refused(answer, 403, "BE0407")


async def test_lists_are_of_ones_own_tenant(valentina: Caller, ingrid: Caller) -> None:
    ours = await valentina.creates(startDateTime="2152-01-01T10:00:00", endDateTime="2152-01-01T11:00:00")
    theirs = await ingrid.creates(
        contactIds=[LARS], startDateTime="2152-01-01T10:00:00", endDateTime="2152-01-01T11:00:00"
    )
    listed = {one["meetingUuid"] for one in await ingrid.calendar()}
    assert theirs["meetingUuid"] in listed
    assert ours["meetingUuid"] not in listed
    assert theirs["meetingUuid"] not in {one["meetingUuid"] for one in await valentina.calendar()}


async def test_people_of_another_tenant_cannot_be_invited(valentina: Caller, ingrid: Caller) -> None:
    answer = await ingrid.post(MEETINGS, body(contactIds=[ANA, LARS], staffIds=[valentina.user_id, CAMILA]))
    error = refused(answer, 400, "BE0201")
    assert error["details"] == [
        f"contactIds: {ANA} is unknown",
        f"staffIds: {valentina.user_id} is unknown",
        f"staffIds: {CAMILA} is unknown",
    ]


async def test_only_the_host_may_change_what_participants_only_see(
    valentina: Caller, camila: Caller, ana: Caller
) -> None:
    meeting = await valentina.creates(contactIds=[ANA], staffIds=[CAMILA])
    for participant in (camila, ana):
        seen = await participant.sees(meeting)
        flags = ("canEdit", "canCancel", "canResend", "canRetrySync", "externalSyncFailureVisibleToViewer")
        assert [seen[flag] for flag in flags] == [False] * 5
        assert {one["canResend"] for one in seen["participants"]} == {False}
        refused(await participant.put(path_of(meeting), {"title": "Mine"}), 403, "BE0403")
        refused(await participant.post(f"{path_of(meeting)}/cancel"), 403, "BE0403")
        refused(await participant.delete(f"{path_of(meeting)}/calendar-visibility"), 409, "BE0421")
    await valentina.changes(meeting, title="Ours")
    await valentina.cancels(meeting)


async def test_who_is_removed_is_an_outsider_from_then_on(valentina: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    await ana.sees(meeting)
    await valentina.changes(meeting, contactIds=[])
    refused(await ana.get(path_of(meeting)), 403, "BE0403")
    assert meeting["meetingUuid"] not in {one["meetingUuid"] for one in await ana.calendar()}


async def test_internal_notes_are_for_staff_in_every_answer(valentina: Caller, camila: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(internalNotes="for staff", contactIds=[ANA], staffIds=[CAMILA])
    assert meeting["internalNotes"] == "for staff"
    assert (await camila.sees(meeting))["internalNotes"] == "for staff"
    assert (await ana.sees(meeting))["internalNotes"] is None
    own = await ana.creates(internalNotes="what a client writes here is dropped")
    assert own["internalNotes"] is None
    assert (await ana.changes(own, internalNotes="again", title="x"))["internalNotes"] is None
    assert (await ana.cancels(own))["internalNotes"] is None


@pytest.mark.parametrize(
    ("field", "one"),
    [
        ("contactIds", "C019B9D0FD0E5772F9E8ED1898950000"),
        ("staffIds", "TS019C06688AA57248B9EA5325DBD0000"),
        ("staffIds", "XX019C06688AA57248B9EA5325DBD0000"),
        pytest.param("staffIds", MARTA, id="a colleague who is no longer active"),
        pytest.param("staffIds", ANA, id="a contact among the staff"),
        pytest.param("contactIds", CAMILA, id="a colleague among the contacts"),
    ],
)
async def test_somebody_unknown_is_named(valentina: Caller, field: str, one: str) -> None:
    error = refused(await valentina.post(MEETINGS, body(**{field: [one]})), 400, "BE0201")
    assert error["details"] == [f"{field}: {one} is unknown"]
    meeting = await valentina.creates()
    error = refused(await valentina.put(path_of(meeting), {field: [one]}), 400, "BE0201")
    assert error["details"] == [f"{field}: {one} is unknown"]


@pytest.mark.parametrize("id_header", ["x-user-id", "x-user-type", "x-user-email"])
async def test_one_cannot_call_as_somebody_else(valentina: Caller, daniel: Caller, ana: Caller, id_header: str) -> None:
    meeting = await valentina.creates()
    claimed = {
        "x-user-id": valentina.user_id,
        "x-user-type": ana.person.user_type,
        "x-user-email": valentina.person.email,
    }
    answer = await daniel.http.get(path_of(meeting), headers={id_header: claimed[id_header]})
    refused(answer, 403, "BE0407")


async def test_without_a_token_or_headers_nothing_is_answered(
    valentina: Caller, gateway_url: str, operations: list[tuple[str, str]]
) -> None:
    meeting = await valentina.creates()
    person = valentina.person.headers
    async with httpx.AsyncClient(base_url=gateway_url, trust_env=False) as stranger:
        for method, path in [*operations, ("POST", MEETINGS), ("GET", MEETINGS)]:
            at = path.replace("{meetingUuid}", meeting["meetingUuid"]).replace("{participantUuid}", "MP1")
            refused(await stranger.request(method, at), 401, "BE0401")
            token = {"Authorization": person["Authorization"]}
            refused(await stranger.request(method, at, headers=token), 400, "BE0203")


async def test_a_contact_by_its_older_name_is_a_client(ana: Caller) -> None:
    answer = await ana.http.get(MEETINGS, headers={"x-user-type": "CONTACT"})
    assert answer.status_code == 200
