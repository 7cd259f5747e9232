"""Access tokens: always a good one, renewed by one at a time, and the end of a grant noticed for what it is."""

import asyncio
from datetime import UTC, datetime

import pytest
from calendar_sync.connections.model import Connection
from calendar_sync.connections.repository import MongoConnectionRepository
from calendar_sync.providers.accounts import GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.external_event import Window
from calendar_sync.providers.oauth import TokenSet
from contracts.messages.command import Actor
from contracts.values.enums import ConnectionStatus, SyncFailureCode
from contracts.values.times import utc_now
from pymongo.errors import AutoReconnect

from tests.support.calendars import Consents
from tests.support.connections import KEY, OTHER_KEY, ConnectionsHarness

pytestmark = pytest.mark.integration


WINDOW = Window(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


async def test_a_good_token_is_kept(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    first = await harness.accounts.access_token(account)
    assert await harness.accounts.access_token(account) == first


async def test_a_refused_token_is_replaced(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    first = await harness.accounts.access_token(account)
    second = await harness.accounts.access_token(account, refused=first)
    assert second != first
    assert consents.admits(second)
    assert await harness.accounts.access_token(account, refused=first) == second, "who comes late adopts it"


async def test_many_who_renew_at_once_renew_once(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    """In two processes, at a provider that ends a refresh token when it gives the next one."""
    email = f"{actor.user_id}@example.com".lower()
    account = await harness.connect(actor, consents, email)
    consents.rotate()
    processes = [harness.accounts, harness.accounts]
    refused = await harness.accounts.access_token(account)
    for number in range(1, 4):
        before = consents.renewals(email)
        tokens = await asyncio.gather(
            *(process.access_token(account, refused=refused) for process in processes for _ in range(10))
        )
        assert len(set(tokens)) == 1
        assert consents.admits(tokens[0])
        assert consents.renewals(email) == before + 1, f"round {number}"
        refused = tokens[0]
    assert (await harness.connection(actor)).is_connected


async def test_a_withdrawn_grant_ends_the_connection(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    consents.withdraw(account.calendar_email)
    for _ in range(2):
        with pytest.raises(GrantRevokedError):
            await harness.accounts.access_token(account, refused=token)
    connection = await harness.connection(actor)
    assert (connection.status, connection.encrypted_tokens) == (ConnectionStatus.DISCONNECTED, None)
    assert connection.last_error_code is SyncFailureCode.TOKEN_REVOKED
    assert connection.last_error_reason is not None
    assert [(event.status, event.error_code) for event in harness.told()] == [
        (ConnectionStatus.CONNECTED, None),
        (ConnectionStatus.DISCONNECTED, SyncFailureCode.TOKEN_REVOKED),
    ]
    assert await harness.accounts.connected(actor.tenant_uuid, actor.user_id) is None

    again = await harness.connect(actor, consents)
    assert again.generation == 2
    assert (await harness.connection(actor)).last_error_code is None
    with pytest.raises(GrantRevokedError):  # work of the earlier generation stays parked
        await harness.accounts.access_token(account)
    assert consents.admits(await harness.accounts.access_token(again))


async def test_a_login_that_is_away_ends_nothing(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    consents.break_down()
    with pytest.raises(ProviderUnavailableError):
        await harness.accounts.access_token(account, refused=token)
    assert (await harness.connection(actor)).is_connected
    consents.recover()
    assert consents.admits(await harness.accounts.access_token(account, refused=token))


async def test_who_gives_up_waiting_loses_nothing(
    harness: ConnectionsHarness, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal goes on: its refresh token may be the only one that holds."""
    consents.rotate()
    account = await harness.connect(actor, consents)
    provider, accounts = harness.providers[consents.provider], harness.accounts
    renew, begun, may_end = provider.refresh, asyncio.Event(), asyncio.Event()

    async def slow(grant: TokenSet) -> TokenSet:
        begun.set()
        await may_end.wait()
        return await renew(grant)

    monkeypatch.setattr(provider, "refresh", slow)
    token = await accounts.access_token(account)
    async with accounts.draining():
        impatient = asyncio.create_task(accounts.access_token(account, refused=token))
        await begun.wait()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        may_end.set()
    flow_state = await harness.accounts.access_token(account)
    assert flow_state != token
    assert consents.admits(flow_state)


async def test_a_renewed_grant_outlives_a_database_that_is_away(
    harness: ConnectionsHarness, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    consents.rotate()
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    write = harness.documents.update_one
    failures = iter([False, True, True])  # the claim passes, keeping fails twice

    async def failing(*args: object, **options: object) -> object:
        if next(failures, False):
            raise AutoReconnect("away")
        return await write(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(harness.documents, "update_one", failing)
    renewed = await harness.accounts.access_token(account, refused=token)
    assert next(failures, None) is None
    assert await harness.accounts.access_token(account) == renewed


async def test_other_changes_do_not_undo_a_renewal(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    """A preference that is set while a grant is renewed is written beside the new grant."""
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    renewed = ""

    stale = await harness.connection(actor)
    renewed = await harness.accounts.access_token(account, refused=token)
    connections: MongoConnectionRepository = harness.connections
    tried: list[Connection] = []
    find = connections.find

    async def stale_first(tenant_uuid: str, user_id: str) -> Connection | None:
        tried.append(stale)
        return stale if len(tried) == 1 else await find(tenant_uuid, user_id)

    connections.find = stale_first  # type: ignore[method-assign]
    await harness.accounts.record_error(account, SyncFailureCode.RATE_LIMITED, "slow")
    connections.find = find  # type: ignore[method-assign]
    assert len(tried) == 2
    assert await harness.accounts.access_token(account) == renewed
    assert (await harness.connection(actor)).last_error_code is SyncFailureCode.RATE_LIMITED


async def test_keys_rotate_without_anybody_noticing(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    with pytest.raises(ProviderUnavailableError):  # a key that is missing is ours to put right
        await harness.with_keys(OTHER_KEY).accounts.access_token(account)
    assert (await harness.connection(actor)).is_connected
    both = harness.with_keys(OTHER_KEY, KEY)
    assert await both.accounts.access_token(account) == token
    renewed = await both.accounts.access_token(account, refused=token)
    assert await harness.with_keys(OTHER_KEY).accounts.access_token(account) == renewed


async def test_a_pull_is_noted_and_ends_trouble(harness: ConnectionsHarness, consents: Consents, actor: Actor) -> None:
    account = await harness.connect(actor, consents)
    await harness.accounts.record_error(account, SyncFailureCode.RATE_LIMITED, "slow")
    at = utc_now()
    await harness.accounts.record_synced(account, at, WINDOW)
    view = (await harness.connection(actor)).view()
    assert (view.last_synced_at, view.last_error_code, view.last_error_reason) == (at, None, None)


async def test_how_much_of_a_calendar_is_known_is_told_when_it_changes(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    account = await harness.connect(actor, consents)
    known, nothing = (WINDOW.begins, WINDOW.ends), (None, None)
    assert harness.coverage() == []
    for _ in range(3):
        await harness.accounts.record_synced(account, utc_now(), WINDOW)
    assert harness.coverage() == [known]
    await harness.accounts.record_error(account, SyncFailureCode.PERMISSION_DENIED, "may not be written")
    assert harness.coverage() == [known], "it can be read all the same"
    for _ in range(2):
        await harness.accounts.record_unreadable(account, SyncFailureCode.PERMISSION_DENIED, "may not be read")
    assert harness.coverage() == [known, nothing]
    assert (await harness.connection(actor)).last_error_code is SyncFailureCode.PERMISSION_DENIED
    await harness.accounts.record_synced(account, utc_now(), WINDOW)
    assert harness.coverage() == [known, nothing, known]

    await harness.disconnect(actor)
    again = await harness.connect(actor, consents)
    await harness.accounts.record_synced(account, utc_now(), WINDOW)
    assert len(harness.coverage()) == 3, "late news of an earlier connection"
    await harness.accounts.record_synced(again, utc_now(), WINDOW)
    assert harness.coverage() == [known, nothing, known, known]
