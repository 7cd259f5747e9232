"""Create and get through the platform, side by side with a baseline: ``python -m benchmarks.requests``.

Runs on Apache Kafka unless told otherwise. Rounds alternate between the two, so that a machine that slows down slows
both; what counts are the ratios. Writes ``docs/benchmarks/requests.md``.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform as machine
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from localrun.platform import Platform
from localrun.ports import free_port
from localrun.processes import Process, answers_ok
from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, Request, measure, request
from benchmarks.running import running_platform, stop_reacting

_REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "requests.md"
_CLIENTS = (1, 32, 128)
_BODY = {
    "title": "Quarterly portfolio review",
    "startDateTime": "2026-06-15T15:00:00",
    "endDateTime": "2026-06-15T15:45:00",
    "timezone": "America/Santiago",
    "locationType": "ONLINE",
    "locationDetail": "https://meet.google.com/abc-defg-hij",
    "description": "Review Q2 performance and rebalancing plan.",
    "internalNotes": "Bring the updated IPS draft.",
    "meetingLink": "https://meet.google.com/abc-defg-hij",
    "externalAttendees": [{"name": "Jane Roe", "email": "jane.roe@example.com", "language": "ENGLISH"}],
}
_TARGETS = {
    ("create", 1): "p50 ≤ 3×",
    ("create", 32): "rate ≥ 1.0×, p99 ≤ 1.5×",
    ("create", 128): "rate ≥ 1.3×",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One operation at one number of clients, both ways, each the median of the rounds."""

    operation: str
    clients: int
    platform: Measured
    baseline: Measured

    @property
    def cells(self) -> list[str]:
        ours, theirs = self.platform, self.baseline
        return [
            self.operation,
            str(self.clients),
            f"{ours.rate:.0f}",
            f"{theirs.rate:.0f}",
            f"{ours.rate / theirs.rate:.2f}",
            f"{ours.p50 * 1000:.1f}",
            f"{ours.p50 / theirs.p50:.2f}",
            f"{ours.p99 * 1000:.1f}",
            f"{ours.p99 / theirs.p99:.2f}",
            _TARGETS.get((self.operation, self.clients), ""),
        ]


_HEADINGS = ["operation", "clients", "per s", "baseline", "ratio", "p50 ms", "ratio", "p99 ms", "ratio", "target"]


async def compare(
    platform_url: str,
    baseline_url: str,
    headers: dict[str, str],
    seconds: float,
    rounds: int,
    processes: tuple[Mapping[str, int], Mapping[str, int]],
) -> list[Row]:
    """Measure every operation at every number of clients, both ways in turn."""
    urls = (platform_url, baseline_url)
    rows = []
    for name, makers in (("create", [creating(headers)] * 2), ("get", [await getting(url, headers) for url in urls])):
        for clients in _CLIENTS:
            runs: tuple[list[Measured], list[Measured]] = ([], [])
            for _ in range(rounds):
                for side, url in enumerate(urls):
                    runs[side].append(
                        await measure(url, makers[side], clients=clients, seconds=seconds, processes=processes[side])
                    )
            rows.append(Row(name, clients, _median(runs[0]), _median(runs[1])))
            if failures := sum(run.failures for side in runs for run in side):
                raise SystemExit(f"{failures} requests of {name} at {clients} clients were not answered as expected")
    return rows


def creating(headers: dict[str, str]) -> Callable[[], Request]:
    """Requests that create a meeting with one guest."""
    made = request("POST", "/api/v1/meetings", headers, json.dumps(_BODY).encode(), status=201)
    return lambda: made


async def getting(base_url: str, headers: dict[str, str]) -> Callable[[], Request]:
    """Requests that read one of 200 new meetings, in turn."""
    async with httpx.AsyncClient(base_url=base_url, headers=headers) as http:
        created = [(await http.post("/api/v1/meetings", json=_BODY)).raise_for_status().json() for _ in range(200)]
    each = itertools.cycle(
        request("GET", f"/api/v1/meetings/{meeting['meetingUuid']}", headers, status=200) for meeting in created
    )
    return lambda: next(each)


def _median(runs: list[Measured]) -> Measured:
    return Measured(
        rate=statistics.median(run.rate for run in runs),
        p50=statistics.median(run.p50 for run in runs),
        p99=statistics.median(run.p99 for run in runs),
        failures=0,
        cpu={name: statistics.median(run.cpu[name] for run in runs) for name in runs[0].cpu},
    )


