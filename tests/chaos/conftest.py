"""Callers of the running platform."""

from collections.abc import AsyncIterator

import httpx
import pytest
from localrun.platform import Platform

_DEADLINE = 20.0


@pytest.fixture
async def host(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """An adviser of the demo tenant."""
    headers = platform.addresses.people[0].headers
    async with httpx.AsyncClient(base_url=str(platform.addresses.gateway), headers=headers, timeout=_DEADLINE) as http:
        yield http
