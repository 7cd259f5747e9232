"""What the services say of themselves."""

import asyncio
from collections.abc import Mapping

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

_TIMEOUT = 3.0
_problems = TypeAdapter(dict[str, str])


class ServiceHealth(BaseModel):
    """One service: what only a restart helps against, and why it wants no traffic now; both empty when all is well."""

    name: str
    url: str
    alive: bool
    ready: bool
    problems: dict[str, str]


async def ask_services(services: Mapping[str, str]) -> list[ServiceHealth]:
    """The health of each service, asked at its base URL; one that does not answer is not alive."""
    async with httpx.AsyncClient(timeout=_TIMEOUT) as http:
        return list(await asyncio.gather(*(_ask(http, name, url) for name, url in services.items())))


async def _ask(http: httpx.AsyncClient, name: str, url: str) -> ServiceHealth:
    try:
        alive, ready = await http.get(f"{url}/healthz"), await http.get(f"{url}/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problems = {"process": f"does not answer ({type(error).__name__})"}
        return ServiceHealth(name=name, url=url, alive=False, ready=False, problems=problems)
    return ServiceHealth(
        name=name,
        url=url,
        alive=alive.status_code == 200,
        ready=ready.status_code == 200,
        problems=_said(alive) | _said(ready),
    )


def _said(answer: httpx.Response) -> dict[str, str]:
    try:
        return _problems.validate_python(answer.json()["problems"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return {"answer": f"not understood (HTTP {answer.status_code})"}
