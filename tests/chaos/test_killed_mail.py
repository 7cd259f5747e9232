"""A small campaign against mail; the full one is ``python -m tests.chaos.mails``."""

from collections.abc import AsyncIterator

import pytest
from localrun.platform import Platform

from tests.chaos.mails import Campaign
from tests.support.callers import Caller, calling

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture
async def adviser(platform: Platform) -> AsyncIterator[Caller]:
    assert platform.addresses.gateway is not None
    async with calling(platform.addresses.gateway, platform.addresses.people[0]) as caller:
        yield caller


async def test_killing_the_service_and_the_mail_server_loses_no_mail(platform: Platform, adviser: Caller) -> None:
    campaign = Campaign(platform, adviser, seed=3)
    await campaign.rage(meetings=12)
    assert campaign.kills.total() >= 2
    assert await campaign.problems(within=120) == []
