"""Connected calendars are watched for as long as they are connected, whatever happens to the channels."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller
from tests.support.newcomers import hired
from tests.support.outside import Outside, disconnect, outsides
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@dataclass
class Watched:
    """A user's calendar, and the channels that its provider has open for it."""

    user: Caller
    outside: Outside
    email: str

    def open(self) -> dict[str, str]:
        """When they end, by their ids."""
        control = self.outside.simulator.control
        if self.outside.name == "google":
            return {one["id"]: one["expiresAt"] for one in control("GET", "channels") if one["account"] == self.email}
        subscriptions = [one for one in control("GET", "subscriptions") if one["email"] == self.email]
        return {one["subscription_id"]: one["expires_at"] for one in subscriptions}

    async def one_open(self, *, other_than: str = "", within: float = 30) -> str:
        """The id of the only channel."""

        async def found() -> str | None:
            ids = list(self.open())
            return ids[0] if len(ids) == 1 and ids[0] != other_than else None

        return await until(found, what=f"one channel for {self.email}", within=within)

    async def none_open(self) -> None:
        async def none() -> bool:
            return not self.open()

        await until(none, what=f"no channel for {self.email}")

    async def connect(self) -> None:
        await disconnect(self.user)
        await self.outside.connect(self.user, self.email)


@pytest.fixture(scope="module")
def both(platform: Platform) -> Iterator[dict[str, Outside]]:
    with outsides(platform) as found:
        yield found


@pytest.fixture(params=["google", "outlook"])
async def watched(
    request: pytest.FixtureRequest, both: dict[str, Outside], platform: Platform
) -> AsyncIterator[Watched]:
    """Somebody new, with a calendar that nobody else has, at each provider."""
    async with hired(platform, "Olivia") as olivia:
        watched = Watched(olivia, both[request.param], f"{uuid7_hex().lower()}@example.org")
        yield watched
        watched.outside.simulator.control("DELETE", "faults")
        with suppress(AssertionError):
            await disconnect(olivia)


async def test_a_calendar_is_watched_while_it_is_connected(watched: Watched) -> None:
    await watched.connect()
    first = await watched.one_open()
    await disconnect(watched.user)
    await watched.none_open()
    await watched.connect()
    assert await watched.one_open() != first


async def test_a_channel_is_had_when_webhooks_can_be_answered_again(watched: Watched, platform: Platform) -> None:
    """Graph asks the webhook before it watches; Google does not ask."""
    webhooks = platform.processes["webhook-ingest"]
    webhooks.stop()
    try:
        await watched.connect()
    finally:
        webhooks.restart()
    await watched.one_open()


async def test_a_subscription_that_graph_ends_is_replaced_at_once(both: dict[str, Outside], valentina: Caller) -> None:
    watched = Watched(valentina, both["outlook"], f"{uuid7_hex().lower()}@example.org")
    await watched.connect()
    first = await watched.one_open()
    watched.outside.simulator.control("POST", f"subscriptions/{first}/remove", {"notify": True})
    second = await watched.one_open(other_than=first)
    before = watched.open()[second]

    async def prolonged() -> bool:
        """It is said until it is heard: what comes before webhook-ingest knows the new channel is not believed."""
        event = {"event": "reauthorizationRequired"}
        watched.outside.simulator.control("POST", f"subscriptions/{second}/lifecycle", event)
        return watched.open()[second] > before

    await until(prolonged, what="the subscription is prolonged")
    await disconnect(valentina)
    await watched.none_open()
