"""The simulated platform over a socket: login, keys, directory, control."""

from collections.abc import Iterator

import httpx
import jwt
import pytest
from simulators.common.serve import running
from simulators.platform import seed
from simulators.platform.app import create_app

SECRET = "a secret for this test, long enough for HS256"


@pytest.fixture
def platform() -> Iterator[httpx.Client]:
    with running(create_app(SECRET)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def login(platform: httpx.Client, username: str, **more: str) -> dict[str, str]:
    answer = platform.post("/api/auth/login", json={"username": username, "password": seed.PASSWORD, **more})
    assert answer.status_code == 200, answer.text
    fields: dict[str, str] = answer.json()
    return fields


def headers_of(login: dict[str, str]) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {login['token']}",
        "x-tenant-uuid": login["tenantUuid"],
        "x-user-id": login["userUuid"],
        "x-user-email": login["username"],
        "x-user-type": login["userType"],
    }


def assert_standard_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"errorCode", "message", "status", "path", "timestamp", "details"}
    assert body["status"] == status
    assert body["path"] == answer.request.url.path


def test_login_signs_the_claims_that_the_gateway_reads_for_one_day(platform: httpx.Client) -> None:
    answer = login(platform, "Valentina.Rojas@andes.example.com")
    claims = jwt.decode(answer["token"], SECRET, ["HS256"], issuer="simulated-platform")
    assert claims["tenantUuid"] == "T019A16FF372A70B5A9307B00CE85E4DA"
    assert claims["userUuid"] == "TS019C06688AA57248B9EA5325DBDFC48E"
    assert claims["username"] == "valentina.rojas@andes.example.com"
    assert claims["userType"] == "TENANT_STAFF"
    assert claims["tenantCode"] == "ANDES"
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert "partnerUuid" not in claims


def test_partner_staff_and_clients_log_in_as_what_they_are(platform: httpx.Client) -> None:
    partner = login(platform, seed.CAMILA.user_email)
    claims = jwt.decode(partner["token"], SECRET, ["HS256"])
    assert (claims["userType"], claims["partnerUuid"]) == ("PARTNER_STAFF", seed.CAMILA.partner_uuid)
    assert claims["userUuid"] == "PS0199CA8F08C270B5A5B0DFD3B565B332"
    client = login(platform, "ana.gonzalez@mail.example.com")
    assert (client["userType"], client["userUuid"]) == ("CLIENT", "C019B9D0FD0E5772F9E8ED189895D40C4")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_tokens_with_key_pairs_verify_against_the_jwks(platform: httpx.Client, algorithm: str) -> None:
    answer = login(platform, seed.DANIEL.user_email, algorithm=algorithm)
    keys = jwt.PyJWKSet.from_dict(platform.get("/.well-known/jwks.json").json())
    key = keys[jwt.get_unverified_header(answer["token"])["kid"]]
    assert jwt.decode(answer["token"], key.key, [algorithm])["userUuid"] == seed.DANIEL.uuid
    found = platform.get(f"/api/contacts/{seed.ANA.uuid}", headers=headers_of(answer))
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("valentina.rojas@andes.example.com", "wrong"),
        ("nobody@andes.example.com", "demo"),
        ("marta.soto@andes.example.com", "demo"),  # inactive
    ],
)
def test_login_refuses_wrong_passwords_strangers_and_inactive_people(
    platform: httpx.Client, username: str, password: str
) -> None:
    answer = platform.post("/api/auth/login", json={"username": username, "password": password})
    assert_standard_error(answer, 401)


def test_login_without_a_password_is_400_with_details(platform: httpx.Client) -> None:
    answer = platform.post("/api/auth/login", json={"username": "x"})
    assert_standard_error(answer, 400)
    assert answer.json()["details"] == ["password: Field required"]


def test_the_directory_shows_contacts_and_staff_in_the_platforms_field_names(platform: httpx.Client) -> None:
    headers = headers_of(login(platform, seed.VALENTINA.user_email))
    contact = platform.get("/api/contacts/C019B9D0FD0E5772F9E8ED189895D40C4", headers=headers).json()
    assert contact["preferredEmail"] == "ana.gonzalez@mail.example.com"
    assert contact["preferredContactLanguage"] == "SPANISH"
    assert contact["preferredPhoneNumber"] == {"countryCode": "+56", "number": "912345678"}
    staff = platform.get("/api/tenant-staff/PS0199CA8F08C270B5A5B0DFD3B565B332", headers=headers).json()
    assert staff["tenantStaffUuid"] == "PS0199CA8F08C270B5A5B0DFD3B565B332"
    assert staff["timeZone"] == "America/Bogota"
    assert staff["isActive"] is True
    assert platform.get(f"/api/tenant-staff/{seed.MARTA.uuid}", headers=headers).json()["isActive"] is False
    without_mail = platform.get(f"/api/contacts/{seed.PEDRO.uuid}", headers=headers).json()
    assert without_mail["preferredEmail"] is None
    assert without_mail["primaryEmail"] is None


