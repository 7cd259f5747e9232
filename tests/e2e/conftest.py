"""The whole platform, the people who call it, and what it says on its topics."""

from collections.abc import AsyncIterator

import pytest
from localrun.platform import Platform

from tests.support.callers import Caller, calling
from tests.support.topics import TopicLog, recording


@pytest.fixture(scope="session")
def gateway_url(platform: Platform) -> str:
    assert platform.addresses.gateway is not None
    return platform.addresses.gateway


@pytest.fixture(scope="session")
async def valentina(platform: Platform, gateway_url: str) -> AsyncIterator[Caller]:
    """Staff of Andes Wealth."""
    async with calling(gateway_url, platform.addresses.people[0]) as caller:
        yield caller


@pytest.fixture(scope="session")
async def daniel(platform: Platform, gateway_url: str) -> AsyncIterator[Caller]:
    """Staff of Andes Wealth."""
    async with calling(gateway_url, platform.addresses.people[1]) as caller:
        yield caller


@pytest.fixture(scope="session")
async def camila(platform: Platform, gateway_url: str) -> AsyncIterator[Caller]:
    """Staff of a partner of Andes Wealth."""
    async with calling(gateway_url, platform.addresses.people[2]) as caller:
        yield caller


@pytest.fixture(scope="session")
async def ana(platform: Platform, gateway_url: str) -> AsyncIterator[Caller]:
    """A client of Andes Wealth."""
    async with calling(gateway_url, platform.addresses.people[3]) as caller:
        yield caller


@pytest.fixture(scope="session")
async def ingrid(platform: Platform, gateway_url: str) -> AsyncIterator[Caller]:
    """Staff of another tenant, Fjord Private Office."""
    async with calling(gateway_url, platform.addresses.people[4]) as caller:
        yield caller


@pytest.fixture(scope="session")
async def told(platform: Platform) -> AsyncIterator[TopicLog]:
    """Everything said on meetings.events since the first test that listened."""
    async with recording(platform.addresses.kafka, "meetings.events") as log:
        yield log
