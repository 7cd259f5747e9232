"""Rotating keys on a real database: everything sealed anew, nothing lost, whoever writes meanwhile."""

import pytest
from calendar_sync.connections.key_rotation import KeyRotation
from contracts.api.calendar import ReencryptedPage, ReencryptSecrets
from contracts.messages.command import Actor

from tests.support.calendars import Consents, GoogleConsents
from tests.support.connections import KEY, OTHER_KEY, ConnectionsHarness, new_actor

pytestmark = pytest.mark.integration


async def reencrypt(harness: ConnectionsHarness, *, after: str = "", limit: int = 100) -> ReencryptedPage:
    reply = await KeyRotation(harness.connections, harness.vault).reencrypt(ReencryptSecrets(after=after, limit=limit))
    return ReencryptedPage.model_validate(reply.data)


async def test_every_secret_is_sealed_with_the_first_key(
    harness: ConnectionsHarness, consents: Consents, actor: Actor
) -> None:
    """The grant in use, one that is still to be revoked, and a consent that another user has begun."""
    await harness.connect(actor, consents)
    await harness.disconnect(actor)
    await harness.connect(actor, consents, "another@example.com")
    beginner = new_actor()
    url = await harness.begin(beginner, consents.provider)
    rotated = harness.with_keys(OTHER_KEY, KEY)
    assert await reencrypt(rotated) == ReencryptedPage(total=2, seen=2, reencrypted=3, unreadable=0, last=None)
    assert await reencrypt(rotated) == ReencryptedPage(total=2, seen=2, reencrypted=0, unreadable=0, last=None)

    without_the_old = harness.with_keys(OTHER_KEY)
    connection = await without_the_old.connection(actor)
    for grant in (connection.encrypted_tokens, connection.pending_revocations[0].encrypted_tokens):
        assert without_the_old.vault.decrypt_tokens(grant or "", connection.connection_id)
    account = await without_the_old.accounts.connected(actor.tenant_uuid, actor.user_id)
    assert account is not None
    assert consents.admits(await without_the_old.accounts.access_token(account))
    back = await without_the_old.come_back(consents.provider, consents.agree(url, "third@example.com"))
    assert back == "connected"


async def test_pages_cover_everything_once(harness: ConnectionsHarness, google: GoogleConsents) -> None:
    for number in range(3):
        await harness.connect(new_actor(), google, f"host{number}@example.com")
    rotated, after, pages = harness.with_keys(OTHER_KEY, KEY), "", []
    while True:
        page = await reencrypt(rotated, after=after, limit=2)
        pages.append((page.seen, page.reencrypted))
        if page.last is None:
            break
        after = page.last
    assert pages == [(2, 2), (1, 1)]


async def test_a_secret_that_no_key_opens_is_left_and_counted(
    harness: ConnectionsHarness, google: GoogleConsents, actor: Actor
) -> None:
    await harness.connect(actor, google)
    before = await harness.document(actor)
    stranger = harness.with_keys(OTHER_KEY)
    assert await reencrypt(stranger) == ReencryptedPage(total=1, seen=1, reencrypted=0, unreadable=1, last=None)
    assert await harness.document(actor) == before


async def test_a_grant_that_is_renewed_meanwhile_is_not_lost(
    harness: ConnectionsHarness, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed anew while the provider is being asked: the provider has ended the old grant by then."""
    consents.rotate()
    account = await harness.connect(actor, consents)
    token = await harness.accounts.access_token(account)
    provider, rotated = harness.providers[consents.provider], harness.with_keys(OTHER_KEY, KEY)
    renew = provider.refresh

    async def renew_slowly(grant: object) -> object:
        renewed = await renew(grant)  # type: ignore[arg-type]
        assert (await reencrypt(rotated)).reencrypted == 1
        return renewed

    monkeypatch.setattr(provider, "refresh", renew_slowly)
    renewed = await harness.accounts.access_token(account, refused=token)
    monkeypatch.setattr(provider, "refresh", renew)
    assert await harness.accounts.access_token(account) == renewed
    again = await harness.accounts.access_token(account, refused=renewed)
    assert consents.admits(again), "what renews it was kept too"


async def test_sealing_anew_gives_way_to_who_was_faster(
    harness: ConnectionsHarness, consents: Consents, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before a renewal, to be written after it: the renewed grant stands, and is sealed anew then."""
    account = await harness.connect(actor, consents)
    token, find = await harness.accounts.access_token(account), harness.connections.find
    renewed: list[str] = []

    async def find_and_fall_behind(tenant_uuid: str, user_id: str) -> object:
        monkeypatch.setattr(harness.connections, "find", find)  # this once
        found = await find(tenant_uuid, user_id)
        renewed.append(await harness.accounts.access_token(account, refused=token))
        return found

    monkeypatch.setattr(harness.connections, "find", find_and_fall_behind)
    assert (await reencrypt(harness.with_keys(OTHER_KEY, KEY))).reencrypted == 1
    assert [await harness.with_keys(OTHER_KEY).accounts.access_token(account)] == renewed != [token]
