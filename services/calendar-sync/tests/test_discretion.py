"""What is logged at the lowest level while codes and tokens pass through the providers' own libraries."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from contracts.messages.command import Actor
from contracts.values.ids import uuid7_hex

from tests.support.calendars import Consents
from tests.support.connections import EMAIL, ConnectionsHarness

pytestmark = pytest.mark.integration

_EXCHANGE_AND_REFRESH = """
import asyncio, json, os, sys
from contextlib import AsyncExitStack
from calendar_sync.providers.registry import oauth_clients
from calendar_sync.settings import Settings
from chassis.telemetry.logs import configure_logging
from contracts.values.enums import CalendarProvider

async def main(provider, code, kept, results):
    async with AsyncExitStack() as started:
        login = (await oauth_clients(Settings(), started))[CalendarProvider(provider)]
        granted = await login.exchange_code(code=code, flow_state=kept)
        renewed = await login.refresh(granted.token_set)
        await login.revoke(renewed)
        with open(results, "w") as file:
            tokens = [granted.token_set, renewed]
            json.dump([secret for one in tokens for secret in (one.access_token, one.refresh_credential)], file)

configure_logging("calendar-sync", "DEBUG")
asyncio.run(main(*json.load(sys.stdin)))
"""


async def test_no_library_tells_a_secret(
    harness: ConnectionsHarness, consents: Consents, actor: Actor, tmp_path: Path
) -> None:
    begun = await harness.providers[consents.provider].start_authorization(state=uuid7_hex(), login_hint=EMAIL)
    code = consents.agree(begun.authorization_url, EMAIL)["code"]
    results = tmp_path / "results.json"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _EXCHANGE_AND_REFRESH,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(harness),
    )
    logged, _ = await child.communicate(json.dumps([consents.provider, code, begun.flow_state, str(results)]).encode())
    assert child.returncode == 0, logged.decode()
    assert b"debug" in logged, "the lowest level is on"
    secrets = [*json.loads(results.read_text()), code, harness.settings.google_client_secret.get_secret_value()]
    assert [secret for secret in secrets if secret.encode() in logged] == []


def _environment(harness: ConnectionsHarness) -> dict[str, str]:
    given = harness.settings.model_dump()
    plain = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value for name, value in given.items()
    }
    return {
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
        "NO_PROXY": "127.0.0.1",
        **{name.upper(): str(value) for name, value in plain.items() if value is not None},
    }
