"""A user's calendar connection, through the gateway: consent at the simulated providers, and what is left of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from calendar_sync.connections.vault import AesGcmTokenVault
from contracts.transport.topics import CALENDAR_COMMANDS, CALENDAR_EVENTS, GATEWAY_REPLIES, dead_letter_topics
from contracts.values.enums import CalendarProvider
from localrun.platform import Platform
from pymongo import AsyncMongoClient
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft

from tests.support.calendars import Consents, GoogleConsents, MicrosoftConsents
from tests.support.callers import Caller, Json, done, refused
from tests.support.topics import recording
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CALENDAR = "/api/v1/calendar"
NAMES = {CalendarProvider.GOOGLE: "google", CalendarProvider.OUTLOOK: "outlook"}
AHEAD = {"startDateTime": "2031-06-16T15:00:00", "endDateTime": "2031-06-16T15:45:00"}
NEVER_CONNECTED: Json = {
    "provider": None,
    "status": "NONE",
    "calendarEmail": None,
    "connectedAt": None,
    "lastSyncedAt": None,
    "firstTimeModalPref": "SHOW_ALWAYS",
    "lastErrorCode": None,
    "lastErrorReason": None,
}


@pytest.fixture(scope="session")
def google(platform: Platform) -> Iterator[GoogleConsents]:
    assert platform.addresses.google is not None
    with Google(platform.addresses.google) as simulator:
        yield GoogleConsents(simulator)


@pytest.fixture(scope="session")
def microsoft(platform: Platform) -> Iterator[MicrosoftConsents]:
    assert platform.addresses.microsoft is not None
    with Microsoft(platform.addresses.microsoft) as simulator:
        yield MicrosoftConsents(simulator)


@pytest.fixture(params=["google", "microsoft"])
def consents(request: pytest.FixtureRequest) -> Consents:
    found: Consents = request.getfixturevalue(request.param)
    return found


async def begin(caller: Caller, consents: Consents, **headers: str) -> str:
    url: str = done(await caller.post(f"{CALENDAR}/connect/{NAMES[consents.provider]}", **headers))["authorizationUrl"]
    return url


async def come_back(
    caller: Caller, consents: Consents, query: dict[str, str], *, same_browser: bool = True
) -> httpx.Response:
    """The browser, which is known by its cookies alone, at the callback."""
    cookies = caller.http.cookies if same_browser else None
    async with httpx.AsyncClient(
        base_url=caller.http.base_url, trust_env=False, timeout=30, cookies=cookies
    ) as browser:
        return await browser.get(f"{CALENDAR}/callback/{NAMES[consents.provider]}", params=query)


async def connect(caller: Caller, consents: Consents, email: str) -> dict[str, str]:
    """Connect; gives what the browser came back with."""
    query = consents.agree(await begin(caller, consents), email)
    back = await come_back(caller, consents, query)
    name = NAMES[consents.provider]
    assert (back.status_code, back.headers["location"]) == (302, f"{CALENDAR}/callback/success?provider={name}")
    return query


async def disconnect(caller: Caller) -> Json:
    return done(await caller.post(f"{CALENDAR}/disconnect"))


async def connection(caller: Caller) -> Json:
    return done(await caller.get(f"{CALENDAR}/connection"))


async def test_nobody_is_connected_at_first(ingrid: Caller) -> None:
    assert await connection(ingrid) == NEVER_CONNECTED
    refused(await ingrid.post(f"{CALENDAR}/disconnect"), 409, "BE0426")
    refused(await ingrid.post(f"{CALENDAR}/sync"), 409, "BE0426")


async def test_a_user_connects_and_disconnects(camila: Caller, consents: Consents) -> None:
    query = await connect(camila, consents, "camila@example.com")
    found = await connection(camila)
    assert (found["provider"], found["status"]) == (consents.provider, "CONNECTED")
    assert (found["calendarEmail"], found["lastErrorCode"]) == ("camila@example.com", None)
    assert found["connectedAt"].endswith("Z")
    refused(await camila.post(f"{CALENDAR}/connect/google"), 409, "BE0425")
    again = await come_back(camila, consents, query)
    assert again.headers["location"] == f"{CALENDAR}/callback/oauth-failed?reason=expired"
    ended = await disconnect(camila)
    assert (ended["status"], ended["provider"]) == ("DISCONNECTED", consents.provider)
    refused(await camila.post(f"{CALENDAR}/disconnect"), 409, "BE0426")


async def test_another_browser_is_asked_before_anything_is_connected(camila: Caller, consents: Consents) -> None:
    """As of somebody who was sent the address that another user got: they would give away their calendar."""
    name = NAMES[consents.provider]
    for answer, ends in (("no", "oauth-failed?reason=declined"), ("yes", f"success?provider={name}")):
        query = consents.agree(await begin(camila, consents), "victim@example.com")
        page = await come_back(camila, consents, query, same_browser=False)
        assert page.status_code == 200, page.headers.get("location")
        for shown in (camila.person.email, "victim@example.com", camila.person.name.split()[0]):
            assert shown in page.text
        assert (await connection(camila))["status"] != "CONNECTED"
        [token] = re.findall('name="token" value="([^"]+)"', page.text)
        async with httpx.AsyncClient(base_url=camila.http.base_url, trust_env=False, timeout=30) as browser:
            sent = await browser.post(
                f"{CALENDAR}/callback/{name}/confirmation", data={"token": token, "answer": answer}
            )
            assert (sent.status_code, sent.headers["location"]) == (303, f"{CALENDAR}/callback/{ends}")
            after = await browser.get(sent.headers["location"])
            assert ("victim@example.com" in after.text) is (answer == "yes")
    assert (await connection(camila))["calendarEmail"] == "victim@example.com"
    await disconnect(camila)


async def test_a_repeat_is_answered_as_the_first_time(daniel: Caller, google: GoogleConsents) -> None:
    url = await begin(daniel, google, Idempotency_Key="connect-1")
    assert await begin(daniel, google, Idempotency_Key="connect-1") == url
    await come_back(daniel, google, google.agree(url, "daniel@example.com"))
    first = done(await daniel.post(f"{CALENDAR}/disconnect", Idempotency_Key="disconnect-1"))
    assert done(await daniel.post(f"{CALENDAR}/disconnect", Idempotency_Key="disconnect-1")) == first


async def test_a_preference_is_kept(ana: Caller) -> None:
    path = f"{CALENDAR}/connection/preferences"
    for preference in ("DONT_SHOW", "REMIND_LATER", "SHOW_ALWAYS"):
        changed = done(await ana.put(path, {"action": preference}))
        assert changed["firstTimeModalPref"] == preference
        assert await connection(ana) == changed
    for body in ({}, {"action": None}, {"action": "NEVER"}, {"action": 1}):
        error = refused(await ana.put(path, body), 400, "BE0201")
        assert error["details"][0].startswith("action: ")


async def test_a_withdrawn_grant_is_noticed(valentina: Caller, consents: Consents) -> None:
    """By whatever uses the account next; its work waits, and goes on when the account is connected again."""
    email = f"withdrawn@{NAMES[consents.provider]}.example.com"
    await connect(valentina, consents, email)
    consents.withdraw(email)
    meeting = await valentina.creates(**AHEAD)

    async def lost() -> Json | None:
        found = await connection(valentina)
        return found if found["status"] == "DISCONNECTED" else None

    found = await until(lost, what="the withdrawn grant is noticed")
    assert found["lastErrorCode"] == "TOKEN_REVOKED"
    assert "Connect the calendar again" in found["lastErrorReason"]
    await connect(valentina, consents, email)
    assert (await connection(valentina))["lastErrorCode"] is None

    async def written() -> bool:
        return bool((await valentina.sees(meeting))["externalSyncStatus"] == "SYNCED")

    await until(written, what="what waited for the account is written")
    await valentina.cancels(meeting)
    await disconnect(valentina)


@pytest.mark.parametrize("path", ["connection", "connect/google", "disconnect", "sync", "connection/preferences"])
async def test_strangers_have_no_connection(gateway_url: str, path: str) -> None:
    method = {"connection": "GET", "connection/preferences": "PUT"}.get(path, "POST")
    async with httpx.AsyncClient(base_url=gateway_url, trust_env=False) as stranger:
        refused(await stranger.request(method, f"{CALENDAR}/{path}"), 401, "BE0401")


async def test_an_unknown_provider_is_named(valentina: Caller) -> None:
    error = refused(await valentina.post(f"{CALENDAR}/connect/yahoo"), 400, "BE0201")
    assert error["details"] == ["provider: Input should be 'google' or 'outlook'"]


@pytest.mark.parametrize(
    "path",
    [
        "google",
        "google?state=made-up&code=made-up",
        "outlook?error=access_denied&error_description=<script>alert(1)</script>",
        f"google?state={'x' * 300}",
        "yahoo?state=1&code=2",
        "oauth-failed?reason=<script>alert(1)</script>",
        "success?provider=<script>alert(1)</script>",
    ],
)
async def test_nothing_a_stranger_sends_is_echoed(gateway_url: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=gateway_url, trust_env=False, follow_redirects=True) as stranger:
        answer = await stranger.get(f"{CALENDAR}/callback/{path}")
    assert answer.status_code in (200, 400)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "alert(1)" not in answer.text
    assert "made-up" not in answer.text


async def test_no_secret_leaves_the_vault(platform: Platform, daniel: Caller, consents: Consents) -> None:
    """Neither code nor state nor any token is in a log, on a topic, in a metric, or readable in the database."""
    topics = [topic.name for topic in (CALENDAR_COMMANDS, CALENDAR_EVENTS, GATEWAY_REPLIES, *dead_letter_topics())]
    planted = {"state": "planted-state", "code": "planted-code"}
    async with recording(platform.addresses.kafka, *topics) as log:
        declined = consents.decline(await begin(daniel, consents), "secretive@example.com")
        await come_back(daniel, consents, declined)
        await come_back(daniel, consents, planted)
        query = await connect(daniel, consents, "secretive@example.com")
        document, tokens = await _stored(platform, daniel)
        await daniel.cancels(await daniel.creates())
        await disconnect(daniel)
        await log.first(
            lambda record: record.topic == CALENDAR_EVENTS.name and b"DISCONNECTED" in (record.value or b""),
            what="it is told",
        )
    secrets = {*tokens, *planted.values(), declined["state"], query["state"], query["code"]}
    haystacks = {f"the topic {record.topic}": str(record) for record in log.records}
    haystacks |= {path.name: path.read_text() for path in (platform.state_dir / "logs").glob("*.log")}
    haystacks |= {f"{name}'s metrics": await _metrics(platform, name) for name in ("api-gateway", "calendar-sync")}
    haystacks["the database"] = document
    assert {"api-gateway.log", "calendar-sync.log"} <= set(haystacks)
    assert {where for where, text in haystacks.items() if any(secret in text for secret in secrets)} == set()


async def _stored(platform: Platform, caller: Caller) -> tuple[str, set[str]]:
    """The caller's connection as it is stored, and the tokens that are sealed in it."""
    keys = json.loads((platform.state_dir / "keys.json").read_text())
    vault = AesGcmTokenVault.parse(keys["token_encryption_keys"])
    async with AsyncMongoClient[dict[str, Any]](platform.addresses.mongodb) as client:
        owner = f"{caller.person.tenant_uuid}:{caller.user_id}"
        document = await client["calendar_sync"]["connections"].find_one({"_id": owner})
    assert document is not None
    grant = vault.decrypt_tokens(document["encryptedTokens"], owner)
    tokens = {grant.access_token, grant.refresh_credential}
    if document["provider"] == CalendarProvider.OUTLOOK:
        tokens |= {one["secret"] for one in json.loads(grant.refresh_credential)["RefreshToken"].values()}
    return str(document), tokens


async def _metrics(platform: Platform, name: str) -> str:
    env = platform.processes[name].env
    assert env is not None
    async with httpx.AsyncClient(trust_env=False) as operator:
        return (await operator.get(f"http://127.0.0.1:{env['HTTP_PORT']}/metrics")).raise_for_status().text
