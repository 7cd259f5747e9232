"""OAuth 2.0 as Google's web server flow has it."""

from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from google.auth.exceptions import RefreshError
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError  # type: ignore[import-untyped]
from simulators.common.serve import running
from simulators.google.app import create_app
from simulators.google.settings import Settings
from simulators.google.testing import CALENDAR, EMAIL, EVENTS, FREEBUSY, REDIRECT, Google

ANA = "ana@example.com"
DAY = 86_400


def advance(google: Google, seconds: float) -> None:
    google.control("POST", "clock", {"advanceSeconds": seconds})


def query_of(url: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


def test_the_library_completes_the_flow_with_pkce(google: Google) -> None:
    flow = google.flow(EVENTS)
    url, state = flow.authorization_url(access_type="offline", prompt="consent")
    assert query_of(url)["code_challenge_method"] == "S256"
    back = google.consent(url, ANA)
    assert back.startswith(REDIRECT)
    assert query_of(back)["state"] == state
    flow.fetch_token(authorization_response=back)
    assert flow.credentials.refresh_token
    assert google.calendar(flow.credentials).events().list(calendarId="primary").execute()["items"] == []
    assert [account["email"] for account in google.control("GET", "accounts")] == [ANA]


def test_a_code_works_once_and_for_its_own_verifier_only(google: Google) -> None:
    flow = google.flow(EVENTS)
    url, _ = flow.authorization_url()
    back = google.consent(url, ANA)
    flow.fetch_token(authorization_response=back)
    with pytest.raises(InvalidGrantError):
        flow.fetch_token(authorization_response=back)

    stranger, owner = google.flow(EVENTS), google.flow(EVENTS)
    url, _ = owner.authorization_url()
    stranger.authorization_url()
    stranger.code_verifier = "x" * 50
    with pytest.raises(InvalidGrantError, match="Invalid code verifier"):
        stranger.fetch_token(code=query_of(google.consent(url, ANA))["code"])


def test_a_missing_verifier_a_late_code_and_another_redirect_uri_are_refused(google: Google) -> None:
    def redeem(**changes: str) -> dict[str, str]:
        flow = google.flow(EVENTS)
        url, _ = flow.authorization_url()
        form = {
            "grant_type": "authorization_code",
            "code": query_of(google.consent(url, ANA))["code"],
            "client_id": google.settings.google_client_id,
            "client_secret": google.settings.google_client_secret,
            "redirect_uri": REDIRECT,
            "code_verifier": flow.code_verifier,
        }
        if "wait" in changes:
            advance(google, float(changes.pop("wait")))
        answer = google.browser.post("/token", data=form | changes)
        return {"status": str(answer.status_code)} | {key: str(value) for key, value in answer.json().items()}

    assert redeem()["token_type"] == "Bearer"
    assert redeem(code_verifier="")["error_description"] == "Missing code verifier."
    assert redeem(wait="601")["error"] == "invalid_grant"
    assert redeem(redirect_uri=f"{REDIRECT}/other")["error"] == "redirect_uri_mismatch"
    assert redeem(client_secret="wrong") == {
        "status": "401",
        "error": "invalid_client",
        "error_description": "Unauthorized",
    }
    assert redeem(grant_type="password")["error"] == "unsupported_grant_type"


def test_nothing_is_sent_to_an_unregistered_redirect_uri(google: Google) -> None:
    for redirect in ("https://evil.example/callback", "javascript:alert(1)", ""):
        url, _ = google.flow(EVENTS, redirect_uri=redirect).authorization_url()
        page = google.browser.get(url)
        assert page.status_code == 400
        assert "redirect_uri_mismatch" in page.text
        assert google.browser.post(url, data={"account": ANA, "decision": "allow"}).status_code == 400
    url, _ = google.flow(EVENTS).authorization_url()
    assert google.browser.get(url.replace("google-client-id", "other")).status_code == 401
    assert google.browser.get(url.replace("calendar.events", "calendar.everything")).status_code == 400


def test_a_list_of_registered_redirect_uris_counts_exactly() -> None:
    settings = Settings(google_redirect_uris=frozenset({"https://app.example/cb"}))
    with running(create_app(settings)) as base, Google(base, settings) as google:
        url, _ = google.flow(EVENTS, redirect_uri="https://app.example/cb").authorization_url()
        assert google.browser.get(url).status_code == 200
        url, _ = google.flow(EVENTS).authorization_url()
        assert google.browser.get(url).status_code == 400


def test_the_user_may_refuse_or_tick_fewer_scopes(google: Google) -> None:
    url, _ = google.flow(EVENTS).authorization_url()
    assert query_of(google.consent(url, ANA, deny=True))["error"] == "access_denied"
    assert query_of(google.consent(url, ANA, untick=[EVENTS]))["error"] == "access_denied"

    limited = google.connect(ANA, EMAIL, EVENTS, FREEBUSY, untick=[EVENTS])
    assert set(limited.granted_scopes or []) == {EMAIL, FREEBUSY}
    calendar = google.calendar(limited)
    google.refused(calendar.events().list(calendarId="primary"), 403, "insufficientPermissions")
    window = {"timeMin": "2026-06-15T00:00:00Z", "timeMax": "2026-06-16T00:00:00Z", "items": [{"id": ANA}]}
    assert calendar.freebusy().query(body=window).execute()["calendars"][ANA] == {"busy": []}


def test_a_typed_address_wins_over_the_chosen_button_unless_it_is_the_hint(google: Google) -> None:
    google.control("POST", "accounts", {"email": ANA})
    hinted, _ = google.flow(EVENTS).authorization_url(login_hint="hint@example.com")

    def signed_in(other: str) -> str:
        form = {"account": ANA, "other": other, "scope": [EVENTS], "decision": "allow"}
        answer = google.browser.post(hinted, data=form, headers={"Origin": google.url})
        assert "code" in query_of(answer.headers["location"])
        return ",".join(sorted(account["email"] for account in google.control("GET", "accounts")))

    assert signed_in("") == ANA
    assert signed_in("hint@example.com") == ANA
    assert signed_in("typed@example.com") == f"{ANA},typed@example.com"


def test_a_refresh_token_comes_with_the_first_offline_consent_or_a_new_prompt(google: Google) -> None:
    assert google.connect(ANA, CALENDAR, prompt=None).refresh_token
    assert google.connect(ANA, CALENDAR, prompt=None).refresh_token is None
    assert google.connect(ANA, CALENDAR, prompt="consent").refresh_token
    flow = google.flow(CALENDAR)
    url, _ = flow.authorization_url(access_type="online", prompt="consent")
    flow.fetch_token(authorization_response=google.consent(url, ANA))
    assert flow.credentials.refresh_token is None


def test_an_access_token_ends_after_an_hour_and_is_refreshed_by_the_library(google: Google) -> None:
    credentials = google.connect(ANA)
    before = credentials.token
    advance(google, 3600)
    # The library sees 401 authError, refreshes by itself, and repeats the call.
    assert google.calendar(credentials).events().list(calendarId="primary").execute()["items"] == []
    assert credentials.token != before
    seen = {(item["operation"], item["status"]) for item in google.control("GET", "requests")}
    assert {("events.list", 401), ("oauth.token", 200), ("events.list", 200)} <= seen


def test_a_revoked_grant_is_invalid_grant_for_every_token_of_it(google: Google) -> None:
    first, second, other = google.connect(ANA), google.connect(ANA), google.connect("bo@example.com")
    assert google.browser.post("/revoke", data={"token": first.refresh_token}).status_code == 200
    assert google.browser.post("/revoke", data={"token": first.refresh_token}).json()["error"] == "invalid_token"
    for credentials in (first, second):
        with pytest.raises(RefreshError, match="invalid_grant"):
            google.refresh(credentials)
    google.refresh(other)
    google.control("POST", "accounts/bo@example.com/revoke")
    with pytest.raises(RefreshError, match="Token has been expired or revoked"):
        google.refresh(other)


def test_an_access_token_revokes_the_grant_as_well(google: Google) -> None:
    credentials = google.connect(ANA)
    assert google.browser.post("/revoke", params={"token": credentials.token}).status_code == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        google.refresh(credentials)


def test_a_refresh_token_dies_after_six_months_without_use(google: Google) -> None:
    credentials = google.connect(ANA)
    advance(google, 180 * DAY)
    google.refresh(credentials)
    advance(google, 183 * DAY)
    with pytest.raises(RefreshError, match="invalid_grant"):
        google.refresh(credentials)


def test_the_oldest_of_more_than_a_hundred_refresh_tokens_dies_silently(google: Google) -> None:
    oldest, second = google.connect(ANA), google.connect(ANA)
    for _ in range(99):
        google.connect(ANA)
    with pytest.raises(RefreshError, match="invalid_grant"):
        google.refresh(oldest)
    google.refresh(second)


def test_while_the_app_is_in_testing_refresh_tokens_last_seven_days() -> None:
    settings = Settings(google_publishing_status="testing")
    with running(create_app(settings)) as base, Google(base, settings) as google:
        credentials = google.connect(ANA)
        advance(google, 6 * DAY)
        google.refresh(credentials)
        advance(google, DAY + 1)
        with pytest.raises(RefreshError, match="invalid_grant"):
            google.refresh(credentials)


def test_a_rotated_refresh_token_replaces_the_old_one(google: Google) -> None:
    credentials = google.connect(ANA)
    old = credentials.refresh_token
    google.fault("refresh_token_rotation", times=1)
    google.refresh(credentials)
    assert credentials.refresh_token != old
    google.refresh(credentials)
    form = {"grant_type": "refresh_token", "refresh_token": old, "client_id": google.settings.google_client_id}
    answer = google.browser.post("/token", data=form | {"client_secret": google.settings.google_client_secret})
    assert answer.json()["error"] == "invalid_grant"


def test_a_failing_token_endpoint_is_not_a_dead_grant(google: Google) -> None:
    credentials = google.connect(ANA)
    fault = google.fault("error", operation="oauth.token", status=503)
    with pytest.raises(RefreshError) as failed:
        google.refresh(credentials)
    assert "invalid_grant" not in str(failed.value)
    google.control("DELETE", f"faults/{fault}")
    google.refresh(credentials)


def test_the_id_token_names_the_account_and_verifies(google: Google) -> None:
    flow = google.flow("openid", EMAIL, EVENTS)
    url, _ = flow.authorization_url(nonce="n-1")
    flow.fetch_token(authorization_response=google.consent(url, ANA))
    key = jwt.PyJWK(google.browser.get("/oauth2/v3/certs").json()["keys"][0])
    client = google.settings.google_client_id
    told = jwt.decode(flow.credentials.id_token, key, ["RS256"], audience=client, issuer="https://accounts.google.com")
    assert (told["email"], told["email_verified"], told["nonce"]) == (ANA, True, "n-1")
    bearer = {"Authorization": f"Bearer {flow.credentials.token}"}
    assert google.browser.get("/oauth2/v3/userinfo", headers=bearer).json()["sub"] == told["sub"]
    assert google.browser.get("/v1/userinfo").status_code == 401


def test_the_consent_form_is_accepted_from_its_own_page_only(google: Google) -> None:
    url, _ = google.flow(EVENTS).authorization_url()
    form = {"account": "other", "other": ANA, "scope": [EVENTS], "decision": "allow"}
    assert google.browser.post(url, data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    page = google.browser.get(url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    # Browsers hold the redirect after a form to form-action, too.
    assert "form-action 'self' http://127.0.0.1:1;" in policy
    assert google.browser.post(url, data=form | {"other": "<script>@x"}).status_code == 400


def test_no_token_and_a_wrong_token_are_401_with_a_challenge(google: Google) -> None:
    path = "/calendar/v3/calendars/primary/events"
    bare = google.browser.get(path)
    assert (bare.status_code, bare.json()["error"]["errors"][0]["reason"]) == (401, "required")
    wrong = google.browser.get(path, headers={"Authorization": "Bearer ya29.nothing"})
    assert wrong.json()["error"]["errors"][0] == {
        "domain": "global",
        "reason": "authError",
        "message": "Invalid Credentials",
        "locationType": "header",
        "location": "Authorization",
    }
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
