"""Connecting: from the first click to a connection, or to a page that says why not."""

import asyncio
from datetime import timedelta

import pytest
from calendar_sync.providers.google.oauth import EVENTS
from contracts.api.calendar import (
    AuthorizationOutcome,
    AuthorizationResult,
    CompleteAuthorization,
    Confirmation,
    ConfirmAuthorization,
    StartAuthorization,
)
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_commands import SetModalPreference
from contracts.messages.calendar_events import ConnectionChanged
from contracts.messages.command import Actor
from contracts.values.enums import CalendarProvider, ConnectionStatus, FirstTimeModalPreference, SyncFailureCode
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now

from tests.support.calendars import Consents, GoogleConsents, MicrosoftConsents
from tests.support.connections import EMAIL, ConnectionsHarness, new_actor

pytestmark = pytest.mark.integration


async def test_a_user_connects(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    assert (account.provider, account.calendar_email, account.generation) == (consents.provider, EMAIL, 1)
    view = (await harness.connection(actor)).view()
    assert (view.status, view.provider, view.calendar_email) == (ConnectionStatus.CONNECTED, consents.provider, EMAIL)
    assert view.connected_at is not None
    assert view.last_error_code is None
    [event] = harness.told()
    assert event == ConnectionChanged(
        tenant_uuid=actor.tenant_uuid,
        user_id=actor.user_id,
        provider=consents.provider,
        status=ConnectionStatus.CONNECTED,
        generation=1,
        at=event.at,
    )
    assert consents.admits(await harness.accounts.access_token(account))


async def test_no_secret_is_stored_or_told_in_the_clear(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    url = await harness.begin(actor, consents.provider)
    query = consents.agree(url, EMAIL)
    waiting = str(await harness.document(actor))
    assert query["state"] not in waiting
    await harness.come_back(consents.provider, query)
    account = await harness.accounts.connected(actor.tenant_uuid, actor.user_id)
    assert account is not None
    connection = await harness.connection(actor)
    assert connection.encrypted_tokens is not None
    grant = harness.vault.decrypt_tokens(connection.encrypted_tokens, connection.connection_id)
    everywhere = str(await harness.document(actor)) + str(harness.publisher.records)
    for secret in (grant.access_token, grant.refresh_credential, query["code"], query["state"]):
        assert secret not in everywhere


async def test_a_state_is_good_once(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    url = await harness.begin(actor, consents.provider)
    query = consents.agree(url, EMAIL)
    results = await asyncio.gather(*(harness.come_back(consents.provider, query) for _ in range(5)))
    assert sorted(results) == sorted([AuthorizationResult.CONNECTED, *[AuthorizationResult.EXPIRED] * 4])
    assert (await harness.connection(actor)).is_connected


async def test_a_state_is_good_for_its_provider_only(
    harness: ConnectionsHarness, google: GoogleConsents, microsoft: MicrosoftConsents, actor: Actor
) -> None:
    query = google.agree(await harness.begin(actor, CalendarProvider.GOOGLE), EMAIL)
    assert await harness.come_back(CalendarProvider.OUTLOOK, query) is AuthorizationResult.EXPIRED
    assert await harness.come_back(CalendarProvider.GOOGLE, query) is AuthorizationResult.EXPIRED, "it was used up"


async def test_a_state_expires(harness: ConnectionsHarness, google: GoogleConsents, actor: Actor) -> None:
    query = StartAuthorization(actor=actor, provider=CalendarProvider.GOOGLE, request_id="1")
    reply = await harness.connecting(authorization_lifetime=timedelta(0)).start(query)
    back = google.agree(reply.data.authorization_url, EMAIL)
    assert await harness.come_back(CalendarProvider.GOOGLE, back) is AuthorizationResult.EXPIRED


async def test_a_state_that_nobody_made_is_refused(harness: ConnectionsHarness) -> None:
    assert (
        await harness.come_back(CalendarProvider.GOOGLE, {"state": "made up", "code": "x"})
        is AuthorizationResult.EXPIRED
    )


async def test_a_forged_code_connects_nothing(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    query = consents.agree(await harness.begin(actor, consents.provider), EMAIL)
    result = await harness.come_back(consents.provider, query | {"code": "forged"})
    assert result is AuthorizationResult.EXPIRED
    assert not (await harness.connection(actor)).is_connected


async def test_the_code_of_another_consent_does_not_fit(harness: ConnectionsHarness, consents: Consents) -> None:
    """PKCE: the code is bound to the browser that began the consent."""
    one, other = new_actor(), new_actor()
    stolen = consents.agree(await harness.begin(one, consents.provider), EMAIL)["code"]
    query = consents.agree(await harness.begin(other, consents.provider), "other@example.com")
    assert await harness.come_back(consents.provider, query | {"code": stolen}) is AuthorizationResult.EXPIRED
    assert not (await harness.connection(other)).is_connected


async def test_a_user_declines(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    query = consents.decline(await harness.begin(actor, consents.provider), EMAIL)
    assert await harness.come_back(consents.provider, query) is AuthorizationResult.DECLINED
    view = (await harness.connection(actor)).view()
    assert (view.status, view.last_error_code) == (ConnectionStatus.NONE, SyncFailureCode.PERMISSION_DENIED)
    assert harness.told() == []


async def test_a_user_grants_too_little(harness: ConnectionsHarness, google: GoogleConsents, actor: Actor) -> None:
    query = google.agree(await harness.begin(actor, CalendarProvider.GOOGLE), EMAIL, untick=[EVENTS])
    assert await harness.come_back(CalendarProvider.GOOGLE, query) is AuthorizationResult.INCOMPLETE
    connection = await harness.connection(actor)
    assert (connection.is_connected, connection.encrypted_tokens) == (False, None)
    query = google.agree(await harness.begin(actor, CalendarProvider.GOOGLE), EMAIL)
    assert await harness.come_back(CalendarProvider.GOOGLE, query) is AuthorizationResult.CONNECTED
    assert (await harness.connection(actor)).last_error_code is None


async def test_an_administrator_has_to_consent_first(
    harness: ConnectionsHarness, microsoft: MicrosoftConsents, actor: Actor
) -> None:
    microsoft.simulator.fault("admin_consent", account=EMAIL, operation="login.authorize")
    query = microsoft.agree(await harness.begin(actor, CalendarProvider.OUTLOOK), EMAIL)
    assert await harness.come_back(CalendarProvider.OUTLOOK, query) is AuthorizationResult.DECLINED


async def test_a_provider_is_away(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    query = consents.agree(await harness.begin(actor, consents.provider), EMAIL)
    consents.break_down()
    assert await harness.come_back(consents.provider, query) is AuthorizationResult.UNAVAILABLE
    view = (await harness.connection(actor)).view()
    assert (view.status, view.last_error_code) == (ConnectionStatus.NONE, SyncFailureCode.PROVIDER_UNAVAILABLE)


async def test_an_account_is_asked_for_again_when_the_answer_fails_once(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    """The code was exchanged by then and works only once: to fail would make the user start again."""
    operation = "oauth.userinfo" if consents.provider is CalendarProvider.GOOGLE else "me.get"
    consents.simulator.fault("error", operation=operation, status=503, times=1)
    query = consents.agree(await harness.begin(actor, consents.provider), EMAIL)
    assert await harness.come_back(consents.provider, query) is AuthorizationResult.CONNECTED


async def test_a_repeated_request_is_answered_alike(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    first = await harness.begin(actor, consents.provider, "request 1")
    assert await harness.begin(actor, consents.provider, "request 1") == first
    assert await harness.begin(actor, consents.provider, "request 2") != first


async def test_of_two_windows_one_connects(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    windows = [consents.agree(await harness.begin(actor, consents.provider), EMAIL) for _ in range(2)]
    results = await asyncio.gather(*(harness.come_back(consents.provider, query) for query in windows))
    assert results.count(AuthorizationResult.CONNECTED) == 1
    assert set(results) <= {
        AuthorizationResult.CONNECTED,
        AuthorizationResult.ALREADY_CONNECTED,
        AuthorizationResult.EXPIRED,
    }
    assert (await harness.connection(actor)).generation == 1


async def test_who_is_connected_cannot_connect(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    await harness.connect(actor, consents)
    with pytest.raises(ApiError) as refusal:
        await harness.begin(actor, consents.provider)
    assert refusal.value.code is ErrorCode.CALENDAR_ALREADY_CONNECTED


async def test_a_preference_survives_everything(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    preference = FirstTimeModalPreference.DONT_SHOW
    command = SetModalPreference(command_id="1", fingerprint=preference, actor=actor, action=preference)
    reply = await harness.connection_service.execute(command)
    assert (reply.data.first_time_modal_pref, reply.data.status) == (preference, ConnectionStatus.NONE)
    await harness.connect(actor, consents)
    await harness.disconnect(actor)
    assert (await harness.connection(actor)).first_time_modal_pref is preference
    other = FirstTimeModalPreference.SHOW_ALWAYS
    reused = SetModalPreference(command_id="1", fingerprint=other, actor=actor, action=other)
    refused = (await harness.connection_service.execute(reused)).error
    assert refused is not None
    assert refused.code == ErrorCode.IDEMPOTENCY_KEY_REUSED.code


async def test_an_account_that_was_renamed_is_the_same_account(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    old, new = (f"{uuid7_hex()}@example.com".lower() for _ in range(2))
    before = await harness.connect(actor, consents, old)
    await harness.disconnect(actor)
    consents.simulator.control("POST", f"accounts/{old}/rename", {"email": new})
    after = await harness.connect(actor, consents, new)
    assert (after.key, after.calendar_email) == (before.key, new)
    other = await harness.connect(new_actor(), consents, f"other.{old}")
    assert other.key != before.key


async def test_an_account_that_takes_over_an_address_is_another_account(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    consents, old = google, f"{uuid7_hex()}@example.com".lower()
    before = await harness.connect(actor, consents, old)
    consents.simulator.control("POST", f"accounts/{old}/rename", {"email": f"renamed.{old}"})
    after = await harness.connect(new_actor(), consents, old)
    assert after.key != before.key


# --- another browser than the one that began --------------------------------------------------------------------------


async def asked(harness: ConnectionsHarness, consents: Consents, actor: Actor, url: str | None = None) -> Confirmation:
    """What the user is asked who granted access in another browser; ``url``: where they were sent before."""
    back = consents.agree(url or await harness.begin(actor, consents.provider), EMAIL)
    question = CompleteAuthorization(
        provider=consents.provider, state=back["state"], code=back["code"], same_browser=False
    )
    outcome = AuthorizationOutcome.model_validate((await harness.connecting().complete(question)).data)
    assert outcome.result is AuthorizationResult.UNCONFIRMED
    assert outcome.confirmation is not None
    return outcome.confirmation


async def answers(
    harness: ConnectionsHarness, consents: Consents, token: str, *, allowed: bool
) -> AuthorizationOutcome:
    question = ConfirmAuthorization(provider=consents.provider, token=token, allowed=allowed)
    return AuthorizationOutcome.model_validate((await harness.connecting().confirm(question)).data)


async def test_in_another_browser_nothing_is_connected_until_the_user_has_confirmed(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    confirmation = await asked(harness, consents, actor)
    assert (confirmation.user_email, confirmation.firm) == (actor.email, actor.tenant_uuid)
    assert (confirmation.user_name, confirmation.calendar_email) == (actor.name, EMAIL)
    assert not (await harness.connection(actor)).is_connected
    assert confirmation.token not in str(await harness.document(actor))
    outcome = await answers(harness, consents, confirmation.token, allowed=True)
    assert (outcome.result, outcome.calendar_email) == (AuthorizationResult.CONNECTED, EMAIL)
    account = await harness.accounts.connected(actor.tenant_uuid, actor.user_id)
    assert account is not None
    assert consents.admits(await harness.accounts.access_token(account))
    again = await answers(harness, consents, confirmation.token, allowed=True)
    assert again.result is AuthorizationResult.EXPIRED


async def test_who_did_not_mean_it_gets_the_grant_back(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    confirmation = await asked(harness, consents, actor)
    outcome = await answers(harness, consents, confirmation.token, allowed=False)
    assert outcome.result is AuthorizationResult.DECLINED
    connection = await harness.connection(actor)
    assert not connection.is_connected
    [leaving] = connection.pending_revocations
    assert leaving.calendar_email == EMAIL
    grant = harness.vault.decrypt_tokens(leaving.encrypted_tokens, connection.connection_id)
    assert grant.access_token not in str(await harness.document(actor))
    assert (await answers(harness, consents, confirmation.token, allowed=True)).result is AuthorizationResult.EXPIRED


async def test_no_revocation_ends_what_is_still_to_be_confirmed(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    """Google ends with one grant all that the account has granted since."""
    await harness.connect(actor, google)
    await harness.disconnect(actor)
    url = await harness.begin(actor, google.provider)
    soon = utc_now() + timedelta(minutes=2)  # the user has spent almost all of their time at Google
    await harness.documents.update_one({"userId": actor.user_id}, {"$set": {"revocation.dueAt": soon}})
    confirmation = await asked(harness, google, actor, url)
    document = await harness.document(actor)
    assert document["revocation"]["dueAt"] >= document["pendingAuthorizations"][0]["expiresAt"]
    assert (await answers(harness, google, confirmation.token, allowed=True)).result is AuthorizationResult.CONNECTED


@pytest.mark.parametrize("ending", ["refused", "failed"])
async def test_one_window_does_not_end_what_is_to_be_confirmed_in_another(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor, ending: str
) -> None:
    kept = await asked(harness, google, actor)
    other = await asked(harness, google, actor)
    assert (await answers(harness, google, other.token, allowed=False)).result is AuthorizationResult.DECLINED
    if ending == "failed":
        back = google.decline(await harness.begin(actor, google.provider), EMAIL)
        assert await harness.come_back(google.provider, back) is AuthorizationResult.DECLINED
    document = await harness.document(actor)
    assert document["revocation"]["dueAt"] >= document["pendingAuthorizations"][0]["expiresAt"]
    assert (await answers(harness, google, kept.token, allowed=True)).result is AuthorizationResult.CONNECTED
    async with harness.leaving().running():
        account = await harness.accounts.connected(actor.tenant_uuid, actor.user_id)
        assert account is not None
        assert google.admits(await harness.accounts.access_token(account))


async def test_neither_a_state_confirms_nor_a_confirmation_completes(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    back = google.agree(await harness.begin(actor, google.provider), EMAIL)
    assert (await answers(harness, google, back["state"], allowed=True)).result is AuthorizationResult.EXPIRED
    confirmation = await asked(harness, google, actor)
    assert (
        await harness.come_back(google.provider, {"state": confirmation.token, "code": "c"})
    ) is AuthorizationResult.EXPIRED
    assert not (await harness.connection(actor)).is_connected
