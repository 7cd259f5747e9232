"""What webhook-ingest bears, against a FastAPI endpoint that does nothing: ``python -m benchmarks.webhooks``.

Rounds alternate between the two. Then the same while calendar-sync and both providers hang, stopped by SIGSTOP. Writes
``docs/benchmarks/webhooks.md``.
"""

import argparse
import asyncio
import itertools
import json
import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaProducer
from chassis.kafka.records import encode, envelope_for
from contracts.messages.calendar_channels import ChannelActivated, secret_hash
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from localrun.platform import Platform
from localrun.ports import free_port
from localrun.processes import Process, answers_ok

from benchmarks.load import Measured, Request, measure, request
from tests.support.waiting import until

_REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "webhooks.md"
_CLIENTS = 32
_CHANNELS = 200
_SECRET = secrets.token_urlsafe(32)
Make = Callable[[], Request]


async def open_channels(bootstrap: str) -> dict[CalendarProvider, list[str]]:
    """Channels of both providers, known to webhook-ingest as calendar-sync makes them known."""
    opened: dict[CalendarProvider, list[str]] = {provider: [] for provider in CalendarProvider}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for provider, _ in itertools.product(CalendarProvider, range(_CHANNELS)):
            channel = ChannelActivated(
                channel_id=uuid7_hex(),
                provider=provider,
                connection_id="T1:U1",
                secret_hash=secret_hash(_SECRET),
                expires_at=utc_now() + timedelta(days=1),
            )
            envelope = envelope_for(channel, source=CALENDAR_SYNC, subject="U1", tenant="T1")
            record = encode(Message(envelope, channel), channel.channel_id)
            await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
            opened[provider].append(channel.channel_id)
        await producer.flush()
    return opened


def google(channels: list[str]) -> Make:
    """Google's notifications, of one channel after the other."""
    each = itertools.cycle(
        request(
            "POST",
            "/api/v1/webhooks/google",
            {
                "x-goog-channel-id": channel,
                "x-goog-channel-token": _SECRET,
                "x-goog-resource-state": "exists",
                "x-goog-message-number": "7",
            },
            status=200,
        )
        for channel in channels
    )
    return lambda: next(each)


def outlook(channels: list[str]) -> Make:
    """Graph's notifications, two of one change at a time, of one subscription after the other."""

    def posted(channel: str) -> bytes:
        item = {
            "subscriptionId": uuid7_hex(),
            "subscriptionExpirationDateTime": "2199-01-01T00:00:00Z",
            "changeType": "updated",
            "resource": "Users/1/Events/2",
            "clientState": f"{channel}.{_SECRET}",
            "tenantId": "1",
        }
        return json.dumps({"value": [item, item]}).encode()

    json_body = {"content-type": "application/json"}
    each = itertools.cycle(
        request("POST", "/api/v1/webhooks/outlook", json_body, posted(channel), status=200) for channel in channels
    )
    return lambda: next(each)


def empty() -> Request:
    return request("POST", "/", {}, status=200)


async def compare(platform: Platform, empty_url: str, seconds: float, rounds: int) -> list[str]:
    """The rows of the report."""
    ingest = platform.addresses.services["webhook-ingest"]
    channels = await open_channels(platform.addresses.kafka)
    sides: dict[str, tuple[str, Make]] = {
        "Google": (ingest, google(channels[CalendarProvider.GOOGLE])),
        "Outlook": (ingest, outlook(channels[CalendarProvider.OUTLOOK])),
        "nothing": (empty_url, empty),
    }

    async def known() -> bool:
        tried = [await measure(*sides[name], clients=1, seconds=0.1, warm_up=0) for name in ("Google", "Outlook")]
        return not any(one.failures for one in tried)

    await until(known, what="the channels are known")
    usual = await _rounds(sides, seconds, rounds)
    with ExitStack() as stopped:
        for name in ("calendar-sync", "google", "microsoft"):
            stopped.enter_context(platform.processes[name].paused())
        hindered = await _rounds(sides, seconds, rounds)
    return [*_rows("all is well", usual), *_rows("calendar-sync and providers hang", hindered)]


async def _rounds(sides: dict[str, tuple[str, Make]], seconds: float, rounds: int) -> dict[str, Measured]:
    runs: dict[str, list[Measured]] = {name: [] for name in sides}
    for _, (name, (url, make)) in itertools.product(range(rounds), sides.items()):
        runs[name].append(await measure(url, make, clients=_CLIENTS, seconds=seconds))
    return {name: _median(of_side) for name, of_side in runs.items()}


def _median(runs: list[Measured]) -> Measured:
    if failures := sum(run.failures for run in runs):
        raise SystemExit(f"{failures} notifications were not answered as expected")
    rate, p50, p99 = ([getattr(run, name) for run in runs] for name in ("rate", "p50", "p99"))
    return Measured(statistics.median(rate), statistics.median(p50), statistics.median(p99), 0)


def _rows(when: str, measured: dict[str, Measured]) -> list[str]:
    base = measured["nothing"].rate
    return [
        f"| {when} | {name} | {one.rate:.0f} | {one.rate / base:.2f} | {one.p50 * 1000:.1f} | {one.p99 * 1000:.1f} |"
        for name, one in measured.items()
    ]


def report(rows: list[str], options: argparse.Namespace) -> str:
    """The page."""
    table = "\n".join(rows)
    return f"""# Webhooks

`python -m benchmarks.webhooks`: notifications of {_CHANNELS} channels of each provider from {_CLIENTS} connections at
once, beside a FastAPI endpoint that answers nothing and does nothing. Targets: at least 0.8 times its rate; p99 at most
50 ms while calendar-sync and the providers hang (stopped by SIGSTOP).

Last run {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} at the end,
Kafka: {options.kafka}, {options.rounds} rounds of {options.seconds:.0f} s, medians.
The load generator and Kafka share the cores.

| when | notifications of | per s | ratio | p50 ms | p99 ms |
| --- | --- | --- | --- | --- | --- |
{table}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kafka", choices=("apache", "tansu"), default="apache")
    parser.add_argument("--port-offset", type=int, default=2_600, help="added to the default ports")
    options = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="webhooks-") as folder,
        Platform.start(Path(folder), port_offset=options.port_offset, kafka=options.kafka) as platform,
    ):
        nothing = Process(
            "empty",
            [sys.executable, "-m", "benchmarks.empty"],
            env=dict(os.environ) | {"HTTP_PORT": str(port)},
            log=Path(folder) / "empty.log",
            ready=lambda: answers_ok(f"http://127.0.0.1:{port}/readyz"),
        )
        nothing.start()
        try:
            nothing.wait_ready()
            rows = asyncio.run(compare(platform, f"http://127.0.0.1:{port}", options.seconds, options.rounds))
        finally:
            nothing.stop()
    text = report(rows, options)
    _REPORT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
