"""What connected calendars cost: creating a meeting with a provider that hardly answers, and how soon events appear.

    python -m benchmarks.calendar [--kafka apache] [--seconds 20]

writes docs/benchmarks/calendar.md. Both sides of each ratio ran in turn in the same run.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, calling
from tests.support.crowd import NO_MAIL_LIMITS
from tests.support.outside import Json, Outside, outsides, sees_sync

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks" / "calendar.md"
RATE = 10.0
SLOW = 30.0
ENVIRONMENT = {
    "google": {"GOOGLE_QUOTA_PER_MINUTE": "0"},  # 600 a minute of one user are spent at ten creates a second
    "calendar-sync": {"CALENDAR_TIMEOUT": str(SLOW + 10)},
    "meeting-core": NO_MAIL_LIMITS,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One create: when it was sent and answered (seconds since 1970), and the meeting."""

    sent: float
    answered: float
    meeting: Json

    @property
    def latency(self) -> float:
        return self.answered - self.sent


async def create_at(host: Caller, rate: float, seconds: float) -> list[Sample]:
    """Create meetings at this rate, whether or not earlier ones are answered."""

    async def one() -> Sample:
        sent = time.time()
        meeting = await host.creates(
            title=uuid7_hex(), startDateTime="2199-01-01T10:00:00", endDateTime="2199-01-01T11:00:00"
        )
        return Sample(sent, time.time(), meeting)

    running: list[asyncio.Task[Sample]] = []
    begin = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        running.append(asyncio.create_task(one()))
    return list(await asyncio.gather(*running))


@contextmanager
def slow(outside: Outside, email: str) -> Iterator[None]:
    """Every calendar call of this account is answered after half a minute."""
    outside.simulator.fault("latency", account=email, operation="events.*", seconds=SLOW)
    try:
        yield
    finally:
        outside.simulator.control("DELETE", "faults")


def appeared(outside: Outside, email: str) -> dict[str, float]:
    """When each event came into the calendar by the provider's clock, by its title."""
    listed: list[Json] = outside.simulator.control("GET", f"accounts/{email}/events")
    if outside.name == "google":
        return {one["resource"]["summary"]: _instant(one["resource"]["created"]) for one in listed}
    return {one["subject"]: _instant(one["createdDateTime"]) for one in listed}


def _instant(text: str) -> float:
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(head).replace(tzinfo=UTC).timestamp() + float(f"0.{fraction or 0}")


def spread(seconds: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


async def measure(platform: Platform, seconds: float) -> list[str]:
    """The rows of the report."""
    gateway, people = platform.addresses.gateway, platform.addresses.people
    with outsides(platform) as providers:
        async with calling(gateway, people[0]) as one, calling(gateway, people[1]) as other:
            rows = [await _presence(providers["google"], one, "one@example.org", seconds)]
            rows.append(await _presence(providers["outlook"], other, "other@example.org", seconds))
            return [*rows, "", *await _patience(providers, one, other, seconds)]


async def _presence(outside: Outside, host: Caller, email: str, seconds: float) -> str:
    await outside.connect(host, email)
    await create_at(host, RATE, 2)  # libraries are loaded, connections open
    samples = await create_at(host, RATE, seconds)
    await sees_sync(host, samples[-1].meeting, "SYNCED", within=120)
    for sample in samples:
        await sees_sync(host, sample.meeting, "SYNCED", within=120)
    there = appeared(outside, email)
    p50, p99 = spread([there[sample.meeting["title"]] - sample.sent for sample in samples])
    return f"| {outside.name} | {len(samples)} | {p50:.0f} | {p99:.0f} | p50 ≤ 300 ms |"


async def _patience(providers: dict[str, Outside], one: Caller, other: Caller, seconds: float) -> list[str]:
    usual: list[float] = []
    hindered: list[float] = []
    others: list[float] = []
    for _ in range(3):
        usual += [sample.latency for sample in await create_at(one, RATE, seconds / 3)]
        with slow(providers["google"], "one@example.org"):
            hindered += [sample.latency for sample in await create_at(one, RATE, seconds / 3)]
            samples = await create_at(other, 2, seconds / 3)
            for sample in samples:
                await sees_sync(other, sample.meeting, "SYNCED", within=SLOW)
            there = appeared(providers["outlook"], "other@example.org")
            others += [there[sample.meeting["title"]] - sample.sent for sample in samples]
    (p50, p99), (slow50, slow99) = spread(usual), spread(hindered)
    other50, _ = spread(others)
    return [
        "| POST /meetings | p50 ms | p99 ms |",
        "| --- | --- | --- |",
        f"| the provider answers at once | {p50:.1f} | {p99:.1f} |",
        f"| it answers after {SLOW:.0f} s | {slow50:.1f} | {slow99:.1f} |",
        f"| ratio (target ≤ 1.2) | {slow50 / p50:.2f} | {slow99 / p99:.2f} |",
        "",
        f"Meanwhile another account's events appear {other50:.0f} ms after their request was sent (p50, 2 per second).",
    ]


def report(rows: list[str], kafka: str, seconds: float) -> str:
    """The page."""
    head = f"""# Connected calendars

`python -m benchmarks.calendar`: a host's calendar is connected at a simulated provider. Measured from sending
`POST /meetings` to the event's creation by the provider's clock, at {RATE:.0f} creates per second of one host.

Last run {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} at the end,
Kafka: {kafka}, {seconds:.0f} s each.

| provider | creates | p50 ms | p99 ms | target |
| --- | --- | --- | --- | --- |
"""
    return head + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", choices=("tansu", "apache"), default="apache")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port-offset", type=int, default=2_100, help="added to the default ports")
    given = parser.parse_args()
    options: dict[str, Any] = {"kafka": given.kafka, "env_overrides": ENVIRONMENT}
    with (
        tempfile.TemporaryDirectory(prefix="calendar-") as state,
        Platform.start(Path(state), port_offset=given.port_offset, **options) as platform,
    ):
        text = report(asyncio.run(measure(platform, given.seconds)), given.kafka, given.seconds)
    REPORT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
