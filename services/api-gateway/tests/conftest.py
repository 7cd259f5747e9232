"""The gateway alone, without anything behind it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.support.gateway import Gateway, gateway


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        yield running


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Take the logs in: unconfigured, they would draw every traceback with all its variables."""
    with structlog.testing.capture_logs():
        yield
