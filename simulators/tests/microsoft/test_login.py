"""Signing in with MSAL: the flow, what it gives, and every way it can end."""

import base64
import html
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
from simulators.microsoft.testing import REDIRECT, SCOPES, Microsoft

HOST = "host@contoso.com"


def exchange(microsoft: Microsoft, **form: str) -> httpx.Response:
    """A request to the token endpoint as a client without MSAL makes it."""
    settings = microsoft.settings
    body = {"client_id": settings.microsoft_client_id, "client_secret": settings.microsoft_client_secret} | form
    return microsoft.browser.post("/common/oauth2/v2.0/token", data=body)


def authorize_url(microsoft: Microsoft, **more: str) -> str:
    parameters = {
        "client_id": microsoft.settings.microsoft_client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid profile offline_access Calendars.ReadWrite",
        "state": "s & <t>",
    } | more
    return f"{microsoft.url}/{more.pop('tenant', 'common')}/oauth2/v2.0/authorize?{urlencode(parameters)}"


def code_for(microsoft: Microsoft, **more: str) -> str:
    location = microsoft.sign_in(authorize_url(microsoft, **more), HOST).headers["location"]
    return str(httpx.URL(location).params["code"])


def test_msal_signs_in_and_reads_who_it_is(microsoft: Microsoft) -> None:
    app = microsoft.application()
    result = microsoft.consent(HOST, application=app)
    assert result["token_type"] == "Bearer"
    assert 0 < result["expires_in"] <= 3600
    assert result["id_token_claims"]["preferred_username"] == HOST
    (account,) = app.get_accounts()
    claims = result["id_token_claims"]
    assert account["username"] == HOST
    assert account["home_account_id"] == f"{claims['oid']}.{claims['tid']}"
    silent = app.acquire_token_silent(list(SCOPES), account=account)
    assert silent["access_token"] == result["access_token"], "still good, so not asked for again"


