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
from tests.support.connections import KEY, OTHER_KEY, House

pytestmark = pytest.mark.integration


WINDOW = Window(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


async def test_a_good_token_is_kept(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    first = await house.accounts.access_token(account)
    assert await house.accounts.access_token(account) == first


async def test_a_refused_token_is_replaced(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    first = await house.accounts.access_token(account)
    second = await house.accounts.access_token(account, refused=first)
    assert second != first
    assert consents.admits(second)
    assert await house.accounts.access_token(account, refused=first) == second, "who comes late adopts it"


async def test_many_who_renew_at_once_renew_once(house: House, consents: Consents, actor: Actor) -> None:
    """In two processes, at a provider that ends a refresh token when it gives the next one."""
    email = f"{actor.user_id}@example.com".lower()
    account = await house.connect(actor, consents, email)
    consents.rotate()
    processes = [house.accounts, house.accounts]
    refused = await house.accounts.access_token(account)
    for number in range(1, 4):
        before = consents.renewals(email)
        tokens = await asyncio.gather(
            *(process.access_token(account, refused=refused) for process in processes for _ in range(10))
        )
        assert len(set(tokens)) == 1
        assert consents.admits(tokens[0])
        assert consents.renewals(email) == before + 1, f"round {number}"
        refused = tokens[0]
    assert (await house.connection(actor)).is_connected


async def test_a_withdrawn_grant_ends_the_connection(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    token = await house.accounts.access_token(account)
    consents.withdraw(account.calendar_email)
    for _ in range(2):
        with pytest.raises(GrantRevokedError):
            await house.accounts.access_token(account, refused=token)
    connection = await house.connection(actor)
    assert (connection.status, connection.encrypted_tokens) == (ConnectionStatus.DISCONNECTED, None)
    assert connection.last_error_code is SyncFailureCode.TOKEN_REVOKED
    assert connection.last_error_reason is not None
    assert [(event.status, event.error_code) for event in house.told()] == [
        (ConnectionStatus.CONNECTED, None),
        (ConnectionStatus.DISCONNECTED, SyncFailureCode.TOKEN_REVOKED),
    ]
    assert await house.accounts.connected(actor.tenant_uuid, actor.user_id) is None

    again = await house.connect(actor, consents)
    assert again.generation == 2
    assert (await house.connection(actor)).last_error_code is None
    with pytest.raises(GrantRevokedError):  # work of the earlier generation stays parked
        await house.accounts.access_token(account)
    assert consents.admits(await house.accounts.access_token(again))


async def test_a_login_that_is_away_ends_nothing(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    token = await house.accounts.access_token(account)
    consents.break_down()
    with pytest.raises(ProviderUnavailableError):
        await house.accounts.access_token(account, refused=token)
    assert (await house.connection(actor)).is_connected
    consents.recover()
    assert consents.admits(await house.accounts.access_token(account, refused=token))


async def test_who_gives_up_waiting_loses_nothing(
    house: House, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal goes on: its refresh token may be the only one that holds."""
    consents.rotate()
    account = await house.connect(actor, consents)
    provider, accounts = house.providers[consents.provider], house.accounts
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
    flow_state = await house.accounts.access_token(account)
    assert flow_state != token
    assert consents.admits(flow_state)


async def test_a_renewed_grant_outlives_a_database_that_is_away(
    house: House, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    consents.rotate()
    account = await house.connect(actor, consents)
    token = await house.accounts.access_token(account)
    write = house.documents.update_one
    failures = iter([False, True, True])  # the claim passes, keeping fails twice

    async def failing(*args: object, **options: object) -> object:
        if next(failures, False):
            raise AutoReconnect("away")
        return await write(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(house.documents, "update_one", failing)
    renewed = await house.accounts.access_token(account, refused=token)
    assert next(failures, None) is None
    assert await house.accounts.access_token(account) == renewed


async def test_other_changes_do_not_undo_a_renewal(house: House, consents: Consents, actor: Actor) -> None:
    """A preference that is set while a grant is renewed is written beside the new grant."""
    account = await house.connect(actor, consents)
    token = await house.accounts.access_token(account)
    renewed = ""

    stale = await house.connection(actor)
    renewed = await house.accounts.access_token(account, refused=token)
    connections: MongoConnectionRepository = house.connections
    tried: list[Connection] = []
    find = connections.find

    async def stale_first(tenant_uuid: str, user_id: str) -> Connection | None:
        tried.append(stale)
        return stale if len(tried) == 1 else await find(tenant_uuid, user_id)

    connections.find = stale_first  # type: ignore[method-assign]
    await house.accounts.record_error(account, SyncFailureCode.RATE_LIMITED, "slow")
    connections.find = find  # type: ignore[method-assign]
    assert len(tried) == 2
    assert await house.accounts.access_token(account) == renewed
    assert (await house.connection(actor)).last_error_code is SyncFailureCode.RATE_LIMITED


async def test_keys_rotate_without_anybody_noticing(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    token = await house.accounts.access_token(account)
    with pytest.raises(ProviderUnavailableError):  # a key that is missing is ours to put right
        await house.with_keys(OTHER_KEY).accounts.access_token(account)
    assert (await house.connection(actor)).is_connected
    both = house.with_keys(OTHER_KEY, KEY)
    assert await both.accounts.access_token(account) == token
    renewed = await both.accounts.access_token(account, refused=token)
    assert await house.with_keys(OTHER_KEY).accounts.access_token(account) == renewed


async def test_a_pull_is_noted_and_ends_trouble(house: House, consents: Consents, actor: Actor) -> None:
    account = await house.connect(actor, consents)
    await house.accounts.record_error(account, SyncFailureCode.RATE_LIMITED, "slow")
    at = utc_now()
    await house.accounts.record_synced(account, at, WINDOW)
    view = (await house.connection(actor)).view()
    assert (view.last_synced_at, view.last_error_code, view.last_error_reason) == (at, None, None)


async def test_how_much_of_a_calendar_is_known_is_told_when_it_changes(
    house: House, consents: Consents, actor: Actor
) -> None:
    account = await house.connect(actor, consents)
    known, nothing = (WINDOW.begins, WINDOW.ends), (None, None)
    assert house.coverage() == []
    for _ in range(3):
        await house.accounts.record_synced(account, utc_now(), WINDOW)
    assert house.coverage() == [known]
    await house.accounts.record_error(account, SyncFailureCode.PERMISSION_DENIED, "may not be written")
    assert house.coverage() == [known], "it can be read all the same"
    for _ in range(2):
        await house.accounts.record_unreadable(account, SyncFailureCode.PERMISSION_DENIED, "may not be read")
    assert house.coverage() == [known, nothing]
    assert (await house.connection(actor)).last_error_code is SyncFailureCode.PERMISSION_DENIED
    await house.accounts.record_synced(account, utc_now(), WINDOW)
    assert house.coverage() == [known, nothing, known]

    await house.disconnect(actor)
    again = await house.connect(actor, consents)
    await house.accounts.record_synced(account, utc_now(), WINDOW)
    assert len(house.coverage()) == 3, "late news of an earlier connection"
    await house.accounts.record_synced(again, utc_now(), WINDOW)
    assert house.coverage() == [known, nothing, known, known]
