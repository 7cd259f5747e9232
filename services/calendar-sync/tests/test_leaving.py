"""Disconnecting: at once for the user; the grant is given back and forgotten soon after."""

from datetime import timedelta

import pytest
from calendar_sync.connections.model import Connection
from calendar_sync.providers.accounts import Account, GrantRevokedError
from chassis.jobs.queue import LeasedJob
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.messages.replies import Outcome
from contracts.values.enums import ConnectionStatus, SyncFailureCode

from tests.support.calendars import Consents, GoogleConsents
from tests.support.connections import ConnectionsHarness, new_actor
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def left(harness: ConnectionsHarness, actor: Actor) -> Connection:
    """The connection once nothing is left to be revoked."""

    async def forgotten() -> Connection | None:
        connection = await harness.connection(actor)
        return connection if not connection.pending_revocations else None

    async with harness.leaving().running():
        return await until(forgotten, what="the grant is forgotten")


async def test_a_user_disconnects(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    reply = await harness.disconnect(actor, "1")
    assert (reply.outcome, reply.data.status) == (Outcome.OK, ConnectionStatus.DISCONNECTED)
    assert [event.status for event in harness.told()] == [ConnectionStatus.CONNECTED, ConnectionStatus.DISCONNECTED]
    assert harness.woken
    connection = await left(harness, actor)
    assert (connection.status, connection.encrypted_tokens) == (ConnectionStatus.DISCONNECTED, None)
    document = await harness.document(actor)
    assert "dueAt" not in document["revocation"]
    if isinstance(consents, GoogleConsents):  # Microsoft has no way to give a grant back
        assert not consents.admits(token)

    assert (await harness.disconnect(actor, "1")).outcome is Outcome.OK, "a repeat is answered as the first time"
    refused = (await harness.disconnect(actor, "2")).error
    assert refused is not None
    assert refused.code == ErrorCode.CALENDAR_NOT_CONNECTED.code
    assert len(harness.told()) == 2


async def test_a_grant_that_another_user_needs_is_not_revoked(
    harness: ConnectionsHarness, google: GoogleConsents
) -> None:
    """Google ends all grants of an account at once; a person may work for two tenants with one calendar."""
    one, other = new_actor(), new_actor(tenant_uuid="T-OTHER")
    email = f"{one.user_id}@example.com".lower()
    await harness.connect(one, google, email)
    flow_state = await harness.accounts.access_token(await harness.connect(other, google, email))
    await harness.disconnect(one)
    await left(harness, one)
    assert google.admits(flow_state)
    await harness.disconnect(other)
    await left(harness, other)
    assert not google.admits(flow_state)


async def test_who_reconnects_at_once_is_not_cut_off(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    await harness.connect(actor, google)
    await harness.disconnect(actor)
    again = await harness.connect(actor, google)
    await left(harness, actor)
    assert google.admits(await harness.accounts.access_token(again))


async def test_a_consent_waits_for_the_revocation_before_it(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    """Google ends with a grant also the codes that it has given out for the account since."""
    await harness.connect(actor, google)
    google.simulator.fault("latency", operation="oauth.revoke", seconds=0.5)
    await harness.disconnect(actor)

    async def under_way() -> bool:
        return "lease" in (await harness.document(actor))["revocation"]

    async with harness.leaving().running():
        await until(under_way, what="the grant is being revoked")
        again = await harness.connect(actor, google)
    google.recover()
    assert google.admits(await harness.accounts.access_token(again))


async def test_no_revocation_begins_while_the_user_consents(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    await harness.connect(actor, google)
    await harness.disconnect(actor)
    await harness.begin(actor, google.provider)
    document = await harness.document(actor)
    assert document["revocation"]["dueAt"] >= document["pendingAuthorizations"][0]["expiresAt"]


async def test_a_revocation_that_does_not_end_refuses_to_begin(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calendar_sync.connections.authorization._MAX_WAIT_TO_START", timedelta(seconds=0.1))
    await harness.connect(actor, google)
    await harness.disconnect(actor)
    await harness.documents.update_one({"userId": actor.user_id}, {"$set": {"revocation.lease": {}}})
    with pytest.raises(ApiError) as refused:
        await harness.begin(actor, google.provider)
    assert refused.value.code is ErrorCode.SERVICE_UNAVAILABLE


async def test_a_grant_is_left_when_another_account_is_connected(
    harness: ConnectionsHarness, google: GoogleConsents
) -> None:
    actor = new_actor()
    token = await harness.accounts.access_token(await harness.connect(actor, google, "first@example.com"))
    await harness.disconnect(actor)
    again = await harness.connect(actor, google, "second@example.com")
    await left(harness, actor)
    assert not google.admits(token)
    assert google.admits(await harness.accounts.access_token(again))


async def test_a_grant_is_forgotten_also_when_the_provider_stays_away(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calendar_sync.connections import revocation as leaving  # noqa: PLC0415 only its limit

    monkeypatch.setattr(leaving, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(leaving, "backoff", lambda *_, **__: 0.05)
    attempts: list[LeasedJob] = []
    await harness.connect(actor, google)
    monkeypatch.setattr(harness.providers[google.provider], "_revoke_url", "http://127.0.0.1:1/revoke")
    work = leaving.GrantRevoker.work

    async def counted(self: leaving.GrantRevoker, lease: LeasedJob) -> object:
        attempts.append(lease)
        return await work(self, lease)

    monkeypatch.setattr(leaving.GrantRevoker, "work", counted)
    await harness.disconnect(actor)
    await left(harness, actor)
    assert len(attempts) == 2


async def test_watching_ends_before_the_grant(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    from calendar_sync.connections.repository import REVOCATION, to_connection  # noqa: PLC0415
    from calendar_sync.connections.revocation import GrantRevoker  # noqa: PLC0415
    from chassis.jobs.queue import JobQueue  # noqa: PLC0415
    from chassis.jobs.worker_pool import WorkerPool  # noqa: PLC0415

    stopped: list[tuple[Account, bool]] = []

    class ChannelStopper:
        async def stop(self, account: Account, access_token: str) -> None:
            stopped.append((account, google.admits(access_token)))

    account = await harness.connect(actor, google)
    await harness.disconnect(actor)
    taking = GrantRevoker(harness.connections, harness.providers, harness.vault, ChannelStopper(), to_connection)

    async def forgotten() -> bool:
        return not (await harness.connection(actor)).pending_revocations

    async with WorkerPool(
        JobQueue(harness.documents, REVOCATION, seconds=5), taking.work, concurrency=1, poll=0.05
    ).running():
        await until(forgotten, what="the grant is forgotten")
    assert stopped == [(account, True)]


async def test_a_lost_connection_can_be_ended_once(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    consents.withdraw(account.calendar_email)
    with pytest.raises(GrantRevokedError):
        await harness.accounts.access_token(account, refused=token)
    assert harness.told()[-1].error_code is SyncFailureCode.TOKEN_REVOKED
    assert (await harness.disconnect(actor)).outcome is Outcome.OK
    connection = await harness.connection(actor)
    assert (connection.status, connection.last_error_code) == (ConnectionStatus.DISCONNECTED, None)
    last = harness.told()[-1]
    assert (last.status, last.error_code) == (ConnectionStatus.DISCONNECTED, None), "what was read is forgotten"
    assert (await harness.disconnect(actor)).outcome is Outcome.REJECTED
