"""How soon a change in an external calendar is seen here, and what a flood of notifications costs.

    python -m benchmarks.inward [--kafka apache] [--changes 100]

writes docs/benchmarks/inward.md. The providers are simulated, without latency of their own.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, calling
from tests.support.outside import Json, Outside, outsides

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks" / "inward.md"
ENVIRONMENT = {"google": {"GOOGLE_QUOTA_PER_MINUTE": "0"}}
_PATIENCE = 30.0
_START, _END = "2026-12-15T10:00:00", "2026-12-15T11:00:00"


def event(outside: Outside, title: str) -> Json:
    """An event as this provider's owners make it."""
    if outside.name == "google":
        start, end = ({"dateTime": f"{at}Z", "timeZone": "UTC"} for at in (_START, _END))
        return {"summary": title, "start": start, "end": end}
    start, end = ({"dateTime": at, "timeZone": "UTC"} for at in (_START, _END))
    return {"subject": title, "start": start, "end": end}


def make(outside: Outside, email: str, title: str) -> str:
    """Have the owner make an event; its id."""
    body = event(outside, title)
    made = outside.simulator.control(
        "POST", f"accounts/{email}/events", body if outside.name == "google" else {"event": body}
    )
    return str(made["id"])


def retitle(outside: Outside, email: str, event_id: str, title: str) -> None:
    """Have the owner change the event."""
    name = "summary" if outside.name == "google" else "subject"
    outside.simulator.control("PATCH", f"accounts/{email}/events/{event_id}", {name: title})


async def appears(host: Caller, title: str) -> Json:
    """The meeting of this title on the host's calendar, asked for until it is there."""
    deadline = time.monotonic() + _PATIENCE
    filters = {"filters": [{"field": "title", "operator": "EQUALS", "value": title}]}
    while time.monotonic() < deadline:
        found: list[Json] = (await host.post("/api/v2/meetings", filters)).json()["content"]
        if found:
            return found[0]
        await asyncio.sleep(0.01)
    raise SystemExit(f"{title} has not appeared")


async def presence(outside: Outside, host: Caller, email: str, changes: int) -> str:
    """The row of one provider: changes one after the other, each at rest before the next."""
    await outside.connect(host, email)
    event_id = await asyncio.to_thread(make, outside, email, uuid7_hex())
    taken = []
    for _ in range(changes):
        title = uuid7_hex()
        began = time.monotonic()
        await asyncio.to_thread(retitle, outside, email, event_id, title)
        await appears(host, title)
        taken.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(1)  # more than a pull's rest: a change by itself is what people make
    cuts = statistics.quantiles(taken, n=100)
    return f"| {outside.name} | {changes} | {cuts[49]:.0f} | {cuts[98]:.0f} | p50 ≤ 500 ms |"


async def measure(platform: Platform, changes: int) -> list[str]:
    """The rows of the report."""
    gateway, people = platform.addresses.gateway, platform.addresses.people
    with outsides(platform) as providers:
        async with calling(gateway, people[0]) as one, calling(gateway, people[1]) as other:
            return [
                await presence(providers["google"], one, "one@example.org", changes),
                await presence(providers["outlook"], other, "other@example.org", changes),
            ]


def report(rows: list[str], options: argparse.Namespace) -> str:
    """The page."""
    table = "\n".join(rows)
    return f"""# From an external calendar to the platform

`python -m benchmarks.inward`: the owner of a connected calendar renames an event at the simulated provider; measured
from that request until `POST /api/v2/meetings` finds the new title, asked every 10 ms. In between: the provider's
notification, webhook-ingest, Kafka, a pull, Kafka, meeting-core, MongoDB.

Last run {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} at the end,
Kafka: {options.kafka}.

| provider | changes | p50 ms | p99 ms | target |
| --- | --- | --- | --- | --- |
{table}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", choices=("tansu", "apache"), default="apache")
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--port-offset", type=int, default=2_200, help="added to the default ports")
    given = parser.parse_args()
    settings: dict[str, Any] = {"kafka": given.kafka, "env_overrides": ENVIRONMENT}
    with (
        tempfile.TemporaryDirectory(prefix="inward-") as state,
        Platform.start(Path(state), port_offset=given.port_offset, **settings) as platform,
    ):
        rows = asyncio.run(measure(platform, given.changes))
    text = report(rows, given)
    REPORT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
