"""The HTTP side of the gateway: every error in the platform's body, and the headers that mean something."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from chassis.http.internal_queries import QueryUnavailableError
from chassis.kafka.command_client import BrokerUnavailableError
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.replies import Outcome, Reply, ReplyError

from tests.support.gateway import DOCS_SITE, HEADERS, Gateway, body, signed

MEETINGS = "/api/v1/meetings"
JSON = {"Content-Type": "application/json"}


def check_error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The platform's error body, as it must be on every path."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlation-id"]
    error: dict[str, Any] = answer.json()
    assert list(error) == ["errorCode", "message", "status", "path", "timestamp", "details"]
    assert (error["errorCode"], error["status"]) == (code, status)
    assert error["path"] == answer.request.url.path
    told = dt.datetime.strptime(error["timestamp"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.UTC)
    assert abs(dt.datetime.now(dt.UTC) - told) < dt.timedelta(seconds=60)
    assert error["details"] is None or all(isinstance(detail, str) for detail in error["details"])
    return error


# --- paths and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api", "/api/v1/nothing", "/api/v1/meetings/M1/nothing", "/%00", "/é", "/x//y"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_path_is_404(api: Gateway, method: str, path: str) -> None:
    check_error(await api.client.request(method, path), 404, "BE0404")


async def test_the_root_leads_browsers_to_the_documentation_and_is_404_for_programs(api: Gateway) -> None:
    check_error(await api.client.get("/"), 404, "BE0404")
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "es-CL"}
    shown = await api.client.get("/", headers=browser)
    assert (shown.status_code, shown.headers["content-language"]) == (200, "es")
    assert "API de reuniones" in shown.text
    for target in ("/docs", "/docs/filters", "/openapi.json"):
        assert f'href="{target}"' in shown.text
        assert (await api.client.get(target)).status_code == 200
    assert f'href="{DOCS_SITE}"' in shown.text
    assert (await api.client.get("/openapi.json")).json()["externalDocs"]["url"] == DOCS_SITE


@pytest.mark.parametrize("host", ["[", "a/b?c#d", "", "a b", "user:pw@host"])
async def test_a_hostile_host_header_changes_nothing(api: Gateway, host: str) -> None:
    check_error(await api.client.get("/nowhere", headers={"Host": host}), 404, "BE0404")
    await api.client.put(f"{MEETINGS}/M1", json={}, headers={"Host": host, "Idempotency-Key": "key"})
    await api.client.put(f"{MEETINGS}/M1", json={}, headers={"Host": "another", "Idempotency-Key": "key"})
    first, second = api.bus.commands
    assert first.command_id == second.command_id


async def test_a_slash_at_the_end_is_another_path(api: Gateway) -> None:
    check_error(await api.client.get(f"{MEETINGS}/"), 404, "BE0404")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", MEETINGS, {"GET", "POST"}),
        ("DELETE", MEETINGS, {"GET", "POST"}),
        ("OPTIONS", MEETINGS, {"GET", "POST"}),
        ("POST", f"{MEETINGS}/M1", {"GET", "PUT"}),
        ("GET", f"{MEETINGS}/M1/cancel", {"POST"}),
        ("GET", f"{MEETINGS}/M1/calendar-visibility", {"DELETE"}),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_405_and_names_those_it_has(
    api: Gateway, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.client.request(method, path)
    check_error(answer, 405, "BE0405")
    assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed


# --- authentication comes first -------------------------------------------------------------------------------------

PROTECTED = [
    ("POST", MEETINGS),
    ("GET", MEETINGS),
    ("GET", f"{MEETINGS}/M1"),
    ("PUT", f"{MEETINGS}/M1"),
    ("POST", f"{MEETINGS}/M1/cancel"),
    ("DELETE", f"{MEETINGS}/M1/calendar-visibility"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer a.b.c", "token"])
async def test_without_a_valid_token_401_before_anything_else_is_looked_at(
    api: Gateway, method: str, path: str, authorization: str | None
) -> None:
    del api.client.headers["Authorization"]
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await api.client.request(method, path, content=b"not JSON", headers=headers)
    check_error(answer, 401, "BE0401")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("header", HEADERS)
async def test_without_a_header_400(api: Gateway, method: str, path: str, header: str) -> None:
    del api.client.headers[header]
    error = check_error(await api.client.request(method, path, content=b"not JSON"), 400, "BE0203")
    assert error["details"] == [f"{header}: is required"]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("header", HEADERS)
async def test_with_a_header_that_the_token_contradicts_403(api: Gateway, method: str, path: str, header: str) -> None:
    api.client.headers[header] = {"x-user-type": "CLIENT", "x-user-email": "a@b.example"}.get(header, "OTHER")
    check_error(await api.client.request(method, path, content=b"not JSON"), 403, "BE0407")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_the_same_in_any_case(api: Gateway, scheme: str) -> None:
    answer = await api.client.get(f"{MEETINGS}/M1", headers={"Authorization": f"{scheme} {signed()}"})
    assert answer.status_code == 200


async def test_the_description_says_which_operations_need_a_token_and_the_headers(api: Gateway) -> None:
    document = (await api.client.get("/openapi.json")).json()
    paths, schemes = document["paths"], document["components"]["securitySchemes"]
    for method, path in PROTECTED:
        operation = paths[path.replace("M1", "{meetingUuid}")][method.lower()]
        [together] = operation["security"]
        documented = {schemes[name].get("name", name) for name in together}
        assert documented == {"bearer", *HEADERS}


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"not JSON", id="no JSON"),
        pytest.param(b"{'title': 'x'}", id="Python"),
        pytest.param(b'{"title": "x",}', id="a comma too much"),
        pytest.param(b'{"title": "\xff"}', id="no UTF-8"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="UTF-16"),
        pytest.param(b"[" * 100_000, id="nested deeply"),
        pytest.param(b'{"a":' * 30_000 + b"1" + b"}" * 30_000, id="nested deeply in a field nobody reads"),
        pytest.param(b'{"title": 1' + b"0" * 10_000 + b"}", id="a number of ten thousand digits"),
        pytest.param(b'{"nonsense": NaN}', id="NaN"),
        pytest.param(b'{"nonsense": [Infinity, -Infinity]}', id="Infinity"),
    ],
)
async def test_malformed_json_is_400(api: Gateway, content: bytes) -> None:
    answer = await api.client.post(MEETINGS, content=content, headers=JSON)
    error = check_error(answer, 400, "BE0202")
    assert error["details"] == ["body: is not valid JSON"]
    assert api.bus.commands == []


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"7", b"null", b"true", b""])
async def test_a_body_is_an_object(api: Gateway, content: bytes) -> None:
    answer = await api.client.post(MEETINGS, content=content, headers=JSON)
    error = check_error(answer, 400, "BE0201")
    assert error["details"][0].startswith("body: ")


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "x\\ud83d", "\\ud800\\u0041"])
async def test_half_a_character_is_400_wherever_it_is(api: Gateway, escape: str) -> None:
    """A lone surrogate cannot be written in UTF-8, so nothing behind us could say it."""
    valid = httpx.Request("POST", "http://x", json=body()).content.decode()
    for member in (f'"title": "{escape}"', f'"nonsense": "{escape}"', f'"{escape}": 1'):
        content = valid.removesuffix("}") + f", {member}" + "}"
        answer = await api.client.post(MEETINGS, content=content.encode(), headers=JSON)
        check_error(answer, 400, "BE0202")


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", [MEETINGS, "/nowhere", f"{MEETINGS}/M1"])
async def test_a_body_over_256_kib_is_413(api: Gateway, announced: bool, path: str) -> None:
    size = 256 * 1024 + 1

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 1024 + 1):
            yield b" " * 1024

    method = "PUT" if path.endswith("M1") else "POST"
    answer = await api.client.request(method, path, content=b" " * size if announced else pieces(), headers=JSON)
    if path == "/nowhere" and not announced:  # nobody reads on there
        check_error(answer, 404, "BE0404")
    else:
        check_error(answer, 413, "BE0413")
    assert api.bus.commands == []


async def test_a_body_of_256_kib_is_read(api: Gateway) -> None:
    content = httpx.Request("POST", "http://x", json=body()).content.ljust(256 * 1024)
    answer = await api.client.post(MEETINGS, content=content, headers=JSON)
    assert answer.status_code == 201


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "9" * 400])
async def test_a_length_that_is_none_is_refused(api: Gateway, length: str) -> None:
    answer = await api.client.post(MEETINGS, content=b"{}", headers=JSON | {"Content-Length": length})
    check_error(answer, 413, "BE0413")


@pytest.mark.parametrize("media_type", [None, "", "text/plain", "application/xml", "multipart/form-data", "json"])
async def test_another_content_type_is_415(api: Gateway, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await api.client.post(MEETINGS, content=b"{}", headers=headers)
    check_error(answer, 415, "BE0415")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_any_of_its_names_is_read(api: Gateway, media_type: str) -> None:
    content = httpx.Request("POST", "http://x", json=body()).content
    answer = await api.client.post(MEETINGS, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == 201, answer.text


async def test_no_body_needs_no_content_type(api: Gateway) -> None:
    assert (await api.client.post(f"{MEETINGS}/M1/cancel")).status_code == 200
    assert (await api.client.delete(f"{MEETINGS}/M1/calendar-visibility")).status_code == 204


# --- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=-1", "page"),
        ("page=a", "page"),
        ("page=", "page"),
        ("page=1.5", "page"),
        ("page=99999999999999999999", "page"),
        ("size=0", "size"),
        ("size=101", "size"),
        ("size=-1", "size"),
        ("size=%00", "size"),
        ("page=-1&size=0", "page"),
    ],
)
async def test_paging_has_bounds(api: Gateway, query: str, field: str) -> None:
    error = check_error(await api.client.get(f"{MEETINGS}?{query}"), 400, "BE0201")
    assert error["details"][0].startswith(f"{field}: ")
    assert api.core.queries == []


@pytest.mark.parametrize(("query", "page", "size"), [("", 0, 20), ("?page=3&size=100", 3, 100), ("?size=1", 0, 1)])
async def test_paging_defaults(api: Gateway, query: str, page: int, size: int) -> None:
    assert (await api.client.get(f"{MEETINGS}{query}")).status_code == 200
    (asked,) = api.core.queries
    assert (asked.page, asked.size) == (page, size)


@pytest.mark.parametrize("one", ["M%20", "M.", "M" * 65, "%00", "$ne", "é"])
async def test_an_id_that_can_be_none_is_400(api: Gateway, one: str) -> None:
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/cancel"), ("DELETE", "/calendar-visibility")):
        answer = await api.client.request(method, f"{MEETINGS}/{one}{path}", json={})
        error = check_error(answer, 400, "BE0201")
        assert error["details"][0].startswith("meetingUuid: ")


# --- If-Match and ETag ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("if_match", "versions"),
    [
        (None, None),
        ("*", None),
        (" * ", None),
        ('"3"', [3]),
        ('"3", "5"', [3, 5]),
        ('"3","5" , "007"', [3, 5, 7]),
        ('W/"3"', []),
        ('W/"3", "4"', [4]),
        ("3", []),
        ('"abc"', []),
        ('"-1"', []),
        ('"²"', []),
        ('""', []),
        ('"', []),
        ("", []),
        (f'"{"9" * 5000}"', []),
    ],
)
async def test_if_match_names_the_versions_it_admits(
    api: Gateway, if_match: str | None, versions: list[int] | None
) -> None:
    headers = [] if if_match is None else [(b"if-match", if_match.encode())]
    for method, path in (("PUT", ""), ("POST", "/cancel")):
        answer = await api.client.request(method, f"{MEETINGS}/M1{path}", json={}, headers=headers)
        assert answer.status_code == 200, answer.text
    assert [command.expected_versions for command in api.bus.commands] == [versions, versions]


async def test_the_version_is_the_etag(api: Gateway) -> None:
    api.bus.outcome = api.core.outcome = Reply(outcome=Outcome.OK, version=7, data={})
    answers = [
        await api.create(),
        await api.client.get(f"{MEETINGS}/M1"),
        await api.client.put(f"{MEETINGS}/M1", json={}),
        await api.client.post(f"{MEETINGS}/M1/cancel"),
    ]
    assert [answer.headers["etag"] for answer in answers] == ['"7"'] * 4


# --- Idempotency-Key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "x" * 129, "é", "a\tb", "\x7f"])
async def test_a_key_is_1_to_128_printable_ascii_characters(api: Gateway, key: str) -> None:
    for method, path in (("POST", ""), ("PUT", "/M1"), ("POST", "/M1/cancel"), ("DELETE", "/M1/calendar-visibility")):
        sent = [(b"idempotency-key", key.encode())]
        answer = await api.client.request(method, f"{MEETINGS}{path}", json=body(), headers=sent)
        error = check_error(answer, 400, "BE0203")
        assert error["details"] == ["Idempotency-Key: must be 1-128 printable ASCII characters"]
    assert api.bus.commands == []


async def test_a_key_gives_the_same_command_and_meeting_again_and_without_one_both_are_new(api: Gateway) -> None:
    for headers in ({"Idempotency-Key": "a key~!"}, {"Idempotency-Key": "a key~!"}, {}, {}):
        assert (await api.client.post(MEETINGS, json=body(), headers=headers)).status_code == 201
    first, repeat, *others = [(one.command_id, one.meeting_uuid, one.fingerprint) for one in api.bus.commands]
    assert first == repeat
    assert len({first[0], *(one[0] for one in others)}) == 3
    assert len({first[1], *(one[1] for one in others)}) == 3
    assert all(one.meeting_uuid.startswith("M") and len(one.meeting_uuid) == 33 for one in api.bus.commands)


async def test_a_key_is_one_users_on_one_path(api: Gateway) -> None:
    headers = {"Idempotency-Key": "key"}
    await api.client.post(MEETINGS, json=body(), headers=headers)
    await api.client.put(f"{MEETINGS}/M1", json=body(), headers=headers)
    await api.client.put(f"{MEETINGS}/M2", json=body(), headers=headers)
    await api.client.post(f"{MEETINGS}/M1/cancel", headers=headers)
    for claim, header in (("userUuid", "x-user-id"), ("tenantUuid", "x-tenant-uuid")):
        other = {"Authorization": f"Bearer {signed({claim: 'OTHER'})}", header: "OTHER"}
        await api.client.post(MEETINGS, json=body(), headers=headers | other)
    assert len({command.command_id for command in api.bus.commands}) == 6


async def test_the_fingerprint_tells_another_body_but_not_another_spelling(api: Gateway) -> None:
    headers = JSON | {"Idempotency-Key": "key"}
    valid = httpx.Request("POST", "http://x", json=body(title="x")).content
    spellings = [valid, valid.replace(b'":', b'" :  '), valid.removesuffix(b"}") + b', "unknown": 1}']
    for content in spellings:
        assert (await api.client.post(MEETINGS, content=content, headers=headers)).status_code == 201
    await api.client.post(MEETINGS, json=body(title="y"), headers=headers)
    *same, other = [command.fingerprint for command in api.bus.commands]
    assert len(set(same)) == 1
    assert other not in same


# --- outcomes -------------------------------------------------------------------------------------------------------

COMMANDS = [
    ("POST", MEETINGS, 201),
    ("PUT", f"{MEETINGS}/M1", 200),
    ("POST", f"{MEETINGS}/M1/cancel", 200),
    ("DELETE", f"{MEETINGS}/M1/calendar-visibility", 204),
]


@pytest.mark.parametrize(("method", "path", "status"), COMMANDS)
async def test_an_outcome_in_time_is_answered(api: Gateway, method: str, path: str, status: int) -> None:
    api.bus.outcome = Reply(outcome=Outcome.OK, version=1, data={"meetingUuid": "M1"})
    answer = await api.client.request(method, path, json=body())
    assert answer.status_code == status
    assert answer.content == (b"" if status == 204 else b'{"meetingUuid":"M1"}')


@pytest.mark.parametrize(("method", "path", "_status"), COMMANDS)
async def test_an_outcome_that_is_late_is_202_with_a_location(
    api: Gateway, method: str, path: str, _status: int
) -> None:
    api.bus.outcome = None
    answer = await api.client.request(method, path, json=body())
    assert answer.status_code == 202
    meeting = api.bus.commands[0].meeting_uuid
    assert answer.headers["location"] == f"{MEETINGS}/{meeting}"
    assert answer.json() == {"meetingUuid": meeting, "status": "ACCEPTED"}


@pytest.mark.parametrize(("method", "path", "_status"), COMMANDS)
async def test_a_bus_that_is_away_is_503(api: Gateway, method: str, path: str, _status: int) -> None:
    api.bus.outcome = BrokerUnavailableError()
    answer = await api.client.request(method, path, json=body())
    check_error(answer, 503, "BE0503")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", [MEETINGS, f"{MEETINGS}/M1"])
async def test_a_database_that_is_away_is_503(api: Gateway, path: str) -> None:
    api.core.outcome = QueryUnavailableError()
    answer = await api.client.get(path)
    check_error(answer, 503, "BE0503")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_refusal_is_answered_as_the_table_of_errors_says(api: Gateway, code: ErrorCode) -> None:
    refusal = ApiError(code, details=["title: why"])
    api.bus.outcome = Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refusal))
    error = check_error(await api.create(), code.status, code.code)
    assert (error["message"], error["details"]) == (code.message, ["title: why"])


async def test_a_code_that_only_a_newer_peer_knows_is_an_error_on_our_side(api: Gateway) -> None:
    api.bus.outcome = Reply(outcome=Outcome.REJECTED, error=ReplyError(code="BE9999", message="New"))
    assert (await api.create()).status_code == 500


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_a_fault_of_ours_is_500_and_tells_nothing_of_it(api: Gateway, method: str, path: str) -> None:
    api.bus.outcome = api.core.outcome = RuntimeError("mongodb://user:password@db failed")
    answer = await api.client.request(method, path, json=body())
    error = check_error(answer, 500, "BE0500")
    assert error["details"] is None
    assert "mongodb" not in answer.text
    assert "Traceback" not in answer.text


# --- correlation ----------------------------------------------------------------------------------------------------


async def test_a_correlation_id_is_kept_and_an_unfit_one_replaced(api: Gateway) -> None:
    given = await api.client.get("/nowhere", headers={"x-correlation-id": "a-b_c.1"})
    assert given.headers["x-correlation-id"] == "a-b_c.1"
    for unfit in ("", "a b", "x" * 65, "é", '"><script>'):
        answer = await api.client.get("/nowhere", headers=[(b"x-correlation-id", unfit.encode())])
        assert answer.headers.get_list("x-correlation-id") != [unfit]
        assert answer.headers["x-correlation-id"].isalnum()
