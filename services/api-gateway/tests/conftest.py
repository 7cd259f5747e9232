"""The gateway alone, without anything behind it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway import Gateway, gateway


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        yield running
