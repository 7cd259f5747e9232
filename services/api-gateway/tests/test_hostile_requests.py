"""Whatever stands in a token, a header or a parameter, the gateway answers as it would any caller."""

import base64
import hashlib
import hmac
import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from api_gateway.adapters.pages.rendering import language_of
from api_gateway.adapters.tokens import TokenVerifier
from api_gateway.domain.caller import Caller, identify
from contracts.api.calendar import AuthorizationOutcome, AuthorizationResult
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.replies import Outcome, Reply
from contracts.values.enums import Language
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.gateway import CLAIMS, HEADERS, NAMES, SECRET, gateway, signed

MEETING = "/api/v1/meetings/M1"
CALLBACK = "/api/v1/calendar/callback"
UNTIMED = settings(deadline=None)  # a busy machine is no failure
FEWER = settings(UNTIMED, max_examples=40)  # for whole requests

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
HUGE = st.sampled_from([10**400, -(10**400), "9" * 10_000, [[[[]]]] * 100, {"$gt": ""}, 1e308, float("inf")])
CLAIM = JSON | HUGE
HEADER_BYTES = st.binary(max_size=300).map(lambda raw: raw.translate(None, b"\r\n\0"))
"""All that can stand in a header: what a server does not take reaches nobody."""

VERIFIER = TokenVerifier(secret=SecretStr(SECRET), keys=None, issuer=None, audience=None, leeway=0)


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def handmade(header: Any, claims: Any) -> str:
    """A token with any header and any claims, rightly signed."""
    said = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{said}.{part(hmac.digest(SECRET.encode(), said.encode(), hashlib.sha256))}"


async def claims_of(token: str) -> dict[str, Any] | None:
    """None when it is refused with 401."""
    try:
        return await VERIFIER.claims(token)
    except ApiError as refusal:
        if refusal.code is ErrorCode.AUTHENTICATION_REQUIRED:
            return None
        raise


@UNTIMED
@given(st.text(max_size=200) | st.text(".-_=abcXYZ0129", max_size=200))
@example("." * 10_000)
@example("a" * 200_000)
async def test_what_is_no_token_is_refused(token: str) -> None:
    assert await claims_of(token) is None


