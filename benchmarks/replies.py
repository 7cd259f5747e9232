"""How soon a guest's reply by mail counts, and whether a flood of replies survives the death of their listener.

    python -m benchmarks.replies [--kafka apache] [--rate 1000] [--seconds 5]

writes docs/benchmarks/replies.md. The firm's mail server is played by connections that keep a reply until the listener
answers 250, as mail servers do.
"""

import argparse
import asyncio
import itertools
import os
import platform as machine
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiosmtplib
from aiokafka import AIOKafkaConsumer
from contracts.messages.meeting_events import ParticipantResponded
from contracts.rsvp_tokens import RsvpKeys
from contracts.transport.envelope import Envelope
from contracts.transport.topics import MEETING_EVENTS
from contracts.values.enums import RsvpStatus, Way
from contracts.values.ids import uuid7_hex
from invitations.domain.guest_addresses import GuestAddresses
from localrun.platform import Platform
from localrun.ports import Ports
from pymongo import MongoClient

from tests.support.callers import Caller, Json, calling
from tests.support.crowd import NO_MAIL_LIMITS, NO_MAILBOX_LIMIT
from tests.support.waiting import until

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks" / "replies.md"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ADDRESSES = GuestAddresses("meetings@example.com", RsvpKeys.parse(KEY))
SETTINGS = {
    "meeting-core": NO_MAIL_LIMITS,
    "api-gateway": {"RSVP_TOKEN_KEYS": KEY},
    "invitations": {"RSVP_TOKEN_KEYS": KEY, **NO_MAILBOX_LIMIT},
}
_GUESTS_OF_A_MEETING = 10
_CONNECTIONS = 64
_CALM_RATE, _CALM_REPLIES = 20, 200
_KILL_AT = 0.4
"""Of the flood's time."""
_WITHIN = 600.0


@dataclass(frozen=True)
class Reply:
    """One guest's acceptance."""

    participant: str
    content: bytes

    @property
    def recipient(self) -> str:
        return ADDRESSES.reply_address(self.participant)


@dataclass
class Times:
    """When each guest's reply was handed over and acknowledged, and when it was an event; monotonic seconds."""

    handed_over: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)
    repeats: int = 0

    def delays(self, replies: Sequence[Reply]) -> list[float]:
        """From the first hand-over to the event, in milliseconds: events are often seen before the 250."""
        return [1000 * (self.counted[r.participant] - self.handed_over[r.participant]) for r in replies]


