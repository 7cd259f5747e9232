"""Who is calling: the headers claim it, the token proves it."""

from typing import Any

import pytest
from api_gateway.domain.caller import Caller, identify
from contracts.api.errors import ApiError, ErrorCode
from contracts.values.enums import UserType

from tests.support.gateway import CLAIMS, HEADERS, NAMES


def refusal(headers: dict[str, str], claims: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as refused:
        identify(headers, claims, NAMES)
    return refused.value


def test_headers_that_the_token_proves_are_the_caller() -> None:
    caller = identify(HEADERS | {"authorization": "Bearer t", "accept": "*/*"}, CLAIMS, NAMES)
    assert isinstance(caller, Caller)
    assert (caller.tenant_uuid, caller.user_id) == (CLAIMS["tenantUuid"], CLAIMS["userUuid"])
    assert (caller.email, caller.user_type) == (CLAIMS["username"], UserType.TENANT_STAFF)
    sent = {name.decode(): value.decode() for name, value in caller.platform_headers}
    assert sent == HEADERS | {"authorization": "Bearer t"}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_each_header_is_required(name: str, value: str | None) -> None:
    headers = {key: each for key, each in (HEADERS | {name: value}).items() if each is not None}
    refused = refusal(headers, CLAIMS)
    assert refused.code is ErrorCode.HEADER_MISSING
    assert refused.details == [f"{name}: is required"]


def test_all_missing_headers_are_named_at_once() -> None:
    assert refusal({}, CLAIMS).details == [f"{name}: is required" for name in HEADERS]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-tenant-uuid", "T 1"),
        ("x-tenant-uuid", "T" * 65),
        ("x-tenant-uuid", "../T1"),
        ("x-user-id", "TS/1"),
        ("x-user-id", "TS1\u00e9"),
        ("x-user-id", "TS1\n"),
        ("x-user-email", "nobody"),
        ("x-user-email", "ana@example.com\x00"),
        ("x-user-email", "ana@example.com\x85"),
        ("x-tenant-code", "\xe9"),
        ("x-tenant-code", "acme\x01"),
        ("x-tenant-code", "a" * 256),
        ("x-partner-uuid", "P\xc31"),
        ("x-user-email", "a@" + "b" * 253),
        ("x-user-type", "ADMIN"),
        ("x-user-type", "tenant_staff"),
    ],
)
def test_a_malformed_header_is_400(name: str, value: str) -> None:
    refused = refusal(HEADERS | {name: value}, CLAIMS | {"userUuid": value, "tenantUuid": value})
    assert refused.code in (ErrorCode.HEADER_MISSING, ErrorCode.IDENTITY_MISMATCH)
    if not value.endswith("\n"):  # white space around a value is no part of it (RFC 9110 section 5.5)
        assert refused.code is ErrorCode.HEADER_MISSING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-tenant-uuid", "T019A2B41D0337E5AB6C81F0A27D4931E"),
        ("x-user-id", "TS019C066B41E27A0C8D35C2A97B6E10F4"),
        ("x-user-email", "daniel.price@andes.example.com"),
        ("x-user-type", "CLIENT"),
        ("x-user-type", "PARTNER_STAFF"),
    ],
)
def test_a_header_that_contradicts_the_token_is_403(name: str, value: str) -> None:
    assert refusal(HEADERS | {name: value}, CLAIMS).code is ErrorCode.IDENTITY_MISMATCH


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("value", [None, ..., [], {}, 7])
def test_a_token_that_does_not_say_who_proves_nothing(name: str, value: Any) -> None:
    claims: dict[str, Any] = {key: each for key, each in (CLAIMS | {name: value}).items() if each is not ...}
    refused = refusal(HEADERS, claims)
    assert refused.code in (ErrorCode.AUTHENTICATION_REQUIRED, ErrorCode.IDENTITY_MISMATCH)
    if value is None or value is ...:
        assert refused.code is ErrorCode.AUTHENTICATION_REQUIRED


def test_an_email_is_the_same_in_any_case() -> None:
    caller = identify(HEADERS | {"x-user-email": CLAIMS["username"].upper()}, CLAIMS, NAMES)
    assert caller.email.casefold() == CLAIMS["username"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_an_email_outside_ascii_is_read_in_either_encoding_and_sent_on_as_it_came(encoding: str) -> None:
    sent = "josé@example.com".encode(encoding)
    headers = HEADERS | {"x-user-email": sent.decode("latin-1")}  # as servers hand headers over
    caller = identify(headers, CLAIMS | {"username": "JOSE\u0301@example.com"}, NAMES)
    assert caller.email == "josé@example.com"
    assert (b"x-user-email", sent) in caller.platform_headers


@pytest.mark.parametrize(("said", "proved"), [("CONTACT", "CONTACT"), ("CLIENT", "CONTACT"), ("CONTACT", "CLIENT")])
def test_contact_is_read_as_client(said: str, proved: str) -> None:
    caller = identify(HEADERS | {"x-user-type": said}, CLAIMS | {"userType": proved}, NAMES)
    assert caller.user_type is UserType.CLIENT


@pytest.mark.parametrize(("said", "accepted"), [(None, True), ("P1", True), ("P2", False)])
def test_the_partner_header_is_optional_but_may_not_contradict(said: str | None, accepted: bool) -> None:
    headers = HEADERS | ({} if said is None else {"x-partner-uuid": said})
    claims = CLAIMS | {"partnerUuid": "P1"}
    if accepted:
        sent = dict(identify(headers, claims, NAMES).platform_headers).get(b"x-partner-uuid")
        assert sent == (None if said is None else said.encode())
    else:
        assert refusal(headers, claims).code is ErrorCode.IDENTITY_MISMATCH