def test_people_of_another_tenant_do_not_exist(platform: httpx.Client) -> None:
    headers = headers_of(login(platform, seed.INGRID.user_email))
    assert platform.get(f"/api/contacts/{seed.LARS.uuid}", headers=headers).status_code == 200
    assert_standard_error(platform.get(f"/api/contacts/{seed.ANA.uuid}", headers=headers), 404)
    assert_standard_error(platform.get(f"/api/tenant-staff/{seed.DANIEL.uuid}", headers=headers), 404)


def test_the_directory_checks_token_and_headers(platform: httpx.Client) -> None:
    path = f"/api/contacts/{seed.ANA.uuid}"
    good = headers_of(login(platform, seed.VALENTINA.user_email))
    claims = jwt.decode(good["Authorization"].removeprefix("Bearer "), SECRET, ["HS256"])
    forged = jwt.encode(claims, "another secret, also long enough for it", "HS256")
    expired = jwt.encode(claims | {"exp": claims["iat"] - 1}, SECRET, "HS256")
    unsigned = jwt.encode(claims, "", "none")
    for bad in (
        "",
        "Bearer",
        "Basic eDp5",
        "Bearer nonsense",
        f"Bearer {forged}",
        f"Bearer {expired}",
        f"Bearer {unsigned}",
    ):
        assert_standard_error(platform.get(path, headers=good | {"Authorization": bad}), 401)
    assert_standard_error(platform.get(path, headers=good | {"x-tenant-uuid": seed.FJORD.tenant_uuid}), 403)
    without_type = {name: value for name, value in good.items() if name != "x-user-type"}
    assert_standard_error(platform.get(path, headers=without_type), 400)
    assert_standard_error(platform.get("/api/nothing", headers=good), 404)


def test_the_public_key_is_no_shared_secret(platform: httpx.Client) -> None:
    """Key confusion (RFC 8725, section 2.1): a token signed HS256 with the public RSA key must not pass."""
    answer = login(platform, seed.VALENTINA.user_email, algorithm="RS256")
    jwk = platform.get("/.well-known/jwks.json").json()["keys"][0]
    claims = jwt.decode(answer["token"], options={"verify_signature": False})
    forged = jwt.encode(claims, jwk["n"], "HS256", headers={"kid": jwk["kid"]})
    headers = headers_of(answer) | {"Authorization": f"Bearer {forged}"}
    assert_standard_error(platform.get(f"/api/contacts/{seed.ANA.uuid}", headers=headers), 401)


def test_scripted_faults_strike_as_often_as_told_and_requests_are_counted(platform: httpx.Client) -> None:
    headers = headers_of(login(platform, seed.VALENTINA.user_email))
    fault = {"kind": "error", "operation": "contacts.*", "status": 503, "retryAfter": 2, "times": 1}
    assert platform.post("/_control/faults", json=fault).status_code == 201
    path = f"/api/contacts/{seed.ANA.uuid}"
    struck = platform.get(path, headers=headers)
    assert_standard_error(struck, 503)
    assert struck.headers["retry-after"] == "2"
    assert platform.get(path, headers=headers).status_code == 200
    counts = {(each["operation"], each["status"]): each["count"] for each in platform.get("/_control/requests").json()}
    assert counts == {("login", 200): 1, ("contacts.get", 503): 1, ("contacts.get", 200): 1}


def test_a_fault_may_strike_one_tenant_alone(platform: httpx.Client) -> None:
    own, other = (headers_of(login(platform, one.user_email)) for one in (seed.VALENTINA, seed.INGRID))
    fault = {"kind": "error", "account": other["x-tenant-uuid"], "status": 503}
    assert platform.post("/_control/faults", json=fault).status_code == 201
    path = f"/api/contacts/{seed.ANA.uuid}"
    assert platform.get(path, headers=own).status_code == 200
    assert_standard_error(platform.get(path, headers=other), 503)


def test_tests_can_add_people(platform: httpx.Client) -> None:
    newcomer = seed.JOHN.model_copy(update={"contact_uuid": "C" + "7" * 32, "first_name": "Joan"})
    added = platform.post("/_control/people", json={"contacts": [newcomer.model_dump(by_alias=True)]})
    assert added.status_code == 204, added.text
    headers = headers_of(login(platform, seed.VALENTINA.user_email))
    assert platform.get(f"/api/contacts/{newcomer.uuid}", headers=headers).json()["firstName"] == "Joan"
    everybody = platform.get("/_control/people").json()
    assert newcomer.uuid in [contact["contactUuid"] for contact in everybody["contacts"]]
    assert len(everybody["staff"]) == len(seed.STAFF)
