"""New staff of Andes Wealth: people with an empty calendar, whatever other tests did before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from contracts.values.ids import uuid7_hex
from localrun.people import log_in_as
from localrun.platform import Platform
from simulators.platform import seed

from tests.support.callers import Caller, calling


def directory_of(platform: Platform) -> str:
    """The URL of the simulated platform around ours: directory, login, and the control of both."""
    env = platform.processes["platform"].env
    assert env is not None
    return f"http://127.0.0.1:{env['HTTP_PORT']}"


@asynccontextmanager
async def hired(platform: Platform, first_name: str) -> AsyncIterator[Caller]:
    """A new colleague of Valentina and Daniel, known to the directory and logged in."""
    number = uuid7_hex()
    address = f"{first_name.lower()}.{number.lower()}@andes.example.com"
    newcomer = seed.DANIEL.model_copy(
        update={
            "tenant_staff_uuid": f"TS{number}",
            "first_name": first_name,
            "paternal_last_name": "Newcomer",
            "user_email": address,
            "email": address,
        }
    )
    directory = directory_of(platform)
    async with httpx.AsyncClient(trust_env=False) as http:
        people = {"staff": [newcomer.model_dump(by_alias=True)]}
        (await http.post(f"{directory}/_control/people", json=people)).raise_for_status()
    async with calling(platform.addresses.gateway, log_in_as(directory, newcomer)) as caller:
        yield caller