@UNTIMED
@given(header=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5u"]), CLAIM) | JSON)
async def test_no_header_but_a_plain_one_makes_a_signed_token_hold(header: Any) -> None:
    held = await claims_of(handmade(header, CLAIMS | {"exp": time.time() + 60}))
    assert held is None or header["alg"] == "HS256"


@UNTIMED
@given(claims=JSON)
async def test_what_is_no_set_of_claims_is_refused(claims: Any) -> None:
    assert await claims_of(handmade({"alg": "HS256"}, claims)) is None


@UNTIMED
@given(
    claims=st.dictionaries(
        st.sampled_from([*CLAIMS, "partnerUuid", "exp", "nbf", "iat", "iss", "aud", "sub", "jti"]), CLAIM, max_size=6
    )
)
async def test_claims_of_any_type_prove_the_caller_or_nothing(claims: dict[str, Any]) -> None:
    held = await claims_of(handmade({"alg": "HS256"}, CLAIMS | {"exp": time.time() + 60} | claims))
    if held is not None:
        told = {name for name in claims.keys() & CLAIMS.keys() if claims[name] != CLAIMS[name]}
        assert known(HEADERS, held) is None or not told


LATIN = st.text(st.characters(max_codepoint=255), max_size=300)
"""Headers as servers hand them over."""


@UNTIMED
@given(headers=st.dictionaries(st.sampled_from([*HEADERS, "x-partner-uuid"]), LATIN), claims=CLAIM)
async def test_headers_of_any_content_name_the_proved_caller_or_nobody(headers: dict[str, str], claims: Any) -> None:
    caller = known(HEADERS | headers, CLAIMS | {"partnerUuid": claims})
    assert caller is None or (caller.tenant_uuid, caller.user_id) == (CLAIMS["tenantUuid"], CLAIMS["userUuid"])


def known(headers: dict[str, str], claims: dict[str, Any]) -> Caller | None:
    with suppress(ApiError):
        return identify(headers, claims, NAMES)
    return None


def sane(answer: httpx.Response) -> None:
    """An answer that a caller can understand, not one of a thing that broke."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["status"] == answer.status_code
        assert answer.headers["x-correlation-id"].isascii()


@FEWER
@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                *("authorization", "x-tenant-uuid", "x-user-id", "x-user-email", "x-user-type", "x-partner-uuid"),
                *("if-match", "idempotency-key", "content-type", "accept", "accept-language", "x-correlation-id"),
                *("traceparent", "host", "origin", "x-forwarded-for", "x-forwarded-proto", "expect", "range"),
            ]
        ),
        HEADER_BYTES,
        max_size=5,
    )
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_headers_of_any_bytes_are_answered(method: str, headers: dict[str, bytes]) -> None:
    async with gateway() as api:
        usual = HEADERS | {"authorization": f"Bearer {signed()}", "content-type": "application/json"}
        sent = {name: value.encode() for name, value in usual.items()} | headers
        raw = [(name.encode(), value) for name, value in sent.items()]
        path = MEETING if method == "PUT" else f"{MEETING}/cancel"
        request = httpx.Request(method, f"http://gateway{path}", headers=raw, content=b"{}")
        sane(await api.client.send(request))
        for command in api.bus.commands:
            assert len(command.command_id) == 32
            assert all(0 <= version < 10**18 for version in command.expected_versions or ())


@FEWER
@given(st.lists(st.sampled_from(['"1"', 'W/"1"', "*", '"', ",", " ", "\t", "1", '"-1"', "²", f'"{"9" * 19}"'])))
async def test_an_if_match_of_any_parts_admits_versions_or_none(if_match: list[str]) -> None:
    async with gateway() as api:
        value = "".join(if_match)
        answer = await api.client.put(MEETING, json={}, headers=[(b"if-match", value.encode())])
        assert answer.status_code == 200
        (command,) = api.bus.commands
        assert command.expected_versions is None if value.strip() == "*" else set(command.expected_versions) <= {1}


ENCODABLE = st.characters(exclude_categories=["Cs"])
WORD = st.text(ENCODABLE, min_size=1, max_size=20).filter(lambda word: word not in (".", ".."))
PARAMETER = st.text(ENCODABLE, max_size=300) | st.sampled_from(
    ["\r\nSet-Cookie: a=b", "\0", "//evil.example.com", "x" * 9000]
)


@FEWER
@given(
    provider=st.sampled_from(["google", "outlook"]) | WORD,
    parameters=st.lists(st.tuples(st.sampled_from(["state", "code", "error", "scope"]) | WORD, PARAMETER)),
    result=st.sampled_from(AuthorizationResult),
)
async def test_a_callback_with_any_parameters_leads_to_a_page_of_ours(
    provider: str, parameters: list[tuple[str, str]], result: AuthorizationResult
) -> None:
    async with gateway() as api:
        api.core.outcome = Reply(outcome=Outcome.OK, data=AuthorizationOutcome(result=result).model_dump())
        answer = await api.client.get(f"{CALLBACK}/{quote(provider, safe='')}?{urlencode(parameters)}")
        assert answer.status_code in (200, 302, 400, 404)
        assert "set-cookie" not in answer.headers
        if answer.status_code == 302:
            to = urlsplit(answer.headers["location"])
            assert (to.scheme, to.netloc) == ("", "")
            assert to.path in (f"{CALLBACK}/success", f"{CALLBACK}/oauth-failed")
        for asked in api.core.queries:
            assert len(asked.state) <= 256
            assert len(asked.code or "") <= 8192
            assert asked.state.isprintable()


@FEWER
@given(
    query=st.dictionaries(st.sampled_from(["provider", "reason"]), PARAMETER),
    page=st.sampled_from(["success", "oauth-failed"]),
)
async def test_a_result_page_shows_nothing_of_its_parameters(query: dict[str, str], page: str) -> None:
    async with gateway() as api:
        answer = await api.client.get(f"{CALLBACK}/{page}", params=query | {"more": "<script>"})
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "evil.example.com" not in answer.text


@FEWER
@given(token=st.text(max_size=300), status=st.text(max_size=10) | st.just("ACCEPTED"), confirm=st.text(max_size=5))
async def test_a_link_with_any_parameters_is_refused_as_a_page(token: str, status: str, confirm: str) -> None:
    async with gateway(token_required=True) as api:
        path = f"{MEETING}/participants/MP1/rsvp"
        answer = await api.client.get(path, params={"token": token, "status": status, "confirm": confirm})
        assert answer.status_code in (400, 403)
        assert answer.headers["content-type"].startswith("text/html")
        posted = await api.client.post(path, data={"token": token, "status": status})
        assert posted.status_code in (400, 403)
        assert (api.core.queries, api.bus.commands) == ([], [])


@given(st.text() | st.lists(st.sampled_from(["es", "en-GB", ";q=", "1e309", "nan", "-1", ",", "*", "é"])).map("".join))
def test_any_accept_language_is_some_language(header: str) -> None:
    assert language_of(header) in Language
