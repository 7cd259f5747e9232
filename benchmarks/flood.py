"""What one caller's expensive reads cost another tenant: ``python -m benchmarks.flood``.

The whole platform over HTTP. One user floods it with 16 requests at once; meanwhile another tenant's user creates and
lists meetings. What counts are the ratios to the calm of the same run, and how soon the database is idle afterwards.
Writes ``docs/benchmarks/flood.md``.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform as machine
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from localrun.people import Person
from localrun.platform import Platform
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

from benchmarks.load import Request, measure, request
from benchmarks.running import running_platform

_REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "flood.md"
_AT_ONCE = 16
_MEETINGS = 20
_TEXT = 8_000
_TARGET = 2.0
_IDLE_WITHIN = 10.0
_SETTLED = 1.0
_SEARCH, _LIST, _AVAILABILITY = "/api/v2/meetings", "/api/v1/meetings", "/api/v1/availability/check"
_BODY = {
    "title": "Quarterly portfolio review",
    "startDateTime": "2026-06-15T15:00:00",
    "endDateTime": "2026-06-15T15:45:00",
    "timezone": "America/Santiago",
    "locationType": "ONLINE",
}
_HEADINGS = ["flood", "answered", "create p99 ms", "calm", "ratio", "list p99 ms", "calm", "ratio", "idle after s"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Met:
    """What the other tenant met."""

    create: float
    """Seconds, the 99th percentile."""
    listing: float
    """The same."""


@dataclass(frozen=True, slots=True)
class Row:
    """The calm before one flood, and what was met while it ran."""

    flood: str
    statuses: Counter[int]
    calm: Met
    met: Met
    idle_after: float

    @property
    def cells(self) -> list[str]:
        answered = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        return [
            self.flood,
            answered,
            *_compared(self.met.create, self.calm.create),
            *_compared(self.met.listing, self.calm.listing),
            f"{self.idle_after:.1f}",
        ]

    @property
    def holds(self) -> bool:
        ratios = (self.met.create / self.calm.create, self.met.listing / self.calm.listing)
        return max(ratios) <= _TARGET and self.idle_after <= _IDLE_WITHIN


def _compared(met: float, calm: float) -> list[str]:
    return [f"{met * 1000:.1f}", f"{calm * 1000:.1f}", f"{met / calm:.2f}"]


def floods() -> dict[str, tuple[str, str, Json | None]]:
    """Method, path and body of each flood's request."""
    fields = ("description", "internalNotes", "meetingInformation")
    texts = [fields[number % len(fields)] for number in range(50)]
    contains = [{"field": name, "operator": "CONTAINS", "value": "a" * 3_999 + "b"} for name in texts]
    allowed = [{"field": name, "operator": "CONTAINS", "value": "á" * 249 + "b"} for name in texts[:8]]
    thousand = [f"{number}" for number in range(1_000)]
    values = [{"field": "participants.name", "operator": "NOT_IN", "values": thousand} for _ in range(30)]
    sort = ["title,asc", "description,desc", "meetingInformation,asc"]
    year = {"startDateTime": "2026-01-01T00:00:00", "endDateTime": "2026-12-31T00:00:00"}
    return {
        "50 × CONTAINS of 4,000 characters": ("POST", _SEARCH, {"filters": contains}),
        "the dearest search that is allowed": ("POST", _SEARCH, {"filters": allowed}),
        "30 × NOT_IN of 1,000 values": ("POST", _SEARCH, {"filters": values, "sort": sort}),
        "deep pages in an order without an index": ("POST", _SEARCH, {"page": 5_000_000, "size": 100, "sort": sort}),
        "deep pages of the list": ("GET", f"{_LIST}?page=5000000&size=100", None),
        "a year's availability of 500": (
            "POST",
            _AVAILABILITY,
            {"userUuids": [f"TS{number:030}" for number in range(500)]} | year,
        ),
    }


async def compare(platform: Platform, seconds: float, rounds: int) -> list[Row]:
    """Measure each flood in turn with a calm of its own, since the machine has other things to do as well."""
    url, people = platform.addresses.gateway, platform.addresses.people
    attacker = people[0]
    other = next(one for one in people if one.tenant_uuid != attacker.tenant_uuid)
    await _grow(url, attacker)
    await _meet(url, other, 2)
    rows = []
    for name, (method, path, body) in floods().items():
        content = json.dumps(body, ensure_ascii=False).encode() if body else b""
        sent = request(method, path, _headers(attacker), content, status=200)
        calms, mets, idle_after, answered = list[Met](), list[Met](), list[float](), Counter[int]()
        for _ in range(rounds):
            calms.append(await _meet(url, other, seconds))
            async with _flooding(url, sent) as statuses:
                await asyncio.sleep(_SETTLED)
                mets.append(await _meet(url, other, seconds))
            idle_after.append(await _idle(platform.addresses.mongodb))
            answered += statuses
        rows.append(Row(name, answered, _median(calms), _median(mets), max(idle_after)))
    return rows


