"""Callers of the running platform."""

from collections.abc import AsyncIterator

import httpx
import pytest
from localrun.platform import Platform

_DEADLINE = 20.0


@pytest.fixture
async def host(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """An adviser of the demo tenant."""
    person = platform.addresses.people[0]
    headers = {
        "authorization": f"Bearer {person.token}",
        "x-tenant-uuid": person.tenant_uuid,
        "x-user-id": person.user_id,
        "x-user-email": person.email,
        "x-user-type": person.user_type,
    }
    async with httpx.AsyncClient(base_url=str(platform.addresses.gateway), headers=headers, timeout=_DEADLINE) as http:
        yield http
