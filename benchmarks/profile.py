"""Where a create and a get spend CPU time in a service: ``make profile``.

py-spy samples the service's process from outside while one operation runs, and counts only samples that used CPU.
Prints the functions by their own time, and by the time of all that they call.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from localrun.platform import Platform
from rich.console import Console
from rich.table import Table

from benchmarks.load import measure
from benchmarks.requests import creating, getting, headers_of, process_of
from benchmarks.running import running_platform, stop_reacting

_TOP = 40


def _sample(platform: Platform, service: str, operation: str, options: argparse.Namespace) -> Counter[str]:
    """Collapsed stacks of the service, and how often each was seen."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as stacks:
        asyncio.run(_record(platform, service, operation, stacks.name, options))
        lines = Path(stacks.name).read_text().splitlines()
    return Counter({stack: int(count) for stack, _, count in (line.rpartition(" ") for line in lines)})


async def _record(platform: Platform, service: str, operation: str, output: str, options: argparse.Namespace) -> None:
    headers, url = headers_of(platform), platform.addresses.services["api-gateway"]
    make = creating(headers) if operation == "create" else await getting(url, headers)
    pid = process_of(platform.processes[service].pid)
    command = [str(Path(sys.executable).parent / "py-spy"), "record", "--pid", str(pid), "--format", "raw"]
    command += ["--output", output, "--duration", str(options.seconds), "--rate", "200"]
    sampling = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    await measure(url, make, clients=options.clients, seconds=options.seconds)
    await sampling.wait()


def _show(title: str, stacks: Counter[str]) -> None:
    total = stacks.total() or 1
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = [_function(frame) for frame in stack.split(";")]
        own[frames[-1]] += count
        for frame in set(frames):
            inclusive[frame] += count
    table = Table("own %", "function", "with callees %", "function ", title=f"{title}: {total} samples")
    for (by_own, seen), (by_all, seen_in_all) in zip(own.most_common(_TOP), inclusive.most_common(_TOP), strict=False):
        table.add_row(f"{100 * seen / total:.1f}", by_own, f"{100 * seen_in_all / total:.1f}", by_all)
    Console(width=180).print(table)


def _function(frame: str) -> str:
    """``name (folder/file.py:12)`` without the line, so that a function is counted as one."""
    name, _, place = frame.partition(" (")
    return f"{name} ({'/'.join(place.partition(':')[0].rstrip(')').split('/')[-3:])})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", action="append", help="default: api-gateway and meeting-core")
    parser.add_argument("--operation", choices=("create", "get"), action="append")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--kafka", choices=("apache", "tansu"), default="tansu")
    parser.add_argument("--port-offset", type=int, default=3100)
    options = parser.parse_args()
    with running_platform(kafka=options.kafka, port_offset=options.port_offset) as platform:
        stop_reacting(platform)
        for operation in options.operation or ("create", "get"):
            for service in options.service or ("api-gateway", "meeting-core"):
                _show(f"{operation} in {service}", _sample(platform, service, operation, options))


if __name__ == "__main__":
    main()