def test_granted_scopes_are_short_and_without_offline_access(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    answer = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    assert set(answer["scope"].split()) == {"openid", "profile", "Calendars.ReadWrite"}
    assert "refresh_token" in answer


def test_without_offline_access_there_is_no_refresh_token(microsoft: Microsoft) -> None:
    code = code_for(microsoft, scope="openid Calendars.Read")
    answer = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    assert "refresh_token" not in answer
    assert "client_info" not in answer, "only for who asks for it"


def test_the_id_token_is_signed_with_the_published_key(microsoft: Microsoft) -> None:
    result = microsoft.consent(HOST)
    published = microsoft.browser.get("/common/discovery/v2.0/keys").json()["keys"]
    header = jwt.get_unverified_header(result["id_token"])
    (key,) = [entry for entry in published if entry["kid"] == header["kid"]]
    claims = jwt.decode(
        result["id_token"],
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=microsoft.settings.microsoft_client_id,
        options={"verify_iat": False, "verify_nbf": False, "verify_exp": False},  # simulated time may be ahead
    )
    now = datetime.fromisoformat(microsoft.control("GET", "clock")["now"]).timestamp()
    assert claims["iat"] <= now < claims["exp"] == claims["iat"] + 3600
    assert claims["iss"] == f"https://login.microsoftonline.com/{claims['tid']}/v2.0"


def test_refreshing_rotates_the_refresh_token_and_the_old_one_goes_on(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    first = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    second = exchange(microsoft, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    again = exchange(microsoft, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.status_code == 200
    microsoft.control("PUT", "behaviour", {"transactionWindowSeconds": 60, "revokeReplacedTokens": True})
    dead = exchange(microsoft, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert dead.json()["error_codes"] == [50173]
    assert exchange(microsoft, grant_type="refresh_token", refresh_token=second["refresh_token"]).status_code == 200


def test_a_refresh_token_lives_ninety_days_from_its_own_issue(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    first = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    microsoft.advance(days=60)
    second = exchange(microsoft, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    microsoft.advance(days=31)
    answer = exchange(microsoft, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [700082])
    assert exchange(microsoft, grant_type="refresh_token", refresh_token=second["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("reason", "error", "code"),
    [
        ("revoked", "invalid_grant", 50173),
        ("inactive", "invalid_grant", 700082),
        ("disabled", "invalid_grant", 50057),
        ("consent", "invalid_grant", 65001),
        ("interaction", "interaction_required", 50076),
    ],
)
def test_msal_reports_why_a_grant_died(microsoft: Microsoft, reason: str, error: str, code: int) -> None:
    app = microsoft.application()
    microsoft.consent(HOST, application=app)
    assert microsoft.control("POST", f"accounts/{HOST}/revoke", {"reason": reason}) == {"grants": 1}
    (account,) = app.get_accounts()
    result = app.acquire_token_silent_with_error(list(SCOPES), account=account, force_refresh=True)
    assert result["error"] == error
    assert result["error_codes"] == [code]
    assert result["error_description"].startswith(f"AADSTS{code}: ")
    assert app.acquire_token_silent(list(SCOPES), account=account, force_refresh=True) is None


def test_access_tokens_outlive_a_revocation_unless_asked_otherwise(microsoft: Microsoft) -> None:
    graph = microsoft.graph(HOST)
    microsoft.control("POST", f"accounts/{HOST}/revoke", {})
    assert graph.get("/me").status_code == 200
    again = microsoft.graph(HOST)
    microsoft.control("POST", f"accounts/{HOST}/revoke", {"accessTokens": True})
    assert again.get("/me").status_code == 401


def test_a_code_works_once_for_ten_minutes_at_its_own_redirect(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    wrong = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=f"{REDIRECT}/other")
    assert wrong.json()["error_codes"] == [500112]
    assert exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).status_code == 200
    again = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
    assert (again.status_code, again.json()["error"], again.json()["error_codes"]) == (400, "invalid_grant", [54005])
    late = code_for(microsoft)
    microsoft.advance(minutes=10)
    expired = exchange(microsoft, grant_type="authorization_code", code=late, redirect_uri=REDIRECT)
    assert expired.json()["error_codes"] == [70008]
    unknown = exchange(microsoft, grant_type="authorization_code", code="1.Anonsense", redirect_uri=REDIRECT)
    assert unknown.json()["error"] == "invalid_grant"


def test_pkce_is_checked(microsoft: Microsoft) -> None:
    app = microsoft.application()
    flow = microsoft.flow(app)
    location = httpx.URL(microsoft.sign_in(flow["auth_uri"], HOST).headers["location"])
    spoiled = flow | {"code_verifier": "x" * 43}
    result = app.acquire_token_by_auth_code_flow(spoiled, dict(location.params))
    assert (result["error"], result["error_codes"]) == ("invalid_grant", [501481])


def test_the_client_must_prove_itself(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    wrong = exchange(microsoft, client_secret="guessed", **grant)
    assert (wrong.status_code, wrong.json()["error"], wrong.json()["error_codes"]) == (401, "invalid_client", [7000215])
    missing = exchange(microsoft, client_secret="", **grant)
    assert (missing.status_code, missing.json()["error_codes"]) == (401, [7000218])
    other = exchange(microsoft, client_id="someone-else", **grant)
    assert (other.json()["error"], other.json()["error_codes"]) == ("unauthorized_client", [700016])
    settings = microsoft.settings
    basic = base64.b64encode(f"{settings.microsoft_client_id}:{settings.microsoft_client_secret}".encode()).decode()
    answer = microsoft.browser.post(
        "/common/oauth2/v2.0/token", data=grant, headers={"Authorization": f"Basic {basic}"}
    )
    assert answer.status_code == 200


def test_other_grant_types_are_unsupported(microsoft: Microsoft) -> None:
    answer = exchange(microsoft, grant_type="client_credentials", scope="https://graph.microsoft.com/.default").json()
    assert (answer["error"], answer["error_codes"]) == ("unsupported_grant_type", [70003])
    assert exchange(microsoft, grant_type="refresh_token").json()["error_codes"] == [900144]


def test_more_than_was_consented_to_needs_consent(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    tokens = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    more = exchange(microsoft, grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="Mail.Read")
    assert (more.json()["error"], more.json()["suberror"]) == ("invalid_grant", "consent_required")


def test_declining_and_silent_sign_in_come_back_as_errors_with_the_state(microsoft: Microsoft) -> None:
    declined = microsoft.sign_in(authorize_url(microsoft), HOST, decision="cancel").headers["location"]
    query = parse_qs(urlsplit(declined).query)
    assert (query["error"], query["error_subcode"], query["state"]) == (["access_denied"], ["cancel"], ["s & <t>"])
    silent = microsoft.browser.get(authorize_url(microsoft, prompt="none")).headers["location"]
    assert parse_qs(urlsplit(silent).query)["error"] == ["login_required"]
    microsoft.fault("admin_consent", times=1)
    blocked = parse_qs(urlsplit(microsoft.sign_in(authorize_url(microsoft), HOST).headers["location"]).query)
    assert blocked["error_description"][0].startswith("AADSTS90094")
    app = microsoft.application()
    flow = microsoft.flow(app)
    refusal = microsoft.sign_in(flow["auth_uri"], HOST, decision="cancel").headers["location"]
    assert app.acquire_token_by_auth_code_flow(flow, dict(httpx.URL(refusal).params))["error"] == "access_denied"


def test_form_post_shows_a_form_that_may_go_to_the_client_only(microsoft: Microsoft) -> None:
    app = microsoft.application()
    flow = app.initiate_auth_code_flow(list(SCOPES), redirect_uri=REDIRECT, response_mode="form_post")
    page = microsoft.sign_in(flow["auth_uri"], HOST)
    assert page.status_code == 200
    assert f'action="{REDIRECT}"' in page.text
    assert "form-action 'self' http://127.0.0.1:1;" in page.headers["content-security-policy"]
    fields = {name: html.unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page.text)}
    assert "access_token" in app.acquire_token_by_auth_code_flow(flow, fields)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_id": "someone-else"}, 700016),
        ({"redirect_uri": "http://evil.example/callback"}, 50011),
        ({"redirect_uri": "javascript:alert(1)"}, 50011),
        ({"redirect_uri": "https://a;script-src *"}, 50011),
        ({"redirect_uri": ""}, 50011),
        ({"response_type": "token"}, 700054),
        ({"scope": "not a scope!"}, 70011),
        ({"scope": ""}, 900144),
    ],
)
def test_a_bad_request_ends_on_microsofts_own_page(microsoft: Microsoft, changed: dict[str, str], code: int) -> None:
    for answer in (
        microsoft.browser.get(authorize_url(microsoft, **changed)),
        microsoft.browser.post(
            "/common/oauth2/v2.0/authorize",
            data={
                "client_id": microsoft.settings.microsoft_client_id,
                "response_type": "code",
                "redirect_uri": REDIRECT,
                "scope": "openid",
                "decision": "accept",
                "other": HOST,
            }
            | changed,
        ),
    ):
        assert answer.status_code == 400
        assert f"AADSTS{code}" in answer.text
        assert "location" not in answer.headers


def test_what_a_request_holds_is_escaped(microsoft: Microsoft) -> None:
    page = microsoft.browser.get(authorize_url(microsoft, state='"><script>alert(1)</script>'))
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_form_is_taken_from_the_own_page_only(microsoft: Microsoft) -> None:
    answer = microsoft.browser.post(authorize_url(microsoft), data={}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_an_address_that_is_none_is_asked_for_again(microsoft: Microsoft) -> None:
    answer = microsoft.sign_in(authorize_url(microsoft), "nonsense")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("tenant", "email", "allowed"),
    [
        ("organizations", HOST, True),
        ("organizations", "someone@outlook.com", False),
        ("consumers", "someone@outlook.com", True),
        ("consumers", HOST, False),
        ("contoso.com", HOST, True),
        ("contoso.com", "someone@fabrikam.com", False),
    ],
)
def test_the_tenant_in_the_path_decides_who_may_sign_in(
    microsoft: Microsoft, tenant: str, email: str, allowed: bool
) -> None:
    answer = microsoft.sign_in(authorize_url(microsoft).replace("/common/", f"/{tenant}/"), email)
    assert (answer.status_code == 302) is allowed
    assert allowed or "AADSTS50020" in answer.text


def test_known_accounts_are_offered(microsoft: Microsoft) -> None:
    microsoft.control("POST", "accounts", {"email": HOST, "name": "Hedda Host"})
    page = microsoft.browser.get(authorize_url(microsoft, login_hint=HOST)).text
    assert re.search(r'<input type="radio" name="account" value="host@contoso.com" checked>', page)


def test_instance_discovery_names_the_aliases(microsoft: Microsoft) -> None:
    answer = microsoft.browser.get("/common/discovery/instance", params={"api-version": "1.1"}).json()
    assert answer["tenant_discovery_endpoint"].endswith("/common/v2.0/.well-known/openid-configuration")
    assert "login.windows.net" in answer["metadata"][0]["aliases"]


def test_a_passing_failure_uses_nothing_up(microsoft: Microsoft) -> None:
    grant = {"grant_type": "authorization_code", "code": code_for(microsoft), "redirect_uri": REDIRECT}
    microsoft.fault("error", operation="login.token", status=503, times=1, retryAfter=7)
    answer = exchange(microsoft, **grant)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["error"] == "temporarily_unavailable"
    assert exchange(microsoft, **grant).status_code == 200


def test_an_answer_can_get_lost_after_the_code_was_used(microsoft: Microsoft) -> None:
    grant = {"grant_type": "authorization_code", "code": code_for(microsoft), "redirect_uri": REDIRECT}
    microsoft.fault("commit_then_error", operation="login.token", status=502, times=1)
    assert exchange(microsoft, **grant).status_code == 502
    assert exchange(microsoft, **grant).json()["error_codes"] == [54005]


def test_a_token_can_die_at_the_next_refresh_by_chance(microsoft: Microsoft) -> None:
    code = code_for(microsoft)
    tokens = exchange(microsoft, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    microsoft.fault("token_death", account=HOST, reason="interaction", times=1)
    dead: dict[str, Any] = exchange(microsoft, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert dead["error"] == "interaction_required"
    assert "capolids" in json.loads(dead["claims"])["access_token"]
