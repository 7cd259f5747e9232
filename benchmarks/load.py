"""A load generator that costs little: HTTP/1.1 over plain asyncio connections, one request at a time on each."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in seconds of the requests that were answered as expected, and how many per second there were."""

    rate: float
    p50: float
    p99: float
    failures: int
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU milliseconds per request, by process."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as bytes, and the status it must be answered with."""

    raw: bytes
    status: int


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"", *, status: int) -> Request:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Request("\r\n".join(lines).encode() + b"\r\n\r\n" + body, status)


async def measure(
    base_url: str,
    make: Callable[[], Request],
    *,
    clients: int,
    seconds: float,
    warm_up: float = 1.0,
    processes: Mapping[str, int] | None = None,
) -> Measured:
    """Send what ``make`` makes from so many concurrent clients for so long.

    ``processes`` are the process ids, by name, whose CPU time per request is measured: it depends little on what else
    the machine does.
    """
    at = urlsplit(base_url)
    latencies: list[float] = []
    failures = sent_in_all = 0
    used = {name: cpu_seconds(pid) for name, pid in (processes or {}).items()}
    started = time.perf_counter() + warm_up
    ends = started + seconds

    async def client() -> None:
        nonlocal failures, sent_in_all
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        while (sent := time.perf_counter()) < ends:
            wanted = make()
            writer.write(wanted.raw)
            status = await _read_answer(reader)
            sent_in_all += 1
            if sent >= started:
                latencies.append(time.perf_counter() - sent)
                failures += status != wanted.status
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    cuts = statistics.quantiles(latencies, n=100)
    cpu = {name: 1000 * (cpu_seconds(pid) - used[name]) / sent_in_all for name, pid in (processes or {}).items()}
    return Measured(len(latencies) / seconds, cuts[49], cuts[98], failures, cpu)


def cpu_seconds(pid: int) -> float:
    """CPU seconds, user and system, that a process and its children have used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(
        cpu_seconds(int(child)) for child in children
    )


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    await reader.readexactly(length)
    return int(head[9:12])
