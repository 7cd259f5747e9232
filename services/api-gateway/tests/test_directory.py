"""Who an id is, asked of a simulated platform over a socket with the caller's own authority."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from api_gateway.adapters.directory import HttpDirectory, as_contact
from api_gateway.domain.caller import Caller, identify
from contracts.api.errors import ApiError, ErrorCode
from contracts.values.enums import Language, ParticipantType
from simulators.common.serve import running
from simulators.platform import seed
from simulators.platform.app import create_app

from tests.support.gateway import CLAIMS, HEADERS, NAMES, SECRET, signed

ISSUED = {"iss": "simulated-platform"}  # what the simulated directory wants of a token


@pytest.fixture
def url() -> Iterator[str]:
    with running(create_app(SECRET)) as url:
        yield url


@pytest.fixture
async def platform(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the simulated platform; its control API makes faults and people."""
    async with httpx.AsyncClient(base_url=url, timeout=1, trust_env=False) as client:
        yield client


@pytest.fixture
def directory(platform: httpx.AsyncClient) -> HttpDirectory:
    return HttpDirectory(platform, cache_seconds=60, concurrency=4)


def caller(person: Any = seed.VALENTINA) -> Caller:
    said = {
        "tenantUuid": person.tenant_uuid,
        "userUuid": person.uuid,
        "username": person.username,
        "userType": person.user_type,
    }
    headers = dict(zip(HEADERS, (said[claim] for claim in CLAIMS), strict=True))
    return identify(headers | {"authorization": f"Bearer {signed(said | ISSUED)}"}, said, NAMES)


async def asked(platform: httpx.AsyncClient, operation: str) -> int:
    counts = (await platform.get("/_control/requests")).json()
    return sum(one["count"] for one in counts if one["operation"] == operation)


