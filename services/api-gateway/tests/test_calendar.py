"""The calendar endpoints: what is asked of calendar-sync, and what its answers become."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from api_gateway.adapters.http.authorization import BrowserCookies
from chassis.http.internal_queries import QueryUnavailableError
from chassis.kafka.command_client import BrokerUnavailableError
from contracts.api.calendar import (
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    Confirmation,
    ConfirmAuthorization,
    GetConnection,
    StartAuthorization,
)
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import DisconnectCalendar, SetModalPreference, SyncCalendar
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.values.enums import CalendarProvider, FirstTimeModalPreference
from fastapi import Response

from tests.support.gateway import HEADERS, Gateway, gateway

CALENDAR = "/api/v1/calendar"
CALLBACK = f"{CALENDAR}/callback"


def rejected(code: ErrorCode) -> Reply:
    return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(ApiError(code)))


def ended(result: AuthorizationResult, **more: Any) -> Reply:
    return Reply(outcome=Outcome.OK, data=AuthorizationOutcome(result=result, **more).model_dump())


async def test_a_connection_is_asked_for_as_the_caller(api: Gateway) -> None:
    api.core.outcome = Reply(outcome=Outcome.OK, data={"status": "NONE"})
    answer = await api.client.get(f"{CALENDAR}/connection")
    assert (answer.status_code, answer.json()) == (200, {"status": "NONE"})
    [query] = api.core.queries
    assert isinstance(query, GetConnection)
    assert (query.actor.tenant_uuid, query.actor.user_id) == (HEADERS["x-tenant-uuid"], HEADERS["x-user-id"])


@pytest.mark.parametrize("name", ["google", "outlook"])
async def test_connecting_asks_for_the_provider(api: Gateway, name: str) -> None:
    api.core.outcome = Reply(outcome=Outcome.OK, data={"authorizationUrl": "https://example.com"})
    for key in ("1", "1", "2"):
        answer = await api.client.post(f"{CALENDAR}/connect/{name}", headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()) == (200, {"authorizationUrl": "https://example.com"})
    first, repeat, other = api.core.queries
    assert isinstance(first, StartAuthorization)
    assert first.provider is CalendarProvider[name.upper()]
    assert first == repeat
    assert first.request_id != other.request_id
    assert api.bus.commands == [], "a state is never on the bus"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "disconnect", None, DisconnectCalendar),
        ("POST", "sync", None, SyncCalendar),
        ("PUT", "connection/preferences", {"action": "DONT_SHOW"}, SetModalPreference),
    ],
)
async def test_the_rest_are_commands(api: Gateway, method: str, path: str, body: Any, kind: type) -> None:
    api.bus.outcome = Reply(outcome=Outcome.OK, data={"said": "by calendar-sync"})
    for _ in range(2):
        answer = await api.client.request(method, f"{CALENDAR}/{path}", json=body, headers={"Idempotency-Key": "1"})
        assert (answer.status_code, answer.json()) == (200, {"said": "by calendar-sync"})
    first, repeat = api.bus.commands
    assert isinstance(first, kind)
    assert first == repeat
    api.bus.outcome = rejected(ErrorCode.CALENDAR_NOT_CONNECTED)
    answer = await api.client.request(method, f"{CALENDAR}/{path}", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (409, "BE0426")
    api.bus.outcome = BrokerUnavailableError()
    answer = await api.client.request(method, f"{CALENDAR}/{path}", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "BE0503")


async def test_a_preference_is_part_of_what_a_key_stands_for(api: Gateway) -> None:
    for preference in FirstTimeModalPreference:
        headers = {"Idempotency-Key": "1"}
        await api.client.put(f"{CALENDAR}/connection/preferences", json={"action": preference}, headers=headers)
    assert len({command.command_id for command in api.bus.commands}) == 1
    assert len({command.fingerprint for command in api.bus.commands}) == len(FirstTimeModalPreference)


async def test_a_pull_that_takes_long_is_in_progress(api: Gateway) -> None:
    api.bus.outcome = None
    answer = await api.client.post(f"{CALENDAR}/sync")
    in_progress = {"status": "IN_PROGRESS", "imported": None, "updated": None, "removed": None}
    assert (answer.status_code, answer.json()) == (200, in_progress)


async def test_a_disconnection_that_takes_long_is_accepted(api: Gateway) -> None:
    api.bus.outcome = None
    answer = await api.client.post(f"{CALENDAR}/disconnect")
    assert (answer.status_code, answer.json()) == (202, {"status": "ACCEPTED"})
    assert answer.headers["location"] == f"{CALENDAR}/connection"


async def test_who_comes_back_is_led_to_the_page_of_success(api: Gateway) -> None:
    api.core.outcome = ended(AuthorizationResult.CONNECTED)
    answer = await api.client.get(f"{CALLBACK}/outlook?state=s&code=c&session_state=x")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{CALLBACK}/success?provider=outlook")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert api.core.queries == [
        CompleteAuthorization(provider=CalendarProvider.OUTLOOK, state="s", code="c", same_browser=False)
    ]
    page = await api.client.get(answer.headers["location"])
    assert "Outlook" in page.text


@pytest.mark.parametrize("result", [one for one in AuthorizationResult if one is not AuthorizationResult.CONNECTED])
async def test_who_failed_is_led_to_the_page_that_says_why(api: Gateway, result: AuthorizationResult) -> None:
    api.core.outcome = ended(result)
    answer = await api.client.get(f"{CALLBACK}/google?state=s&error=access_denied")
    location = urlsplit(answer.headers["location"])
    assert (answer.status_code, location.path) == (302, f"{CALLBACK}/oauth-failed")
    assert parse_qs(location.query) == {"reason": [result]}
    pages = [
        (await api.client.get(str(answer.headers["location"]), headers={"Accept-Language": language})).text
        for language in ("en", "es-CL,es;q=0.9")
    ]
    assert pages[0] != pages[1]
    assert 'lang="es"' in pages[1]
    assert "You can close this page." not in pages[1]


async def test_without_a_state_nobody_is_asked(api: Gateway) -> None:
    answer = await api.client.get(f"{CALLBACK}/google?code=c")
    assert answer.headers["location"] == f"{CALLBACK}/oauth-failed?reason=expired"
    assert api.core.queries == []


async def test_a_service_that_is_away_is_said_on_the_page_too(api: Gateway) -> None:
    api.core.outcome = QueryUnavailableError()
    answer = await api.client.get(f"{CALLBACK}/google?state=s&code=c")
    assert answer.headers["location"] == f"{CALLBACK}/oauth-failed?reason=unavailable"
    assert (await api.client.get(f"{CALENDAR}/connection")).status_code == 503
    assert (await api.client.post(f"{CALENDAR}/connect/google")).status_code == 503


async def test_a_flood_from_one_address_is_held_up() -> None:
    async with gateway(per_address=2) as api:
        answers = [await api.client.get(f"{CALLBACK}/google?code=c") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "could not be reached" in answers[-1].text


# --- which browser it is ------------------------------------------------------------------------------------------

CONFIRMATION = Confirmation(
    token="secret-token",
    user_name="Mallory \u202eX",
    user_email="mallory@example.com",
    firm="acme",
    calendar_email="bob@gmail.example.com",
)


async def begun(api: Gateway, state: str = "s") -> httpx.Response:
    url = f"https://accounts.example.com/auth?client_id=x&state={state}"
    api.core.outcome = Reply(outcome=Outcome.OK, data={"authorizationUrl": url})
    return await api.client.post(f"{CALENDAR}/connect/google")


async def test_the_browser_that_began_is_known_by_a_cookie_for_the_callback_only(api: Gateway) -> None:
    answer = await begun(api)
    [cookie] = answer.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", f"path={CALLBACK}", "max-age=3600"} == attributes
    api.core.outcome = ended(AuthorizationResult.CONNECTED)
    await api.client.get(f"{CALLBACK}/google?state=s&code=c")
    await api.client.get(f"{CALLBACK}/google?state=another&code=c")
    assert [query.same_browser for query in api.core.queries[1:]] == [True, False]


async def test_over_tls_the_cookie_is_secure() -> None:
    response = Response()
    BrowserCookies(secure=True).remember(response, "s")
    assert "; Secure" in response.headers["set-cookie"]


async def test_several_attempts_of_one_browser_do_not_disturb_each_other(api: Gateway) -> None:
    await begun(api, "one")
    await begun(api, "two")
    api.core.outcome = ended(AuthorizationResult.CONNECTED)
    for state in ("one", "two"):
        await api.client.get(f"{CALLBACK}/google?state={state}&code=c")
    assert [query.same_browser for query in api.core.queries[2:]] == [True, True]


async def test_another_browser_is_asked_by_a_page_that_names_user_firm_and_mailbox(api: Gateway) -> None:
    outcome = AuthorizationOutcome(result=AuthorizationResult.UNCONFIRMED, confirmation=CONFIRMATION)
    api.core.outcome = Reply(outcome=Outcome.OK, data=outcome.model_dump(mode="json"))
    page = await api.client.get(f"{CALLBACK}/google?state=s&code=c")
    assert page.status_code == 200
    for shown in ("Mallory X", "mallory@example.com", "acme", "bob@gmail.example.com", "Google Calendar"):
        assert shown in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    api.core.outcome = ended(AuthorizationResult.CONNECTED, calendar_email="bob@gmail.example.com")
    for answer, allowed in (("yes", True), ("no", False)):
        sent = await api.client.post(
            f"{CALLBACK}/google/confirmation", data={"token": "secret-token", "answer": answer}
        )
        assert sent.status_code == 303
        assert api.core.queries[-1] == ConfirmAuthorization(
            provider=CalendarProvider.GOOGLE, token="secret-token", allowed=allowed
        )
    success = await api.client.get(f"{CALLBACK}/success?provider=google")
    assert "bob@gmail.example.com" in success.text


@pytest.mark.parametrize("form", [{}, {"token": "x"}, {"token": "x", "answer": "maybe"}, {"answer": "yes"}])
async def test_an_incomplete_confirmation_confirms_nothing(api: Gateway, form: dict[str, str]) -> None:
    answer = await api.client.post(f"{CALLBACK}/google/confirmation", data=form)
    assert answer.status_code == 400
    assert "text/html" in answer.headers["content-type"]
    assert api.core.queries == []


@pytest.mark.parametrize("policy", ["refuse", "accept"])
async def test_a_setting_may_refuse_or_accept_other_browsers(policy: str) -> None:
    async with gateway(other_browser=policy) as api:
        api.core.outcome = ended(AuthorizationResult.CONNECTED)
        answer = await api.client.get(f"{CALLBACK}/google?state=s&code=c")
        if policy == "refuse":
            assert answer.headers["location"] == f"{CALLBACK}/oauth-failed?reason=other-browser"
            assert api.core.queries == []
        else:
            assert answer.headers["location"].startswith(f"{CALLBACK}/success")
            assert [query.same_browser for query in api.core.queries] == [True]
