"""Development tokens: the gateway takes them for what they say."""

import re
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from api_gateway.adapters.tokens import TokenVerifier
from api_gateway.domain.caller import ClaimNames, identify
from contracts.api.errors import ApiError
from contracts.values.enums import UserType
from contracts.values.times import utc_now
from meetings_cli.problem import Problem
from meetings_cli.settings import Settings
from meetings_cli.tokens import login_token, signed_token, token_of
from pydantic import SecretStr
from simulators.common.serve import running
from simulators.platform import seed
from simulators.platform.app import create_app

SECRET = "a secret of the tests that is long enough"
NAMES = ClaimNames("tenantUuid", "userUuid", "username", "userType", "partnerUuid")
RUN = {"people": [{"name": "Valentina Rojas", "token": "v"}, {"name": "Daniel Rojas", "token": "d"}]}


def token(settings: Settings, *, lifetime: timedelta = timedelta(hours=1)) -> str:
    return signed_token(
        settings,
        tenant="T1",
        user="TS1",
        email="host@example.com",
        user_type=UserType.TENANT_STAFF,
        partner=None,
        now=utc_now(),
        lifetime=lifetime,
    )


def verifier() -> TokenVerifier:
    return TokenVerifier(secret=SecretStr(SECRET), keys=None, issuer=None, audience=None, leeway=0)


async def test_the_gateway_takes_a_token_for_what_it_says(nowhere: Path) -> None:
    claims = await verifier().claims(token(Settings(jwt_hs256_secret=SecretStr(SECRET))))
    headers = {
        "x-tenant-uuid": "T1",
        "x-user-id": "TS1",
        "x-user-email": "host@example.com",
        "x-user-type": UserType.TENANT_STAFF.value,
    }
    assert identify(headers, claims, NAMES).user_id == "TS1"
    with pytest.raises(ApiError):
        identify(headers | {"x-user-id": "TS2"}, claims, NAMES)


async def test_a_token_ends(nowhere: Path) -> None:
    ended = token(Settings(jwt_hs256_secret=SecretStr(SECRET)), lifetime=timedelta(seconds=-1))
    with pytest.raises(ApiError):
        await verifier().claims(ended)


def test_claims_have_the_names_that_the_gateway_is_told(nowhere: Path) -> None:
    made = token(Settings(jwt_hs256_secret=SecretStr(SECRET), jwt_tenant_claim="org"))
    assert jwt.decode(made, SECRET, ["HS256"])["org"] == "T1"


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_there_is_no_token_without_a_secret(nowhere: Path, secret: str | None) -> None:
    settings = Settings(jwt_hs256_secret=None if secret is None else SecretStr(secret))
    with pytest.raises(Problem, match="JWT_HS256_SECRET"):
        token(settings)


def test_people_of_the_local_run_are_found_by_name() -> None:
    assert token_of(RUN, "valen") == "v"
    for name, why in (("Rojas", "Several people"), ("Zoe", "No person")):
        with pytest.raises(Problem, match=f"{why} called {re.escape(repr(name))}.*Valentina Rojas, Daniel Rojas"):
            token_of(RUN, name)
    with pytest.raises(Problem, match="make run"):
        token_of(None, "valen")


def test_beside_compose_the_login_gives_a_token() -> None:
    with running(create_app(SECRET)) as url:
        token = login_token(url, seed.VALENTINA.username, seed.PASSWORD)
        assert jwt.decode(token, SECRET, ["HS256"])["userUuid"] == seed.VALENTINA.uuid
        with pytest.raises(Problem, match="refuses 'unknown@example"):
            login_token(url, "unknown@example.com", seed.PASSWORD)
    with pytest.raises(Problem, match="does not answer"):
        login_token(url, seed.VALENTINA.username, seed.PASSWORD)