async def invited(host: Caller, mongodb: str, guests: int) -> list[Reply]:
    """So many guests who have their mails, and what they will reply."""
    run, gate = uuid7_hex().lower(), asyncio.Semaphore(8)

    async def create(number: int) -> Json:
        people = [{"email": f"g{number}-{guest}-{run}@replying.example.com"} for guest in range(_GUESTS_OF_A_MEETING)]
        async with gate:
            return await host.creates(externalAttendees=people)

    meetings = await asyncio.gather(*(create(number) for number in range(guests // _GUESTS_OF_A_MEETING)))
    with MongoClient[Json](mongodb) as client:
        stored = client["invitations"]["guests"]

        async def are_mailed() -> bool:
            await asyncio.sleep(0.5)
            mailed = await asyncio.to_thread(stored.count_documents, {"lastMail": {"$ne": None}})
            return mailed >= len(meetings) * _GUESTS_OF_A_MEETING

        await until(are_mailed, what="every guest is mailed", within=_WITHIN)
    return [
        Reply(person["participantUuid"], _content(meeting["meetingUuid"], person["email"]))
        for meeting in meetings
        for person in meeting["participants"]
        if person["participantType"] == "EXTERNAL"
    ]


def _content(meeting: str, email: str) -> bytes:
    calendar = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Bench//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n"
        f"UID:{meeting}@example.com\r\nSEQUENCE:0\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{email}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return f"From: {email}\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n{calendar}".encode()


async def offer(replies: Sequence[Reply], port: int, rate: float, times: Times) -> float:
    """Offer replies at a rate over some connections, each until it is acknowledged; the seconds until all are."""
    began, numbers = time.monotonic(), itertools.count()

    async def connection() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False, timeout=20)
        while (number := next(numbers)) < len(replies):
            await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
            await _hand_over(client, replies[number], times)
        client.close()

    await asyncio.gather(*(connection() for _ in range(_CONNECTIONS)))
    return time.monotonic() - began


async def _hand_over(client: aiosmtplib.SMTP, reply: Reply, times: Times) -> None:
    sender = "guest@replying.example.com"
    times.handed_over[reply.participant] = time.monotonic()
    while True:
        try:
            if not client.is_connected:
                await client.connect()
            await client.sendmail(sender, [reply.recipient], reply.content)
        except (aiosmtplib.SMTPException, OSError):
            times.repeats += 1
            client.close()
            await asyncio.sleep(0.2)
            continue
        times.acknowledged[reply.participant] = time.monotonic()
        return


@asynccontextmanager
async def watching(bootstrap: str, times: Times) -> AsyncIterator[None]:
    """Note when answers by mail are told."""
    consumer = AIOKafkaConsumer(MEETING_EVENTS.name, bootstrap_servers=bootstrap, auto_offset_reset="latest")
    async with consumer:
        await consumer.seek_to_end()
        reading = asyncio.create_task(_note(consumer, times))
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def _note(consumer: AIOKafkaConsumer, times: Times) -> None:
    async for record in consumer:
        if Envelope.from_headers(record.headers).type == "meetings.participant.responded.v1":
            event = ParticipantResponded.model_validate_json(record.value)
            if event.actor.way is Way.MAIL_REPLY and event.rsvp_status is RsvpStatus.ACCEPTED:
                times.counted.setdefault(event.participant_uuid, time.monotonic())


async def _all_count(replies: Sequence[Reply], times: Times) -> None:
    async def counted() -> bool:
        return all(reply.participant in times.counted for reply in replies)

    with suppress(AssertionError):  # the report says how many are missing
        await until(counted, what="every acknowledged reply counts", within=120)


async def _kill(running: Platform, after: float) -> None:
    await asyncio.sleep(after)
    process = running.processes["invitations"]
    await asyncio.to_thread(process.kill)
    await asyncio.to_thread(process.start)
    await asyncio.to_thread(process.wait_ready)


async def measure(running: Platform, given: argparse.Namespace) -> list[str]:
    """The rows of the report."""
    ports = Ports.from_environment({}, given.port_offset)
    mongodb, port = f"mongodb://127.0.0.1:{ports.mongodb}/?directConnection=true", ports.replies_smtp
    flood_size = int(given.rate * given.seconds)
    async with calling(running.addresses.gateway, running.addresses.people[0]) as host:
        replies = await invited(host, mongodb, _CALM_REPLIES + flood_size)
    calm, flood = replies[:_CALM_REPLIES], replies[_CALM_REPLIES:]
    times = Times()
    async with watching(running.addresses.kafka, times):
        await offer(calm, port, _CALM_RATE, times)
        await _all_count(calm, times)
        cuts = statistics.quantiles(times.delays(calm), n=100)
        killing = asyncio.create_task(_kill(running, given.seconds * _KILL_AT))
        taken = await offer(flood, port, given.rate, times)
        await killing
        await _all_count(flood, times)
    lost = sum(reply.participant not in times.counted for reply in replies)
    last = max(times.counted.values()) - max(times.acknowledged.values())
    return [
        _row(f"reply to event, {_CALM_RATE} replies/s", f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms", "p50 < 1 s"),
        _row(f"{len(flood)} replies at {given.rate:g}/s, one kill", f"acknowledged in {taken:.1f} s"),
        _row("acknowledged a second", f"{len(flood) / taken:.0f}"),
        _row("attempts that were repeated", f"{times.repeats}"),
        _row("the last one counted after the last 250", f"{max(0, last):.1f} s"),
        _row("acknowledged and lost", f"{lost}", "0"),
    ]


def _row(what: str, measured: str, target: str = "") -> str:
    return f"| {what} | {measured} | {target} |"


def report(rows: Sequence[str], given: argparse.Namespace, load: float) -> str:
    """The page."""
    table = "\n".join(rows)
    return f"""# Replies by mail

`python -m benchmarks.replies`: guests accept by mail, each once, at one listener over {_CONNECTIONS} connections.
First a few, measured from the first byte to the listener until `meetings.participant.responded` is read from Kafka,
which follows the change of `rsvpStatus`. Then a flood in which the service is killed by SIGKILL; each reply is offered
until it is acknowledged. The rate that is offered need not be acknowledged: the mail server keeps what is not.

Last run {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({machine.machine()}), Kafka: {given.kafka}.
MongoDB, Kafka, all services and the load generator share the cores. Load of the machine before the run: {load:.1f}.

| what | measured | target |
| --- | --- | --- |
{table}
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", choices=("tansu", "apache"), default="apache")
    parser.add_argument("--rate", type=float, default=1000, help="replies a second that are offered")
    parser.add_argument("--seconds", type=float, default=5, help="for how long they are offered")
    parser.add_argument("--port-offset", type=int, default=2_500, help="added to the default ports")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="replies-") as state,
        Platform.start(
            Path(state), port_offset=given.port_offset, kafka=given.kafka, env_overrides=SETTINGS, report=print
        ) as running,
    ):
        rows = asyncio.run(measure(running, given))
    text = report(rows, given, load)
    REPORT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