def _baseline(platform: Platform, port: int) -> Process:
    """The baseline as a process beside the platform, with the gateway's own environment."""
    gateway = platform.processes["api-gateway"]
    return Process(
        "baseline",
        [sys.executable, "-m", "benchmarks.baseline"],
        env={**(gateway.env or {}), "MONGODB_URI": platform.addresses.mongodb, "HTTP_PORT": str(port)},
        log=platform.state_dir / "logs" / "baseline.log",
        ready=lambda: answers_ok(f"http://127.0.0.1:{port}/readyz"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", choices=("apache", "tansu"), default="apache")
    parser.add_argument("--port-offset", type=int, default=3000)
    options = parser.parse_args()
    with running_platform(kafka=options.kafka, port_offset=options.port_offset) as platform:
        port = free_port()
        baseline = _baseline(platform, port)
        baseline.start()
        try:
            baseline.wait_ready()
            memory = _idle_memory(platform)
            stop_reacting(platform)
            headers = headers_of(platform)
            urls = (platform.addresses.services["api-gateway"], f"http://127.0.0.1:{port}")
            measured = {name: platform.processes[name].pid for name in ("api-gateway", "meeting-core")}
            pids = (measured, {"baseline": baseline.pid})
            rows = asyncio.run(compare(*urls, headers, options.seconds, options.rounds, pids))
        except BaseException:
            print(baseline.tail())
            raise
        finally:
            baseline.stop()
    _show(rows)
    print("\n".join(_cpu_lines(rows)))
    print(f"five services idle: {memory:.0f} MB resident (target ≤ 500)")
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(_report(rows, memory, options))


def headers_of(platform: Platform) -> dict[str, str]:
    """What a request of one of the demo's people carries."""
    return platform.addresses.people[0].headers | {"content-type": "application/json"}


def _idle_memory(platform: Platform) -> float:
    """Resident megabytes of the five services together, before any load."""
    services = ("api-gateway", "meeting-core", "invitations", "calendar-sync", "webhook-ingest")
    return sum(_resident(platform.processes[name].pid) for name in services)


def process_of(wrapper: int) -> int:
    """The process of a service, which runs under a small wrapper."""
    children = Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()
    return int(children[0]) if children else wrapper


def _resident(pid: int) -> float:
    """Megabytes of a process and its children (each runs under a small wrapper)."""
    status = Path(f"/proc/{pid}/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own / 1024 + sum(_resident(int(child)) for child in children)


def _cpu_lines(rows: list[Row]) -> list[str]:
    """A table in Markdown of CPU milliseconds per request."""
    head = ["operation", "clients", "api-gateway", "meeting-core", "both", "baseline", "ratio"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        gateway, core = row.platform.cpu["api-gateway"], row.platform.cpu["meeting-core"]
        baseline = row.baseline.cpu["baseline"]
        numbers = [f"{value:.2f}" for value in (gateway, core, gateway + core, baseline, (gateway + core) / baseline)]
        lines.append([row.operation, str(row.clients), *numbers])
    return [f"| {' | '.join(line)} |" for line in lines]


def _show(rows: list[Row]) -> None:
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*row.cells)
    Console(width=120).print(table)


def _report(rows: list[Row], memory: float, options: argparse.Namespace) -> str:
    head = f"""# Create and get, against a single process without Kafka

`make bench` measures the platform (gateway → Kafka → meeting-core → MongoDB → reply) and a baseline side by side in
one run. The baseline is one FastAPI process with the same endpoints, models, validation, authentication and domain code
writing the same documents to the same MongoDB. What counts are the ratios: both ran in turn on the same machine.
The services that react to the events (mails, calendars) are stopped meanwhile, since the baseline has none.

Last run {datetime.now(UTC).date()}: {os.cpu_count()} cores ({machine.machine()}),
Python {machine.python_version()}, Kafka: {options.kafka}, {options.rounds} rounds of {options.seconds:.0f} s, medians.
The load generator, Kafka and MongoDB share the cores.

"""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *(row.cells for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    cpu = "\n".join(_cpu_lines(rows))
    resident = f"The five services idle: {memory:.0f} MB resident (target ≤ 500)."
    return f"{head}{table}\n\nCPU milliseconds per request:\n\n{cpu}\n\n{resident}\n"


if __name__ == "__main__":
    main()
