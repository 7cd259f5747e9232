"""How much one user and one address may ask, and what browsers are told with every answer."""

import httpx
import pytest
from api_gateway.adapters.http.services import AppServices
from api_gateway.bootstrap import assemble
from api_gateway.settings import Settings
from chassis.http.security_headers import HEADERS as SECURITY
from chassis.telemetry.health import Health
from pydantic import SecretStr

from tests.support.gateway import HEADERS, RSVP_TOKEN_KEYS, SECRET, Gateway, gateway, signed

MEETINGS = "/api/v1/meetings"
RESULT = "/api/v1/calendar/callback/success"


def check_wait(answer: httpx.Response) -> None:
    assert answer.status_code == 429
    assert answer.json()["errorCode"] == "BE0429"
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-correlation-id"]


async def test_a_user_may_ask_so_often_and_nobody_else_is_held_up_by_them() -> None:
    async with gateway(per_user=3) as api:
        for method, path in (("GET", MEETINGS), ("POST", f"{MEETINGS}/M1/cancel"), ("GET", f"{MEETINGS}/M1")):
            assert (await api.client.request(method, path)).status_code == 200
        check_wait(await api.client.get(MEETINGS))
        for claim, header in (("userUuid", "x-user-id"), ("tenantUuid", "x-tenant-uuid")):
            other = {"Authorization": f"Bearer {signed({claim: 'OTHER'})}", header: "OTHER"}
            assert (await api.client.get(MEETINGS, headers=other)).status_code == 200


async def test_who_only_claims_to_be_a_user_does_not_use_up_what_they_may_ask() -> None:
    async with gateway(per_user=1) as api:
        forged = {"Authorization": f"Bearer {signed(secret='another secret, as long as the right one')}"}
        for _ in range(3):
            assert (await api.client.get(MEETINGS, headers=forged)).status_code == 401
        assert (await api.client.get(MEETINGS)).status_code == 200


async def test_an_address_is_bounded_before_its_tokens_are_looked_at() -> None:
    async with gateway(per_address=3) as api:
        for _ in range(3):
            assert (await api.client.get(MEETINGS, headers={"Authorization": "Bearer a.b.c"})).status_code == 401
        check_wait(await api.client.get(MEETINGS, headers={"Authorization": "Bearer a.b.c"}))
        check_wait(await api.client.get(MEETINGS, headers={"X-Forwarded-For": "203.0.113.7"}))
        assert (await api.client.get(RESULT)).status_code == 200  # what is open to all is counted by itself


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", MEETINGS, 200),
        ("GET", "/nowhere", 404),
        ("PATCH", MEETINGS, 405),
        ("POST", MEETINGS, 415),
        ("GET", RESULT, 200),
        ("GET", "/docs", 200),
        ("GET", "/docs/filters", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 200),
    ],
)
async def test_every_answer_tells_browsers_to_be_careful(api: Gateway, method: str, path: str, status: int) -> None:
    answer = await api.client.request(method, path, content=b"x" if status == 415 else None)
    assert answer.status_code == status
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "frame-ancestors 'none'" in policies[0]
    others = SECURITY.items() - {("content-security-policy", SECURITY["content-security-policy"])}
    assert others <= dict(answer.headers).items()
    assert "server" not in answer.headers


async def test_a_fault_of_ours_is_careful_too(api: Gateway) -> None:
    api.core.outcome = RuntimeError("broken")
    answer = await api.client.get(MEETINGS)
    assert answer.status_code == 500
    assert SECURITY.items() <= dict(answer.headers).items()


PREFLIGHT = {
    "Origin": "https://app.example.com",
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization, x-tenant-uuid, if-match, idempotency-key, content-type",
}


async def test_without_the_setting_no_other_page_may_read_an_answer(api: Gateway) -> None:
    assert (await api.client.options(MEETINGS, headers=PREFLIGHT)).status_code == 405
    answer = await api.client.get(MEETINGS, headers={"Origin": "https://app.example.com"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_with_it_pages_of_these_origins_may_and_no_others() -> None:
    settings = Settings(
        jwt_hs256_secret=SecretStr(SECRET),
        internal_token=SecretStr("internal"),
        rsvp_token_keys=SecretStr(RSVP_TOKEN_KEYS),
        cors_origins="https://app.example.com, https://staff.example.com",
    )
    app = assemble(settings, Health(), AppServices(), lambda _app: pytest.fail("not started"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        asked = await client.options(MEETINGS, headers=PREFLIGHT)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == "https://app.example.com"
        assert {name.lower() for name in HEADERS} <= {
            name.strip().lower() for name in asked.headers["access-control-allow-headers"].split(",")
        }
        assert "access-control-allow-credentials" not in asked.headers
        refused = await client.get("/nowhere", headers={"Origin": "https://staff.example.com"})
        assert refused.headers["access-control-allow-origin"] == "https://staff.example.com"
        assert "etag" in refused.headers["access-control-expose-headers"].lower()
        for origin in ("https://evil.example.com", "null", "https://app.example.com.evil.example"):
            answer = await client.get("/nowhere", headers={"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers
            assert (await client.options(MEETINGS, headers=PREFLIGHT | {"Origin": origin})).status_code == 400