async def refusal(asking: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await asking
    return refused.value


async def test_people_are_who_the_directory_says(directory: HttpDirectory) -> None:
    ana, camila, daniel = await directory.people(caller(), [seed.ANA.uuid], [seed.CAMILA.uuid, seed.DANIEL.uuid])
    assert (ana.participant_type, ana.participant_entity_uuid) == (ParticipantType.CONTACT, seed.ANA.uuid)
    assert (ana.name, ana.email) == ("Ana María González Pérez", "ana.gonzalez@mail.example.com")
    assert ana.language is Language.SPANISH
    assert (ana.country_code, ana.phone) == (None, None)
    assert (camila.participant_type, daniel.participant_type) == (
        ParticipantType.PARTNER_STAFF,
        ParticipantType.TENANT_STAFF,
    )
    assert daniel.name == "Daniel Price"


@pytest.mark.parametrize(
    ("preferred", "primary", "address"),
    [
        (" ana@mail.example.com ", None, "ana@mail.example.com"),
        ("ana@mail.example.com\t\n", None, "ana@mail.example.com"),
        ("\u00a0ana@MAIL.example.com", None, "ana@mail.example.com"),
        ("Ana <ana@mail.example.com>", "ana@example.com", "ana@example.com"),
        ("n/a", "ana@faß.de", "ana@faß.de"),
        ("josé@example.com", "jose@example.com", "jose@example.com"),
        ("josé@example.com", None, "josé@example.com"),
        ("ana@example.com, b@example.com", "", None),
    ],
)
def test_addresses_of_the_directory_are_trimmed_and_checked(
    preferred: str, primary: str | None, address: str | None
) -> None:
    raw = json.dumps({"preferredEmail": preferred, "primaryEmail": primary}).encode()
    assert as_contact("C1", raw).email == address


async def test_a_contact_is_reached_at_the_preferred_address_else_the_primary_else_not_at_all(
    directory: HttpDirectory,
) -> None:
    john, pedro = await directory.people(caller(), [seed.JOHN.uuid, seed.PEDRO.uuid], [])
    assert (john.email, pedro.email) == ("john.whitfield@mail.example.com", None)


async def test_an_address_that_is_none_is_passed_over(platform: httpx.AsyncClient, directory: HttpDirectory) -> None:
    broken = seed.ANA.model_copy(update={"preferred_email": "ana@\r\nBcc: all@example.com"})
    body = {"contacts": [broken.model_dump(by_alias=True)]}
    assert (await platform.post("/_control/people", json=body)).status_code == 204
    (ana,) = await directory.people(caller(), [seed.ANA.uuid], [])
    assert ana.email == "ana.gonzalez@mail.example.com"


async def test_each_unknown_id_is_named(directory: HttpDirectory) -> None:
    contacts, staff = ["C-NOBODY", seed.ANA.uuid, seed.LARS.uuid], [seed.MARTA.uuid, seed.INGRID.uuid, "ADMIN"]
    refused = await refusal(directory.people(caller(), contacts, staff))
    assert refused.code is ErrorCode.VALIDATION_FAILED
    assert refused.details == [
        "contactIds: C-NOBODY is unknown",
        f"contactIds: {seed.LARS.uuid} is unknown",
        f"staffIds: {seed.MARTA.uuid} is unknown",
        f"staffIds: {seed.INGRID.uuid} is unknown",
        "staffIds: ADMIN is unknown",
    ]


async def test_what_one_caller_may_see_is_not_told_to_another(directory: HttpDirectory) -> None:
    await directory.people(caller(), [seed.ANA.uuid], [])
    assert (await refusal(directory.people(caller(seed.INGRID), [seed.ANA.uuid], []))).code is (
        ErrorCode.VALIDATION_FAILED
    )


async def test_the_same_person_is_asked_for_once(platform: httpx.AsyncClient, directory: HttpDirectory) -> None:
    for _ in range(3):
        await directory.people(caller(), [seed.ANA.uuid], [])
    assert await asked(platform, "contacts.get") == 1


async def test_callers_are_named_by_the_directory_or_their_address(directory: HttpDirectory) -> None:
    assert (await directory.actor(caller())).name == "Valentina Paz Rojas Fuentes"
    assert (await directory.actor(caller(seed.ANA))).name == "Ana María González Pérez"
    assert (await directory.actor(caller(seed.MARTA))).name == seed.MARTA.email  # no longer active
    assert (await directory.actor(caller())).language is Language.SPANISH


@pytest.mark.parametrize("fault", [{"kind": "error", "status": 500}, {"kind": "error", "status": 429}])
async def test_a_directory_that_fails_is_503(
    platform: httpx.AsyncClient, directory: HttpDirectory, fault: dict[str, Any]
) -> None:
    await platform.post("/_control/faults", json=fault)
    assert (await refusal(directory.people(caller(), [seed.ANA.uuid], []))).code is ErrorCode.SERVICE_UNAVAILABLE
    await platform.delete("/_control/faults")
    assert len(await directory.people(caller(), [seed.ANA.uuid], [])) == 1


async def test_a_directory_that_keeps_failing_is_left_in_peace(
    platform: httpx.AsyncClient, directory: HttpDirectory
) -> None:
    await platform.post("/_control/faults", json={"kind": "error", "status": 500})
    for number in range(20):
        one = directory.people(caller(), [f"C{number}"], [])
        assert (await refusal(one)).code is ErrorCode.SERVICE_UNAVAILABLE
    assert await asked(platform, "contacts.get") == 5


async def test_what_fails_for_one_caller_refuses_no_other(
    platform: httpx.AsyncClient, directory: HttpDirectory
) -> None:
    await platform.post("/_control/faults", json={"kind": "error", "status": 500})
    for number in range(20):
        assert (await refusal(directory.people(caller(), [f"C{number}"], []))).code is ErrorCode.SERVICE_UNAVAILABLE
    await platform.delete("/_control/faults")
    assert (await refusal(directory.people(caller(), [seed.ANA.uuid], []))).code is ErrorCode.SERVICE_UNAVAILABLE
    assert (await directory.actor(caller(seed.DANIEL))).name == "Daniel Price"
    assert (await directory.actor(caller(seed.INGRID))).name


async def test_one_tenants_many_look_ups_do_not_keep_out_anothers_few() -> None:
    """The directory answers nothing of the first tenant until the other has been answered."""
    answered = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["x-tenant-uuid"] == seed.INGRID.tenant_uuid:
            return httpx.Response(404)
        await answered.wait()
        return httpx.Response(404)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://directory") as http:
        directory = HttpDirectory(http, cache_seconds=60, concurrency=4)
        many = asyncio.create_task(refusal(directory.people(caller(), [f"C{number}" for number in range(100)], [])))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await refusal(directory.people(caller(seed.INGRID), ["C1"], []))
        answered.set()
        assert (await many).code is ErrorCode.VALIDATION_FAILED


async def test_an_unknown_id_is_no_failure_of_the_directory(
    platform: httpx.AsyncClient, directory: HttpDirectory
) -> None:
    for number in range(20):
        one = directory.people(caller(), [f"C{number}"], [])
        assert (await refusal(one)).code is ErrorCode.VALIDATION_FAILED
    assert len(await directory.people(caller(), [seed.ANA.uuid], [])) == 1


async def test_an_id_that_the_directory_calls_malformed_is_unknown(
    platform: httpx.AsyncClient, directory: HttpDirectory
) -> None:
    """Otherwise five ids that a caller invented would close the directory for everybody."""
    await platform.post("/_control/faults", json={"kind": "error", "status": 400, "operation": "contacts.get"})
    for number in range(6):
        one = directory.people(caller(), [f"C{number}"], [])
        assert (await refusal(one)).code is ErrorCode.VALIDATION_FAILED
    assert len(await directory.people(caller(), [], [seed.DANIEL.uuid])) == 1


async def test_a_token_that_the_directory_does_not_take_is_401(
    platform: httpx.AsyncClient, directory: HttpDirectory
) -> None:
    await platform.post("/_control/faults", json={"kind": "error", "status": 401})
    for _ in range(6):
        refused = await refusal(directory.people(caller(), [seed.ANA.uuid], []))
        assert refused.code is ErrorCode.AUTHENTICATION_REQUIRED
    await platform.delete("/_control/faults")
    assert len(await directory.people(caller(), [seed.ANA.uuid], [])) == 1