def _median(mets: list[Met]) -> Met:
    return Met(
        create=statistics.median(met.create for met in mets), listing=statistics.median(met.listing for met in mets)
    )


async def _meet(url: str, person: Person, seconds: float) -> Met:
    headers = _headers(person)
    create = request("POST", _LIST, headers, json.dumps(_BODY).encode(), status=201)
    listing = request("GET", _LIST, headers, status=200)
    created = await measure(url, lambda: create, clients=2, seconds=seconds)
    listed = await measure(url, lambda: listing, clients=1, seconds=seconds)
    if failures := created.failures + listed.failures:
        raise SystemExit(f"{failures} requests of the other tenant were not answered as expected")
    return Met(created.p99, listed.p99)


async def _grow(url: str, person: Person) -> None:
    """The attacker's own meetings, with the longest texts that there can be."""
    text = "á" * _TEXT
    body = _BODY | {"description": text, "internalNotes": text, "meetingInformation": text}
    async with httpx.AsyncClient(base_url=url, headers=_headers(person)) as http:
        for _ in range(_MEETINGS):
            (await http.post(_LIST, json=body)).raise_for_status()


@contextlib.asynccontextmanager
async def _flooding(url: str, raw: Request) -> AsyncIterator[Counter[int]]:
    """Flood while this is held; a refused request comes again when its answer says so."""
    statuses: Counter[int] = Counter()
    clients = [asyncio.create_task(_client(url, raw.raw, statuses)) for _ in range(_AT_ONCE)]
    try:
        yield statuses
    finally:
        for client in clients:
            client.cancel()
        ends = await asyncio.gather(*clients, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


async def _client(url: str, raw: bytes, statuses: Counter[int]) -> None:
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    try:
        while True:
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            await reader.readexactly(int(fields.get(b"content-length", 0)))
            statuses[int(head[9:12])] += 1
            await asyncio.sleep(float(fields.get(b"retry-after", 0)))
    finally:
        writer.close()


async def _idle(mongodb: str) -> float:
    """Seconds until the database has nothing to do for meeting-core that takes longer than a moment."""
    began = time.monotonic()
    with MongoClient[Json](mongodb) as client:
        busy = {"currentOp": 1, "active": True, "ns": "meeting_core.meetings", "microsecs_running": {"$gt": 50_000}}
        while client.admin.command(busy)["inprog"]:  # noqa: ASYNC110 the server tells nobody
            await asyncio.sleep(0.05)
    return time.monotonic() - began


def _headers(person: Person) -> dict[str, str]:
    return person.headers | {"content-type": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", choices=("apache", "tansu"), default="apache")
    parser.add_argument("--port-offset", type=int, default=3000)
    options = parser.parse_args()
    with running_platform(kafka=options.kafka, port_offset=options.port_offset) as platform:
        rows = asyncio.run(compare(platform, options.seconds, options.rounds))
    table = Table(*_HEADINGS)
    cells = [row.cells for row in rows]
    for row in cells:
        table.add_row(*row)
    Console(width=140).print(table)
    _REPORT.write_text(_report(cells, options))
    if missed := [row.flood for row in rows if not row.holds]:
        raise SystemExit(f"the target is missed by: {', '.join(missed)}")


def _report(cells: list[list[str]], options: argparse.Namespace) -> str:
    lines = "\n".join(f"| {' | '.join(line)} |" for line in (_HEADINGS, ["---"] * len(_HEADINGS), *cells))
    return f"""# What one caller's expensive reads cost another tenant

`python -m benchmarks.flood` runs the whole platform. One user, with {_MEETINGS} meetings of the longest texts, sends
{_AT_ONCE} requests at once, again and again, and waits where an answer says so (`Retry-After`). Meanwhile a user of
another tenant creates and lists meetings. Each flood has calms of its own, in turn with it, since a machine slows down
and recovers; figures are medians of the rounds. Target: ratios of p99 ≤ {_TARGET:.0f}, and the database idle within
{_IDLE_WITHIN:.0f} s of the flood's end.

Last run {datetime.now(UTC).date()}: {os.cpu_count()} cores ({machine.machine()}), Python {machine.python_version()},
Kafka: {options.kafka}, {options.rounds} rounds of {options.seconds:.0f} s. The load generators, Kafka and MongoDB share
the cores.

{lines}
"""


if __name__ == "__main__":
    main()
