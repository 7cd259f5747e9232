"""What operators do with ``meetings``, beside the running platform: see what is wrong, look at it, put it right."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.transport.envelope import Envelope
from contracts.transport.topics import INVITATIONS, MEETING_EVENTS
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller
from tests.support.outside import disconnect, outsides
from tests.support.topics import producing
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

LETTERS = MEETING_EVENTS.dead_letters(INVITATIONS).name


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


Meetings = Callable[..., Awaitable[Ran]]


@pytest.fixture
def meetings(platform: Platform) -> Meetings:
    """Runs the command that the package installs, told nothing but where the local run keeps its state."""
    program = Path(sys.executable).with_name("meetings")

    async def run(*words: str) -> Ran:
        environment = os.environ | {"STATE_DIR": str(platform.state_dir)}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(program, *words, env=environment, stdout=pipe, stderr=pipe)
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    return run


async def test_the_status_of_everything_can_be_had(meetings: Meetings) -> None:
    found = json.loads((await meetings("status", "--json")).out)
    assert found["unknown"] == {}
    assert [one["name"] for one in found["services"] if one["ready"]] == [one["name"] for one in found["services"]]
    assert {(one["group"], one["topic"]) for one in found["lags"]} >= {(INVITATIONS, MEETING_EVENTS.name)}
    assert {one["kind"] for one in found["jobs"]} >= {
        "delivery",
        "google",
        "outlook",
        "inboundSync",
        "channelMaintenance",
        "revocation",
    }
    assert set(found["calendars"]["connections"]) == {"CONNECTED", "DISCONNECTED", "NONE"}


async def test_a_dead_letter_is_called_wrong_until_it_is_put_away(platform: Platform, meetings: Meetings) -> None:
    await meetings("dead-letters", "discard", "--topic", LETTERS, "--all", "--yes")
    headers = Envelope(type="no.such.v1", source="test", subject="M1", tenant="T1", correlation_id=uuid7_hex())
    async with producing(platform.addresses.kafka) as producer:
        poison = [(name, value) for name, value in headers.to_headers() if name != "ce_time"]
        await producer.send_and_wait(MEETING_EVENTS.name, b"{}", key=b"M1", headers=poison, partition=0)

    async def is_wrong() -> str | None:
        ran = await meetings("status")
        return ran.err if ran.status == 1 and LETTERS in ran.err else None

    assert f"dead letters in {LETTERS}: 1" in await until(is_wrong, what="status names the dead letter")
    [line] = [line for line in (await meetings("dead-letters", "list")).out.splitlines() if line.startswith(LETTERS)]
    offset = line.split()[1]
    assert (await meetings("dead-letters", "discard", "--topic", LETTERS, offset, "--yes")).status == 0
    assert LETTERS not in (await meetings("status")).err


async def test_a_calendar_is_read_anew_and_its_secrets_are_looked_through(
    platform: Platform, meetings: Meetings, daniel: Caller
) -> None:
    ids = (daniel.person.tenant_uuid, daniel.user_id)
    with outsides(platform) as both:
        await both["google"].connect(daniel, f"{uuid7_hex().lower()}@example.com")
        try:
            assert "read: 0 imported" in (await meetings("calendar", "resync", *ids)).out
            assert "Every secret is sealed with the first key." in (await meetings("keys", "rotate")).out
        finally:
            await disconnect(daniel)
    refused = await meetings("calendar", "resync", *ids)
    assert (refused.status, "No calendar is connected" in refused.err) == (2, True)


async def test_a_token_opens_the_door(platform: Platform, meetings: Meetings) -> None:
    person = platform.addresses.people[0]
    assert (await meetings("token", person.name)).out == f"{person.token}\n"
